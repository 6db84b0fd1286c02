"""The page: its tabs, and what happens when it is opened and closed."""

import gradio as gr
from gradio.themes import Base, Default, Font

from jaxdream.web.classes_tab import ClassesTab
from jaxdream.web.context import Context
from jaxdream.web.dream_tab import DreamTab
from jaxdream.web.pictures_tab import PicturesTab
from jaxdream.web.video_tab import VideoTab
from jaxdream.web.visitors import delete_old
from jaxdream.web.zoom_tab import ZoomTab

_FORGOTTEN = 6 * 3600  # seconds after which what was uploaded or shown is deleted
_TITLE = "jaxdream"
_INTRODUCTION = """# jaxdream
A trained network looks at your picture, and changes it so that it sees more of what it sees.
Give a picture, click a look, and press **Dream**.
"""
CSS = """
progress { width: 100%; height: 0.75rem; accent-color: var(--color-accent); }
#examples .grid-wrap, #looks .grid-wrap { min-height: 0; height: auto; }
#looks .grid-container { grid-template-columns: repeat(auto-fill, minmax(5.5rem, 1fr)) !important; }
.failed { color: var(--failed-text); font-weight: 600; }
:root {
  --failed-text: #b91c1c; --block-info-text-color: #52525b; --block-label-text-color: #3f3f46;
  --body-text-color-subdued: #52525b; --input-placeholder-color: #5b5b64;
}
.dark {
  --failed-text: #fca5a5; --block-info-text-color: #d4d4d8; --block-label-text-color: #e4e4e7;
  --body-text-color-subdued: #b4b4bc; --input-placeholder-color: #b4b4bc;
  --color-accent: #a78bfa;
}
"""


def build_page(context: Context) -> gr.Blocks:
    """The page, not served yet."""
    with gr.Blocks(title=_TITLE, analytics_enabled=False) as page:
        gr.Markdown(_INTRODUCTION)
        with gr.Tabs():
            with gr.Tab("Dream", elem_id="tab_dream"):
                dream = DreamTab(context)
            with gr.Tab("Zoom", elem_id="tab_zoom"):
                ZoomTab(context, dream)
            with gr.Tab("Video", elem_id="tab_video"):
                VideoTab(context, dream)
            with gr.Tab("Classes and channels", elem_id="tab_classes"):
                classes = ClassesTab(context)
            with gr.Tab("My pictures", elem_id="tab_mine") as mine:
                PicturesTab(context, dream, mine)
        gr.Markdown(context.rules, elem_id="rules")

        def leave(request: gr.Request) -> None:
            context.visitors.remove(request.session_hash)
            delete_old(context.folder, _FORGOTTEN)

        quietly = {"show_progress": "hidden", "api_visibility": "private"}
        page.load(dream.load, None, dream.look.layer, **quietly)  # pyright: ignore[reportArgumentType]
        page.load(classes.load, None, classes.loaded, **quietly)  # pyright: ignore[reportArgumentType]
        page.unload(leave)
    return page


def theme() -> Base:
    """How the page looks, with fonts that the browser has: nothing is fetched from elsewhere."""
    fonts = Font("system-ui"), Font("sans-serif")
    mono = Font("ui-monospace"), Font("monospace")
    look = Default(primary_hue="violet", font=fonts, font_mono=mono)
    # Darker than Gradio's own, so that what is written on it, or in it, can be read.
    return look.set(
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        color_accent="*primary_600",
    )
