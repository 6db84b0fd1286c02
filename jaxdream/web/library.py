"""Gradio, which the page is made with; it is not installed with jaxdream itself."""

from jaxdream.errors import JaxdreamError


def require_gradio() -> None:
    """Make sure that Gradio is there.

    Raises:
        JaxdreamError: it is not.
    """
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise JaxdreamError(
            f"the page needs Gradio ({error}): pip install 'jaxdream[web]'"
        ) from None
