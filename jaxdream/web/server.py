"""Serving the page, from this machine alone: nothing is sent to or fetched from elsewhere."""

import atexit
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdream.errors import JaxdreamError
from jaxdream.files.reading import reason
from jaxdream.settings import Compute, PageSettings
from jaxdream.web.library import require_gradio, without_collection
from jaxdream.web.visitors import PAGES

if TYPE_CHECKING:
    from jaxdream.models.network import Network

_PAGE_THREADS = 40  # for requests, of which those that wait for a dream hold one now and then
# What Gradio and the Hub's client would tell or ask their servers.
_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True)
class Served:
    """The page while it is served."""

    url: str
    ready: Callable[["Network"], None]  # gives it the network: until then dreams wait


@contextmanager
def serving(settings: PageSettings, compute: Compute) -> Iterator[Served]:
    """Serve the page while the block runs; what was uploaded and made is deleted at its end.

    Raises:
        JaxdreamError: Gradio is not installed, or the address or the port cannot be had.
    """
    _check_address(settings)
    folder = _folder_of_all_pages()
    os.environ.update(_QUIET, GRADIO_TEMP_DIR=str(folder))
    require_gradio()
    with tempfile.TemporaryDirectory(prefix=PAGES, dir=folder) as results:
        network: Future[Network] = Future()
        with without_collection():
            from jaxdream.web.context import Context
            from jaxdream.web.page import build_page

            context = Context(network.result, settings, compute, folder, Path(results, "results"))
            page = build_page(context)
        try:
            with without_collection():
                url = _launch(page, settings)
            yield Served(url, network.set_result)
        finally:
            page.close(verbose=False)
            if not network.done():
                network.set_exception(JaxdreamError("the page has ended"))


@cache
def _folder_of_all_pages() -> Path:
    """The folder in which all pages of this process have theirs; deleted when it ends.

    Gradio takes files from one folder only, and looks up again and again which that is.
    """
    folder = Path(tempfile.mkdtemp(prefix="jaxdream_page_")).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _check_address(settings: PageSettings) -> None:
    """Make sure that the address can be had. Gradio would try it 100 times, for 5 seconds each."""
    host = settings.host.strip("[]") or None
    try:
        found = socket.getaddrinfo(host, settings.port or 0, type=socket.SOCK_STREAM)
        family, kind, _, _, address = found[0]
        with socket.socket(family, kind) as probe:
            # As Gradio does: a port that was given up just now is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        raise _not_served(settings, reason(error)) from error


def _not_served(settings: PageSettings, why: str) -> JaxdreamError:
    port = "" if settings.port is None else f", port {settings.port}"
    return JaxdreamError(
        f"the page cannot be served at {settings.host}{port} ({why}): give another --host or --port"
    )


def _launch(page: Any, settings: PageSettings) -> str:
    """Start the server in a thread; the address of the page."""
    from starlette.middleware import Middleware

    from jaxdream.web.dream_tab import PICTURES
    from jaxdream.web.elsewhere import NothingFromElsewhere
    from jaxdream.web.page import CSS, theme

    page.queue(max_size=None, api_open=False, default_concurrency_limit=_PAGE_THREADS)
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.addFilter(_not_of_the_address)
    try:
        _, local, public = page.launch(
            server_name=settings.host, server_port=settings.port, share=settings.share,
            inline=False, inbrowser=False, quiet=True, prevent_thread_lock=True, show_error=False,
            max_threads=_PAGE_THREADS, max_file_size=f"{settings.upload}mb",
            allowed_paths=[str(PICTURES)], footer_links=[], run_history=False, ssr_mode=False,
            enable_monitoring=False, pwa=False, mcp_server=False, theme=theme(), css=CSS,
            app_kwargs={"middleware": [Middleware(NothingFromElsewhere)]},
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise _not_served(settings, reason(error)) from error
    finally:
        uvicorn.removeFilter(_not_of_the_address)
    return public or local


def _not_of_the_address(record: logging.LogRecord) -> bool:
    """Leaves out what Uvicorn logs of an address that cannot be had: our own line says it."""
    return not isinstance(record.msg, OSError)
