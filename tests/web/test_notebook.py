import builtins
import json
import sys
import types
import urllib.error
import urllib.request
from pathlib import Path

import IPython.display
import pytest

import jaxdream as jd
from jaxdream.models.weights import load

needs_gradio = pytest.mark.usefixtures("gradio")


@pytest.fixture
def gradio():
    """Skips a test where there is no Gradio."""
    import page_extras  # noqa: F401


@pytest.fixture
def frames(monkeypatch):
    """What the notebook shows."""
    frames = []
    monkeypatch.setattr(IPython.display, "display", frames.append)
    return frames


@pytest.fixture
def page_of(tiny):
    """Shows a page, which is closed after the test."""
    pages = []

    def page_of(model=tiny, **options):
        pages.append(jd.show_page(model, **options))
        return pages[-1]

    yield page_of
    for page in pages:
        page.close()


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            return response.status == 200
    except urllib.error.URLError:
        return False


@needs_gradio
def test_a_page_is_shown_until_it_is_closed(page_of, frames):
    page = page_of(height=700)
    (frame,) = frames
    assert frame.src == page.url
    assert page.url.startswith("http://127.0.0.1:")
    html = frame._repr_html_()
    assert 'height="700"' in html
    assert 'allow="camera;' in html
    assert answers(page.url)
    page.close()
    assert not answers(page.url)
    page.close()


@needs_gradio
def test_a_second_page_has_a_port_of_its_own(page_of, frames):
    first, second = page_of(), page_of(megapixels=0.5)
    assert first.url != second.url
    second.close()
    assert answers(first.url)
    assert len(frames) == 2


def upload(url):
    """Give a page a file; where it is then."""
    content = (
        b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\na\r\n--b--'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    request = urllib.request.Request(f"{url}gradio_api/upload", content, kind)
    with urllib.request.urlopen(request, timeout=60) as response:
        (path,) = json.load(response)
    return Path(path)


@needs_gradio
def test_pages_do_not_take_each_others_files(page_of, frames):
    from gradio.utils import get_upload_folder

    first, second = page_of(), page_of()
    given = upload(first.url)
    upload(second.url)
    second.close()
    assert given.is_file()
    assert given.is_relative_to(get_upload_folder())  # what Gradio asks at every request
    assert len(frames) == 2


@needs_gradio
def test_on_colab_it_is_shown_through_colabs_proxy(page_of, frames, monkeypatch):
    calls = []
    output = types.SimpleNamespace(
        serve_kernel_port_as_iframe=lambda port, **options: calls.append((port, options))
    )
    colab = types.ModuleType("google.colab")
    monkeypatch.setattr(colab, "output", output, raising=False)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    page = page_of(height=500)
    ((port, options),) = calls
    assert page.url == f"http://127.0.0.1:{port}/"
    assert options == {"height": "500"}
    assert frames == []


@needs_gradio
def test_a_page_that_cannot_be_shown_is_closed(page_of, monkeypatch):
    shown = []

    def display(frame):
        shown.append(frame)
        raise RuntimeError

    monkeypatch.setattr(IPython.display, "display", display)
    with pytest.raises(RuntimeError):
        page_of()
    assert not answers(shown[0].src)


@needs_gradio
@pytest.mark.parametrize(
    ("model", "named"), [(None, ("auto", "float32")), ("GOOGLENET", ("GOOGLENET", "bfloat16"))]
)
def test_a_network_is_loaded_by_its_name(page_of, frames, monkeypatch, tiny, model, named):
    asked = []

    def load_model(name, *, precision):
        asked.append((name, precision))
        return tiny

    monkeypatch.setattr(load, "load_model", load_model)
    page = page_of(model, precision=None if model is None else "bfloat16")
    assert asked == [named]
    assert frames[0].src == page.url


@needs_gradio
@pytest.mark.parametrize(
    ("model", "options", "line"),
    [
        (3, {}, "network of load_model or the name of one, not 3"),
        ("gogglenet", {}, "did you mean googlenet"),
        (None, {"share": True}, "leave out share"),
        (None, {"height": 0}, "height must be at least 1 pixel"),
        (None, {"queue": 0}, "queue"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(frames, model, options, line):
    with pytest.raises(jd.JaxdreamError, match=line) as error:
        jd.show_page(model, **options)
    assert "\n" not in str(error.value)
    assert frames == []


@needs_gradio
def test_a_port_that_is_taken_is_said(page_of, frames):
    port = int(page_of().url.rstrip("/").rpartition(":")[2])
    with pytest.raises(jd.JaxdreamError, match=f"port {port}"):
        page_of(port=port)
    assert len(frames) == 1


@pytest.mark.parametrize(
    ("module", "install"),
    [("gradio", "pip install 'jaxdream\\[web\\]'"), ("IPython.display", "pip install ipython")],
)
def test_what_is_missing_can_be_installed(tiny, monkeypatch, module, install):
    real = builtins.__import__

    def importing(name, *arguments, **named):
        if name == module:
            raise ImportError(f"No module named {name!r}")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", importing)
    if module != "gradio":
        monkeypatch.setattr("jaxdream.web.notebook.require_gradio", lambda: None)
    with pytest.raises(jd.JaxdreamError, match=install):
        jd.show_page(tiny)
