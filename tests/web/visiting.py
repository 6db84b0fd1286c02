"""A visit to the page in a real browser: what a visitor sees and does, in a visitor's words."""

import re
from pathlib import Path

import numpy as np
import pytest
from page_extras import REQUIRED
from PIL import Image
from web.serving import PATIENCE

from jaxdream.settings.looks import LOOKS

if REQUIRED:
    from playwright import sync_api
else:
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="the page is tested with Playwright: pip install playwright"
    )

# Chromium for tests: no updates, nothing that it would ask its maker.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
_OUR_OWN = ("data:", "blob:", "about:")
_PANELS = {"Dream": "dream", "Zoom": "zoom", "Video": "video", "Classes and channels": "classes"}
# Notes every picture of a dream that the page shows on its way.
_WATCH = """() => {
    window.shown = [];
    const look = () => {
        const source = document.querySelector("#dream_live img")?.src;
        if (source && !window.shown.includes(source)) window.shown.push(source);
    };
    look();
    new MutationObserver(look).observe(document.body, {
        subtree: true, childList: true, attributes: true, attributeFilter: ["src"],
    });
}"""

expect = sync_api.expect
expect.set_options(timeout=1000 * PATIENCE)


def pixels(path: Path) -> np.ndarray:
    """A picture file's pixels, uint8, (h, w, 3)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


class Visit:
    """One load of the page, in a window of its own that knows of no other."""

    def __init__(self, browser, url: str, **window) -> None:
        self.url = url
        self.panel = "dream"  # of the tab that is open: what its elements' names begin with
        self.asked: list[str] = []  # all addresses that the browser has asked for
        self.failures: list[str] = []  # of the page's scripts
        self.context = browser.new_context(
            **({"viewport": {"width": 1280, "height": 900}} | window)
        )
        self.context.set_default_timeout(1000 * PATIENCE)
        self.page = self.context.new_page()
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.failures.append(str(error)))
        self.page.goto(url)
        # The network's layers come last.
        expect(self.field("layer")).not_to_have_value("")

    def close(self) -> None:
        """Close the window; the page must have asked nobody but its server."""
        self.context.close()
        assert self.failures == []
        assert self.strangers == []

    @property
    def strangers(self) -> list[str]:
        """The addresses that are not the server's."""
        return [url for url in self.asked if not url.startswith((self.url, *_OUR_OWN))]

    def find(self, element: str):
        return self.page.locator(f"#{element}")

    def field(self, name: str):
        """Where the value of a setting is typed."""
        return self.find(name).locator("textarea, input:not([type=range])").first

    def fill(self, **values) -> None:
        for name, value in values.items():
            self.field(name).fill(str(value))
            self.field(name).blur()

    def sees(self, element: str, text: str) -> str:
        """Waits until an element shows a text, and gives all that it shows."""
        line = self.find(element).locator("p")  # beside it is Gradio's own progress, hidden
        expect(line).to_contain_text(text, ignore_case=True)
        return line.inner_text()

    def give(self, path: Path) -> str:
        """Upload a picture; what the page says of it."""
        remove = self.find("picture").get_by_label("Remove Image")
        if remove.is_visible():
            remove.click()
        self.find("picture").locator("input[type=file]").set_input_files(path)
        return self.sees("picture_note", path.name)

    def press(self, button: str = "dream") -> None:
        """Press a button that begins a dream."""
        earlier = self.find(f"{self.panel}_status").locator("p")
        earlier.evaluate("line => line.className = 'earlier'")
        self.find(button).click()

    def line(self, text: str, seconds: float = PATIENCE) -> str:
        """The status since a button was pressed, as soon as it has a text in it."""
        line = self.find(f"{self.panel}_status").locator("p:not(.earlier)")
        expect(line).to_contain_text(text, timeout=1000 * seconds, ignore_case=True)
        return line.inner_text()

    def finish(self, text: str = "finished") -> str:
        """Waits for the end of a dream; the status then."""
        self.line(text)
        expect(self.find(f"{self.panel}_stop")).to_be_disabled()
        return self.line(text)

    def dream(self, button: str = "dream") -> str:
        """A dream, to its end."""
        self.press(button)
        return self.finish()

    def watch(self) -> None:
        """From now on, note the pictures of a dream on its way."""
        self.page.evaluate(_WATCH)

    def shown(self) -> list[bytes]:
        """The files of the noted pictures."""
        urls = self.page.evaluate("window.shown")
        return [self.page.request.get(url).body() for url in urls]

    def begin_long(self, size: int = 800) -> None:
        """Begin a dream that takes much longer than a test; returns when its first step is made."""
        self.fill(size=size, octaves=1, steps=50)
        self.press()
        self.line("step")

    def stop(self) -> str:
        """Press Stop; the status then."""
        self.find(f"{self.panel}_stop").click()
        return self.finish("stopped")

    def download(self, folder: Path, button: str = "") -> Path:
        """Press a button for a file; where it is, under the name that the page gave it."""
        with self.page.expect_download() as download:
            self.find(button or f"{self.panel}_download").click()
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    def paint(self) -> None:
        """Draw a line with the brush through the middle of the picture, to be dreamed there."""
        self.unfold("Where to dream: paint over the picture")
        editor = self.find("mask")
        expect(editor).to_contain_text(re.compile(r"\d\d%"))  # how much it is enlarged
        expect(editor).not_to_contain_text("100%")  # as it is before there is a picture
        editor.evaluate("editor => editor.scrollIntoView()")
        canvas = editor.locator("canvas").first.bounding_box()
        x, y = canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2
        self.page.mouse.move(x - 30, y)
        self.page.mouse.down()
        self.page.mouse.move(x + 30, y, steps=2)
        self.page.mouse.up()
        expect(editor.get_by_role("button", name="Undo")).to_be_enabled()

    def tab_to(self, element: str) -> None:
        """Press Tab until the keyboard is at an element, or at a part of it."""
        for _ in range(300):
            self.page.keyboard.press("Tab")
            if self.find(element).evaluate("e => e.contains(document.activeElement)"):
                return
        raise AssertionError(f"Tab never comes to {element}")

    def chosen(self, name: str) -> str:
        """Press a look's picture; the layer that it sets."""
        before = self.field("layer").input_value()
        self.find("looks").get_by_label(f"Thumbnail {1 + list(LOOKS).index(name)} of").click()
        expect(self.field("layer")).not_to_have_value(before)
        return self.field("layer").input_value()

    def tabs(self) -> list[str]:
        """The titles of all tabs."""
        return self.page.locator(".tab-container.visually-hidden button").all_text_contents()

    def open(self, title: str) -> None:
        """Open a tab."""
        tab = self.page.get_by_role("tab", name=title, exact=True)
        if not tab.is_visible():  # a narrow window
            self.page.get_by_role("button", name="More tabs").click()
            tab = self.page.locator(".overflow-dropdown button", has_text=title)
        tab.click()
        self.panel = _PANELS.get(title, self.panel)

    def unfold(self, title: str) -> None:
        """Unfold what is folded."""
        self.page.get_by_role("button", name=title).click()
