"""How the page is served, and what its visitors may ask for."""

from jaxdream.settings.base import Settings, setting

FIRST_PORT = 7860  # and the next hundred, where it is taken


class PageSettings(Settings):
    """How the page is served, and what its visitors may ask for."""

    title = "the page"

    host: str = setting(
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 lets other machines of the network in",
        metavar="ADDRESS",
    )
    port: int | None = setting(
        default=None,
        help="port to listen at",
        kind=int,
        minimum=1,
        maximum=65535,
        default_text=f"the first free one from {FIRST_PORT}",
    )
    share: bool = setting(
        default=False,
        help="also make a public address for the page, through Gradio's servers",
    )
    browser: bool = setting(default=True, help="open the page in the browser")
    queue: int = setting(
        default=20,
        help="dreams that may wait while another is made",
        minimum=1,
        maximum=1000,
    )
    megapixels: float = setting(
        default=8.0,
        help="largest size of a dream, in millions of pixels",
        minimum=0.01,
        maximum=1000.0,
    )
    total_steps: int = setting(
        default=1000,
        help="most steps of a dream, in all its octaves together",
        minimum=1,
        maximum=10**7,
    )
    frames: int = setting(
        default=300,
        help="most frames of a zoom or a video",
        minimum=1,
        maximum=10**6,
    )
    upload: int = setting(
        default=100,
        help="largest file that may be uploaded, in megabytes",
        minimum=1,
        maximum=10**5,
    )
