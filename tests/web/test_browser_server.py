"""What the page's server gives away, what it refuses, how it begins and how it ends."""

import http.client
import json
import socket
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
from helpers import ROOT
from web.serving import serving, slowness, wait_for
from web.visiting import expect

CHELSEA = ROOT / "docs" / "pictures" / "chelsea.png"
pytestmark = pytest.mark.browser


def status_of(server, target):
    """What the server answers to a request, whose target is sent as it is: code and content."""
    address = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    try:
        connection.putrequest("GET", target, skip_accept_encoding=True)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_no_file_of_the_machine_is_given_away(server):
    folder, pictures = server.folder, ROOT / "jaxdream" / "web" / "pictures"
    files = [
        "/etc/passwd", ROOT / "pyproject.toml", ROOT / "jaxdream" / "web" / "page.py",
        server.output, server.output.name, "./tmp", "/proc/self/environ",
        f"/proc/self/cwd/{server.output.name}", folder, server.temporary, folder / "results",
        f"{folder}/../../{server.output.name}", f"{folder}/..%2f..%2f{server.output.name}",
        f"{pictures}/../page.py", f"{pictures}/%2e%2e/page.py", "..", "../../../../etc/passwd",
        "//etc/passwd", "file:///etc/passwd", "%2fetc%2fpasswd",
    ]  # fmt: skip
    given = {
        f"{begin}{file}": status
        for begin in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/")
        for file in files
        if (status := status_of(server, f"{begin}{file}")[0]) not in (403, 404)
    }
    assert given == {}


def test_the_page_does_not_tell_where_it_is_installed(server):
    for target in ("/", "/config", "/gradio_api/info"):
        _, content = status_of(server, target)
        assert str(ROOT).encode() not in content


def answer_to(server, order):
    """All that the server answers to an order, which is what the browser sends to the queue."""
    order |= {"session_hash": uuid.uuid4().hex}
    queue = f"{server.url}gradio_api/queue"
    request = urllib.request.Request(
        f"{queue}/join", json.dumps(order).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request).close()
    with urllib.request.urlopen(f"{queue}/data?session_hash={order['session_hash']}") as answer:
        lines = [line for line in answer if line.startswith(b"data:")]
    return [json.loads(line.removeprefix(b"data:")) for line in lines]


def test_what_was_not_uploaded_is_no_file(server, visit, cat):
    """A program of an attacker's own sends an address, or a path of the server, for a file."""
    visit.give(cat)
    with visit.page.expect_request("**/queue/join*") as sent:
        visit.dream()
    order = sent.value.post_data
    assert "Finished: " in str(answer_to(server, json.loads(order)))
    uploaded = json.loads(order)["data"][0]["path"]
    for forged in (
        "/etc/passwd", str(CHELSEA), server.output.name, str(server.output), uploaded + "/..",
        f"{server.url}gradio_api/file={uploaded}",
    ):  # fmt: skip
        forgery = json.loads(order.replace(uploaded, forged))
        if forged.startswith("http"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                answer_to(server, forgery)
            continue
        answer = str(answer_to(server, forgery))
        assert "Finished" not in answer
        assert "process_completed" in answer
    assert server.asked_others() == []


def test_the_server_fetches_nothing_for_others(server):
    for begin in ("/gradio_api/file=", "/gradio_api/proxy=", "/proxy="):
        for address in ("http://example.org/", "http://127.0.0.2/picture.png"):
            status, _ = status_of(server, f"{begin}{address}")
            assert 400 <= status < 500
    assert server.asked_others() == []


def test_it_answers_soon(server):
    print(f"the page answers {server.first_answer:.1f} seconds after the command")
    assert server.first_answer < 30 * slowness()
    first, second, *_ = server.printed.splitlines()
    assert first.startswith(f"the page is at {server.url.rstrip('/')}")
    assert second == "jaxdream: ready, with googlenet_mini"


def test_limits_and_the_end(environment, tmp_path, visit_to, cat):
    limits = ("--megapixels", "0.05", "--total-steps", "20", "--upload", "1")
    with serving(environment, tmp_path, *limits) as server:
        visit = visit_to(server)
        big = tmp_path / "big.png"
        big.write_bytes(bytes(1_100_000))
        visit.find("picture").locator("input[type=file]").set_input_files(big)
        expect(visit.page.get_by_text("exceed the maximum")).to_contain_text("big.png")
        visit.give(cat)
        for fields, line in (
            ({"size": 400, "octaves": 2, "steps": 3}, "over the 0.05 megapixels"),
            ({"size": 160, "octaves": 2, "steps": 11}, "over the 20"),
        ):
            visit.fill(**fields)
            visit.press()
            visit.line(line)
        visit.fill(steps=3)
        assert "160x120" in visit.dream()
        break_off_an_upload(server)
        visit.close()
        assert server.asked_others() == []
        assert server.interrupt() == 0
        assert list(server.temporary.iterdir()) == []
        address, *rest = server.printed.splitlines()
        assert address.startswith("the page is at ")
        assert rest == [
            "jaxdream: ready, with googlenet_mini",
            "jaxdream: the page has ended",
        ]


def break_off_an_upload(server):
    """Send half of a file, as a browser whose window is closed."""
    address = urllib.parse.urlsplit(server.url)
    half = (
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=line\r\n\r\n--line\r\n"
        b'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nhalf'
    )
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(half)
    wait_for(lambda: status_of(server, "/")[0] == 200)
