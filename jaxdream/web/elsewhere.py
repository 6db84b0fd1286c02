"""What the server does for nobody: ask others on the network for a file."""

import json
import re
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect

_ELSEWHERE = re.compile(r"/proxy=|/file=/*https?:", re.IGNORECASE)
_ORDERS = re.compile(r"/(queue/join|run|call)(/|$)")  # whose values may name files
_ADDRESS = re.compile(r"\s*https?:", re.IGNORECASE)


class NothingFromElsewhere:
    """A layer around Gradio's server that refuses addresses in the place of files.

    Gradio would look up whose they are, at a server on the Internet. An upload that its visitor
    breaks off is no error either.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = unquote(scope["path"]) if scope["type"] == "http" else ""
        refused = bool(_ELSEWHERE.search(path))
        if not refused and _ORDERS.search(path) and scope["method"] == "POST":
            messages = [await receive()]
            while messages[-1].get("more_body"):
                messages.append(await receive())
            refused = _names_address(b"".join(each.get("body", b"") for each in messages))
            receive = _again(messages, receive)
        if refused:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return


def _again(messages: list[Any], receive: Any) -> Any:
    """What gives messages that were received once more, and then those that follow."""

    async def next_message() -> Any:
        return messages.pop(0) if messages else await receive()

    return next_message


def _names_address(body: bytes) -> bool:
    """Whether a file in an order is an address."""
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):  # Gradio says what is wrong with it
        return False
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and _ADDRESS.match(path):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False
