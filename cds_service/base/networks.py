"""Decides which network addresses the service may connect to. A host name is checked by what it resolves to."""

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
    """Addresses that may be reached: public ones, literal addresses in the settings, and the ``private`` networks."""

    private: tuple[IpNetwork, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> Networks:
        """Build from names such as ``10.0.0.0/8``.

        Raises:
            ValueError: a name is not a network, or the network is link-local, multicast or unspecified.
        """
        networks = tuple(ip_network(name) for name in names)
        for network in networks:
            if network.is_link_local or network.is_multicast or network.is_unspecified:
                raise ValueError(f"{network} cannot hold a server")
        return cls(networks)

    def permits(self, host: str, address: IpAddress) -> bool:
        """Return whether ``host``, as written in the settings, may be reached at ``address``.

        A host written as an address may be loopback or private. A host name may resolve to a private address only in
        the site's own networks. Link-local addresses are never permitted: clouds serve credentials there.
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
        """Resolve ``host`` and return the rows of ``getaddrinfo``.

        Connect to these addresses without resolving again, because the name could then lead elsewhere.

        Raises:
            ForbiddenAddress: one of the addresses is not permitted, or there is none.
        """
        rows: list[tuple[Any, ...]] = list(socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM))
        if not rows or not all(self.permits(host.strip("[]"), ip_address(row[4][0].split("%")[0])) for row in rows):
            raise ForbiddenAddress("resolves to an address that is not permitted")
        return rows


def _unwrapped(address: IpAddress) -> IpAddress:
    """Return the IPv4 address inside a mapped, 6to4 or NAT64 IPv6 address; any other address unchanged."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


_NAT64 = ip_network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Return whether a server listening on ``host`` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
