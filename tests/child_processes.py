"""What tests run in processes of their own: a spawned process finds it by this module's name."""

import multiprocessing

import pytest


def hold_journal(folder, ready):
    """Open a folder's journal, tell so, and wait to be killed."""
    from jaxdream.folder.journal import open_journal

    with open_journal(folder):
        ready.set()
        multiprocessing.Event().wait()


def fetch_small_network(url, home):
    """Download and convert the small network from a hub."""
    from small_hub import RECORD, use_endpoint, use_home

    from jaxdream.models.weights.load import fetch

    with pytest.MonkeyPatch.context() as patch:
        use_home(patch, home)
        use_endpoint(patch, url)
        fetch(RECORD, download=True, notify=print)
