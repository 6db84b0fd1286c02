"""Serving the page: what is said where it cannot be served."""

import page_extras
import pytest

from jaxdream.errors import JaxdreamError
from jaxdream.settings import Compute, PageSettings
from jaxdream.web.server import serving

assert page_extras.gr


def test_an_address_of_another_machine_is_one_line(capfd):
    settings = PageSettings(host="192.0.2.1", browser=False)  # of the range for documentation
    with (
        pytest.raises(JaxdreamError, match=r"cannot be served at 192\.0\.2\.1, port any: give"),
        serving(settings, Compute()),
    ):
        pass
    assert capfd.readouterr() == ("", "")
