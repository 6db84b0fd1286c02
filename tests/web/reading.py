"""Whether the page can be read: by those who see little, and by those who hear it read aloud."""

# Each text on the page whose contrast to what is behind it is lower than the WCAG's AA asks.
_FAINT = """async () => {
    const moving = document.getAnimations()
        .filter((motion) => Number.isFinite(motion.effect.getComputedTiming().endTime));
    await Promise.allSettled(moving.map((motion) => motion.finished));
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const parsed = (colour) => {  // any CSS colour as red, green, blue (0..255), opacity (0..1)
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], below) =>
        [r, g, b].map((level, i) => level * a + below[i] * (1 - a)).concat(1);
    const luminance = (colour) => {
        const [r, g, b] = colour.slice(0, 3).map((level) => {
            const share = level / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        const above = [];
        for (let e = element; e; e = e.parentElement) above.unshift(e);
        const paint = (below, e) => over(parsed(getComputedStyle(e).backgroundColor), below);
        return above.reduce(paint, [255, 255, 255, 1]);
    };
    const opacity = (element) => {
        let share = 1;
        for (let e = element; e; e = e.parentElement) share *= getComputedStyle(e).opacity;
        return share;
    };
    const place = (e) => {
        const name = (e) => e.tagName.toLowerCase() + [...e.classList]
            .filter((c) => !c.startsWith("svelte-")).map((c) => "." + c).join("");
        const owner = e.closest("[id]:not([id=''])");
        return `${owner ? "#" + owner.id : "page"} ${name(e)}`;
    };
    const faint = [];
    const check = (text, e, style) => {
        if (!/[\\p{L}\\p{N}]/u.test(text)) return;  // a drawing
        if (e.closest("style, script, noscript, :disabled, canvas")) return;
        if (!e.checkVisibility({opacityProperty: true, visibilityProperty: true})) return;
        const box = e.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) return;
        const below = behind(e), colour = parsed(style.color);
        colour[3] *= opacity(e);
        const pair = [luminance(over(colour, below)), luminance(below)].sort((a, b) => b - a);
        const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        if (contrast < (large ? 3 : 4.5))
            faint.push(`${place(e)}: ${contrast.toFixed(2)} ${style.color} '${text.slice(0, 40)}'`);
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const e = texts.currentNode.parentElement;
        check(texts.currentNode.data.trim(), e, getComputedStyle(e));
    }
    const fields = "textarea, input:not([type=checkbox], [type=radio], [type=range], [type=file])";
    for (const e of document.querySelectorAll(fields)) {
        if (e.value) check(e.value, e, getComputedStyle(e));
        else check(e.placeholder ?? "", e, getComputedStyle(e, "::placeholder"));
    }
    return [...new Set(faint)];
}"""
# What is wider than the window, where the page is.
_WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("body *")]
        .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth)
        .map((e) => `wider than the window: ${e.closest("[id]:not([id=''])")?.id} ${e.tagName}`)
"""
_CONTROLS = {
    "button", "checkbox", "combobox", "link", "listbox", "menuitem", "option", "radio",
    "searchbox", "slider", "spinbutton", "switch", "tab", "textbox",
}  # fmt: skip


def faint_texts(page) -> list[str]:
    """Where each text stands whose contrast is too low, the contrast, the colour and the text."""
    return page.evaluate(_FAINT)


def sticking_out(page) -> list[str]:
    """What makes the page wider than its window."""
    return page.evaluate(_WIDE)


def nameless_controls(page) -> list[str]:
    """The HTML of every control to which the browser can give no name that is read aloud."""
    browser = page.context.new_cdp_session(page)
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    controls = [
        node for node in nodes if not node["ignored"] and node["role"]["value"] in _CONTROLS
    ]
    assert controls  # the tree is that of a page
    nameless = [
        browser.send("DOM.getOuterHTML", {"backendNodeId": node["backendDOMNodeId"]})["outerHTML"]
        for node in controls
        if not node["name"]["value"].strip()
    ]
    browser.detach()
    return nameless
