"""The page inside of a notebook."""

import atexit
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jaxdream.errors import JaxdreamError
from jaxdream.settings import Compute, PageSettings, takes_settings
from jaxdream.web.library import require_gradio
from jaxdream.web.server import serving

if TYPE_CHECKING:  # JAX comes later
    from jaxdream.models.network import Network

# What the page may do inside of another: take a picture, paste one, and copy a command.
_ALLOWED = 'allow="camera; clipboard-read; clipboard-write; fullscreen"'


class ShownPage:
    """A page that a notebook shows; it is served until ``close`` or the end of the process."""

    def __init__(self, url: str, served: ExitStack) -> None:
        """``served`` ends the serving."""
        self.url = url
        self._served = served
        atexit.register(self.close)

    def __repr__(self) -> str:
        return f"<page at {self.url}>"

    def close(self) -> None:
        """End the page, and delete all that was uploaded and made."""
        atexit.unregister(self.close)
        self._served.close()


@takes_settings(settings=PageSettings, compute=Compute)
def show_page(
    model: "Network | str | None" = None,
    *,
    height: int = 900,
    settings: PageSettings,
    compute: Compute,
) -> ShownPage:
    """Show the page of ``jaxdream web`` inside of a notebook.

        page = jd.show_page(model)
        page.close()

    The page is served by the notebook's own process, beside what its cells compute. On Google
    Colab it is shown through Colab's own proxy; elsewhere the browser must run on the machine of
    the notebook, or reach the page's port as one of its own machine. ``browser`` changes nothing:
    the page is shown below the cell.

    Args:
        model: the network to dream with, or the name of one, as ``load_model`` takes it. By
            default the network of ``load_model()``, which downloads nothing.
        height: of the page in the notebook, in pixels.
        {settings}

    Returns:
        The page: its ``url``, and ``close()``, which ends it.

    Raises:
        JaxdreamError: Gradio or IPython is not installed; ``share`` is asked for; the network, the
            address or the port cannot be had.
    """
    if settings.share:
        raise JaxdreamError(
            "a page in a notebook has no public address: leave out share, or run "
            "`jaxdream web --share`"
        )
    if height < 1:
        raise JaxdreamError(f"height must be at least 1 pixel, not {height}")
    require_gradio()
    _require_ipython()
    network = _network(model, compute)
    with ExitStack() as stack:
        served = stack.enter_context(serving(settings, compute))
        served.ready(network)
        _show(served.url, height)
        return ShownPage(served.url, stack.pop_all())


def _require_ipython() -> None:
    try:
        import IPython.display  # noqa: F401
    except ImportError:
        raise JaxdreamError("show_page needs IPython: pip install ipython") from None


def _network(model: "Network | str | None", compute: Compute) -> "Network":
    from jaxdream.models.network import Network
    from jaxdream.models.weights.load import load_model

    if model is None or isinstance(model, str):
        return load_model(
            "auto" if model is None else model, precision=compute.precision or "float32"
        )
    if not isinstance(model, Network):
        raise JaxdreamError(f"model is a network of load_model or the name of one, not {model!r}")
    return model


def _show(url: str, height: int) -> None:
    """Put the page below the cell that runs."""
    if "google.colab" in sys.modules:
        from google.colab import output  # pyright: ignore[reportMissingImports]

        output.serve_kernel_port_as_iframe(urlsplit(url).port, height=str(height))
        return
    from IPython.display import IFrame, display

    display(IFrame(url, "100%", height, extras=[_ALLOWED]))
