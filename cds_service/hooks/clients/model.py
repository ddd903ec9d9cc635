"""What a profile and a client say. Loaded from TOML once, strict and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from cds_service.ground.addresses import Address
from cds_service.hooks.messages import Coding


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _is_address(value: str) -> str:
    Address.parse(value)
    return value


class Profile(_Strict):
    """What a kind of EHR understands. ``docs`` for each key stand in the shipped profiles themselves."""

    title: str = Field(min_length=1)
    selection_behavior: Literal["any", "at-most-one"]
    detail: Literal["markdown", "plain"]
    detail_content_type: bool
    override_reasons: bool
    links: bool
    own_order_codes: Literal["optional", "required"]
    order_system: str | None = Field(default=None, min_length=3)
    open_fhir: bool


class SiteOrder(_Strict):
    """A site's own code for one of our orders; ``left`` and ``right`` where it has one for each leg."""

    code: str = Field(min_length=1)
    display: str = Field(min_length=1)
    system: str | None = Field(default=None, min_length=3)
    left: str | None = Field(default=None, min_length=1)
    right: str | None = Field(default=None, min_length=1)


class Client(_Strict):
    """A site: how its EHR is spoken to, and what it has switched off.

    Attributes:
        fhir_servers: base URLs by which its calls are known.
        silent: everything runs and is recorded, nothing is shown.
        switched_off: rules and causes that make no card here, and ``gap`` or ``unread``.
        link_hosts: hosts a link may lead to; empty: all that this service is set up with.
        orders: our orders by name -> the site's own codes.
    """

    profile: str = "generic"
    fhir_servers: tuple[Annotated[str, AfterValidator(_is_address)], ...] = ()
    silent: bool = False
    switched_off: frozenset[str] = frozenset()
    link_hosts: frozenset[str] = frozenset()
    orders: Mapping[str, SiteOrder] = {}


class ClientsFile(_Strict):
    """A site's clients file: ``[default]``, one ``[client.name]`` each, and profiles of its own."""

    default: Client = Client()
    client: Mapping[str, Client] = {}
    profile: Mapping[str, Profile] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """The client that calls, with its profile."""

    name: str
    client: Client
    profile: Profile

    @property
    def takes(self) -> frozenset[str] | None:
        """The only orders this EHR can take as a suggestion; None if it can take all."""
        return frozenset(self.client.orders) if self.profile.own_order_codes == "required" else None

    def order_coding(self, order: str, side: str) -> Coding | None:
        """The site's own code for one of our orders, if it has one."""
        own = self.client.orders.get(order)
        if own is None:
            return None
        code = {"left": own.left, "right": own.right}.get(side) or own.code
        return Coding(system=own.system or self.profile.order_system or "", code=code, display=own.display)


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients. ``find`` tells them apart by the FHIR server they name."""

    everyone: tuple[Caller, ...]
    known: tuple[tuple[Address, Caller], ...]

    @property
    def default(self) -> Caller:
        """The one for calls of no known client."""
        return self.everyone[0]

    def find(self, fhir_server: str | None) -> Caller:
        """The client whose server this is; the default for unknown ones and for calls that name none."""
        try:
            address = Address.parse(fhir_server) if fhir_server else None
        except ValueError:
            return self.default
        if address is None:
            return self.default
        found = [(base, caller) for base, caller in self.known if base.covers(address)]
        return max(found, key=lambda one: len(one[0].path))[1] if found else self.default


def known_keys() -> list[str]:
    """Every key that a clients file or a profile may use."""
    kinds: tuple[type[Any], ...] = (Profile, SiteOrder, Client, ClientsFile)
    return sorted({name for kind in kinds for name in kind.model_fields})
