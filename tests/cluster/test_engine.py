"""Addresses, and what there is to say without Ray."""

import pytest

from jaxdream import JaxdreamError
from jaxdream.cluster.engine import check_address, ray_data
from jaxdream.cluster.optional import imported


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.1:6379", "head:6379", "[::1]:6379"])
def test_addresses(address):
    check_address(address)


@pytest.mark.parametrize("address", ["", "photos", "ray://head:10001", "head:", "a b:1"])
def test_what_is_no_address(address):
    with pytest.raises(JaxdreamError, match="--cluster takes auto, local or HOST:PORT"):
        check_address(address)


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray.data", None)
    with pytest.raises(JaxdreamError, match=r"pip install 'jaxdream\[cluster\]'"):
        ray_data()
    with pytest.raises(JaxdreamError, match="No module named 'no_such_module'"):
        imported("no_such_module")
