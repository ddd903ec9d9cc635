"""Which network addresses may be connected to. A name on a list is only as good as what it resolves to."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


class ForbiddenAddress(OSError):
    """A name resolves to an address that this service does not connect to."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Public addresses, those that were written down as such, and the site's own ``private`` networks."""

    private: tuple[IpNetwork, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> Networks:
        """From ``10.0.0.0/8`` and the like.

        Raises:
            ValueError: one is no network, or is one that nobody has servers in.
        """
        found = tuple(ip_network(name) for name in names)
        for network in found:
            if network.is_link_local or network.is_multicast or network.is_unspecified:
                raise ValueError(f"{network} cannot hold a server")
        return cls(found)

    def permits(self, host: str, address: IpAddress) -> bool:
        """Whether ``host``, as written in the settings, may be reached at ``address``.

        The address itself, written down, may be loopback or private; a name may not lead there unless the network is
        the site's own. Link-local addresses, where clouds keep their credentials, are never right.
        """
        address = _unwrapped(address)
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            return False
        if host == str(address) or (host == "localhost" and address.is_loopback):
            return True
        if any(address in network for network in self.private):
            return True
        return address.is_global and not address.is_reserved

    def resolved(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """What ``host`` resolves to now, as ``getaddrinfo`` tells it; to be connected to without asking again.

        Raises:
            ForbiddenAddress: one of the addresses is not permitted.
        """
        found: list[tuple[Any, ...]] = list(socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM))
        if not found or not all(self.permits(host.strip("[]"), ip_address(one[4][0].split("%")[0])) for one in found):
            raise ForbiddenAddress("resolves to an address that is not permitted")
        return found


def _unwrapped(address: IpAddress) -> IpAddress:
    """The IPv4 address within an IPv6 one: mapped, 6to4 and NAT64 spellings lead to the same place."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


_NAT64 = ip_network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Whether listening on ``host`` reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
