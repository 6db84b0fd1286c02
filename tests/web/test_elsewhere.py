"""The layer around the server, without a server."""

import asyncio
import json

import page_extras
import pytest

from jaxdream.web.elsewhere import NothingFromElsewhere

assert page_extras.gr  # which brings Starlette


def asked(path, body=b"", method="POST"):
    """What the server's application gets of a request; None where it is refused."""
    got = []

    async def app(scope, receive, send):
        del scope, send
        got.append((await receive())["body"])

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    sent = []
    scope = {"type": "http", "path": path, "method": method}
    asyncio.run(NothingFromElsewhere(app)(scope, receive, send))
    if got:
        return got[0]
    assert sent[0]["status"] == 404
    return None


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=http://a.org/",
        "/proxy=a",
        "/gradio_api/file=https://a.org",
        "/file=%48TTP:b",
    ],
)
def test_an_address_is_no_file(path):
    assert asked(path, method="GET") is None


def test_what_the_page_asks_for_passes():
    assert asked("/gradio_api/file=/tmp/a.png", method="GET") == b""
    order = json.dumps({"data": [{"path": "/tmp/a.png", "url": "http://127.0.0.1/a.png"}, "http:"]})
    assert asked("/gradio_api/queue/join", order.encode()) == order.encode()
    assert asked("/gradio_api/queue/join", b"{") == b"{"


@pytest.mark.parametrize("address", ["http://a.org/a.png", " HTTPS://b", "\\u0068ttp://c"])
def test_an_order_for_an_address_is_refused(address):
    order = '{"data": [1, {"layers": [{"path": "' + address + '"}]}]}'
    assert asked("/gradio_api/queue/join", order.encode()) is None
