"""Gradio, for the tests of the page: they are skipped without it, except where CI asks for them."""

import os

import pytest

REQUIRED = os.environ.get("JAXDREAM_TEST_PAGE") == "1"

if REQUIRED:
    import gradio as gr
else:
    gr = pytest.importorskip("gradio", reason="the page needs Gradio: pip install '.[web]'")

__all__ = ["REQUIRED", "gr"]
