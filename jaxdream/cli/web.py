"""``jaxdream web``; returns the exit code."""

import argparse
import threading
import webbrowser

from jaxdream.cli import session
from jaxdream.cli.exit_codes import DONE
from jaxdream.cli.input_files import check_input_files
from jaxdream.cli.options import read_settings
from jaxdream.cli.start import raise_on_signals
from jaxdream.settings import Compute, PageSettings
from jaxdream.web.server import serving


def serve_page(options: argparse.Namespace) -> int:
    settings = read_settings(options, PageSettings)
    compute = read_settings(options, Compute)
    check_input_files(options)
    raise_on_signals()
    try:
        with serving(settings, compute) as served:
            session.report(f"the page is at {served.url} (Ctrl-C ends it)")
            if settings.browser:
                webbrowser.open(served.url)
            session.start_jax(options.device, compute.memory)
            model = session.load(options, compute)
            served.ready(model)
            session.say(f"ready, with {model.name}")
            from jaxdream.web.first_dream import prepare_first_dream

            prepare_first_dream()
            threading.Event().wait()
    except KeyboardInterrupt:
        session.say("the page has ended")
    return DONE
