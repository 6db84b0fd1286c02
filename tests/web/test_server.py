"""Serving the page: an address that it cannot use is an error at once, before the page is built."""

import socket

import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.settings import Compute, PageSettings
from jaxdream.web.server import serving


# An address of the range for documentation, which no machine has; and no name of a machine.
@pytest.mark.parametrize("host", ["192.0.2.1", "a..b"])
def test_an_address_that_this_machine_has_not(host):
    with (
        pytest.raises(JaxdreamError, match=rf"cannot be served at {host} \(.+\): give another --h"),
        serving(PageSettings(host=host), Compute()),
    ):
        pass


def test_a_port_that_another_program_has():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(JaxdreamError, match=rf"at 127\.0\.0\.1, port {port} \(.+in use\)"),
            serving(PageSettings(port=port), Compute()),
        ):
            pass
