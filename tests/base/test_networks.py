"""Which addresses a name may lead to."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from cds_service.base.networks import Networks, is_loopback
from cds_service.base.settings import Settings

NEVER = [
    "169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "fe80::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    "224.0.0.1", "ff02::1", "0.0.0.0", "::",
]  # fmt: skip
INSIDE = [
    "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd00::1",
    "100.64.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "192.0.2.1", "198.18.0.1", "240.0.0.1", "255.255.255.255",
    "2001:db8::1",
]  # fmt: skip
PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", NEVER)
def test_link_local_and_nowhere_are_never_right(address: str) -> None:
    everywhere = Networks.of(["0.0.0.0/1", "128.0.0.0/1", "2000::/3", "fc00::/7"])
    for host in ("ehr.example", address, "localhost"):
        assert not everywhere.permits(host, ip_address(address))


@pytest.mark.parametrize("address", INSIDE)
def test_a_name_does_not_lead_inside(address: str) -> None:
    assert not Networks().permits("ehr.example", ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_name_may_lead_to_the_public_internet(address: str) -> None:
    assert Networks().permits("ehr.example", ip_address(address))


def test_a_sites_own_networks() -> None:
    own = Networks.of(["10.20.0.0/16", "fd12::/32", "127.0.0.0/8"])
    for address in ("10.20.3.4", "fd12::5", "127.0.0.1", "::ffff:10.20.3.4"):
        assert own.permits("ehr.example", ip_address(address))
    for address in ("10.21.0.1", "fd13::5", "192.168.1.1", "::1"):
        assert not own.permits("ehr.example", ip_address(address))


def test_an_address_that_is_written_down_is_meant() -> None:
    for address in ("127.0.0.1", "10.0.0.1", "::1"):
        assert Networks().permits(address, ip_address(address))
        assert not Networks().permits("10.9.9.9", ip_address(address))
    assert Networks().permits("localhost", ip_address("127.0.0.1"))
    assert not Networks().permits("localhost", ip_address("10.0.0.1"))


@pytest.mark.parametrize(
    "network", ["10.0.0.0/33", "10.0.0.1/8", "ehr.example", "169.254.0.0/16", "fe80::/10", "224.0.0.0/4"]
)
def test_what_is_no_network_of_a_site(network: str) -> None:
    with pytest.raises(ValidationError):
        Settings(private_networks=(network,))


def test_loopback_by_name_and_number() -> None:
    assert [
        host for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.0.0.1", "x") if is_loopback(host)
    ] == [
        "127.0.0.1",
        "::1",
        "localhost",
    ]
