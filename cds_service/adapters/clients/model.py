"""What a profile and a client say. Loaded from TOML once, strict and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from cds_service.adapters.clients.jwks import Keys
from cds_service.adapters.clients.signing import SigningKey
from cds_service.base.networks import is_loopback
from cds_service.base.plain_text import plain
from cds_service.base.urls import Address, Origin
from cds_service.protocol.messages import Coding
from cds_service.protocol.queries import Style


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _is_address(value: str) -> str:
    Address.parse(value)
    return value


def _is_secure_address(value: str) -> str:
    """Tokens go there: plain HTTP only on this machine."""
    address = Address.parse(value)
    if address.scheme != "https" and not is_loopback(address.host):
        raise ValueError("must be https")
    return value


def _is_origin(value: str) -> str:
    return str(Origin.parse(value))


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
    hides_errors: bool = False
    query_style: Style = "by_category"


class SiteOrder(_Strict):
    """A site's own code for one of our orders; ``left`` and ``right`` where it has one for each leg."""

    code: str = Field(min_length=1)
    display: Annotated[str, Field(min_length=1), AfterValidator(plain)]
    system: str | None = Field(default=None, min_length=3)
    left: str | None = Field(default=None, min_length=1)
    right: str | None = Field(default=None, min_length=1)


Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


class TokenRules(_Strict):
    """How a client proves who it is: the JWT that goes with each of its calls (CDS Hooks 2.0, Trusting CDS Clients).

    Attributes:
        issuer: the token's ``iss``, to the letter. subject, tenant: its ``sub`` and ``tenant``, where they tell
            clients of one issuer apart.
        jwks_url: its JWK Set. A token's ``jku`` may name this address and no other.
        jwks_file: a file with the JWK Set instead; then ``jwks_url`` is never called, and a ``jku`` is not looked at.
        audience: values of ``aud`` to accept; without any, the public address that is called.
        longest_seconds: most time from ``iat`` to ``exp``.
    """

    issuer: str = Field(min_length=1, max_length=500)
    subject: str | None = Field(default=None, min_length=1, max_length=500)
    tenant: str | None = Field(default=None, min_length=1, max_length=500)
    jwks_url: str | None = None
    jwks_file: str | None = Field(default=None, min_length=1)
    audience: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    algorithms: tuple[Algorithm, ...] = Field(default=("ES384", "RS384"), min_length=1)
    longest_seconds: int = Field(default=3600, ge=30, le=86_400)

    @field_validator("jwks_url")
    @classmethod
    def plain_https(cls, value: str | None) -> str | None:
        """Keys over plain HTTP could be anybody's, but for this machine's own."""
        if value is None:
            return None
        address = Address.parse(value)
        if address.scheme != "https" and not is_loopback(address.host):
            raise ValueError("must be https")
        return value if address.path else value.rstrip("/") + "/"

    @model_validator(mode="after")
    def some_keys(self) -> TokenRules:
        """Keys come from somewhere."""
        if self.jwks_url is None and self.jwks_file is None:
            raise ValueError("needs jwks_url or jwks_file")
        return self


class Limits(_Strict):
    """A client's share, per process. ``calls_per_minute`` and ``at_once`` of hook calls and feedback together."""

    calls_per_minute: int | None = Field(default=None, ge=1)
    at_once: int | None = Field(default=None, ge=1)
    body_bytes: int | None = Field(default=None, ge=1_000)


SCOPES = (
    "launch",
    "openid",
    "fhirUser",
    "patient/Patient.r",
    "patient/Encounter.r",
    "patient/Observation.rs",
    "patient/Condition.rs",
    "patient/Procedure.rs",
    "patient/DiagnosticReport.rs",
    "patient/MedicationRequest.rs",
    "patient/MedicationStatement.rs",
    "patient/ServiceRequest.rs",
    "patient/ServiceRequest.c",
)
"""What the order page asks for: the launch, who orders, the chart as the cards read it, and to create one order."""


class Smart(_Strict):
    """How this client's EHR launches the order page (SMART App Launch 2, EHR launch).

    Attributes:
        iss: the FHIR base URL that its launches name; without it, the first of ``fhir_servers``.
        client_id: ours, as the EHR has registered it.
        key_file: file with our private JWK; without it, this is a public client.
        algorithm: what we sign with.
        scopes: what is asked for; for an EHR that spells them differently.
    """

    client_id: str = Field(min_length=1, max_length=500)
    iss: Annotated[str, AfterValidator(_is_secure_address)] | None = None
    key_file: str | None = Field(default=None, min_length=1)
    algorithm: Literal["ES384", "RS384"] = "ES384"
    scopes: tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")], ...] = Field(default=SCOPES, min_length=1)


class Client(_Strict):
    """A site: how its EHR is spoken to, and what it has switched off.

    Attributes:
        token: how it proves who it is; without it, it is only let in where callers need no token.
        fhir_servers: base URLs that are read for it, and by which its calls are known where callers need no token.
        language: of what its clinicians read; the content has a file of messages for it.
        silent: everything runs and is recorded, nothing is shown.
        switched_off: rules and causes that make no card here, and ``gap`` or ``unread``.
        link_hosts: hosts a link may lead to; empty: all that this service is set up with.
        orders: our orders by name -> the site's own codes.
        smart: how its EHR launches the order page; without it, links lead to a page with the text to copy.
        frame_ancestors: origins of its EHR's pages that may show the order page in a frame.
    """

    profile: str = "generic"
    token: TokenRules | None = None
    limits: Limits = Limits()
    fhir_servers: tuple[Annotated[str, AfterValidator(_is_address)], ...] = ()
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"
    silent: bool = False
    switched_off: frozenset[str] = frozenset()
    link_hosts: frozenset[str] = frozenset()
    orders: Mapping[str, SiteOrder] = {}
    smart: Smart | None = None
    frame_ancestors: tuple[Annotated[str, AfterValidator(_is_origin)], ...] = ()


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
    def addresses(self) -> tuple[Address, ...]:
        """Its FHIR servers."""
        return tuple(Address.parse(url) for url in self.client.fhir_servers)

    @property
    def iss(self) -> str | None:
        """The FHIR base URL with which its EHR launches the order page, if it does."""
        if self.client.smart is None:
            return None
        return self.client.smart.iss or next(iter(self.client.fhir_servers), None)

    @property
    def supported_orders(self) -> frozenset[str] | None:
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
    """All clients. ``find`` tells them apart by the FHIR server they name, where they need not prove who they are."""

    everyone: tuple[Caller, ...]
    known: tuple[tuple[Address, Caller], ...]
    key_files: Mapping[str, Keys] = field(default_factory=dict)
    signing: Mapping[str, SigningKey] = field(default_factory=dict)

    @property
    def default(self) -> Caller:
        """The one for calls of no known client."""
        return self.everyone[0]

    @property
    def with_tokens(self) -> tuple[Caller, ...]:
        """Those that can prove who they are."""
        return tuple(caller for caller in self.everyone if caller.client.token is not None)

    def named(self, name: str) -> Caller | None:
        """The client of that name."""
        return next((one for one in self.everyone if one.name == name), None)

    @property
    def frame_ancestors(self) -> frozenset[str]:
        """Origins of all EHRs that may show pages without patients in a frame."""
        return frozenset(origin for one in self.everyone for origin in one.client.frame_ancestors)

    def launched_from(self, iss: str) -> Caller | None:
        """The client whose EHR launches the order page with this ``iss``; compared by its parts, as a whole."""
        try:
            address = Address.parse(iss)
        except ValueError:
            return None
        return next((one for one in self.everyone if one.iss is not None and Address.parse(one.iss) == address), None)

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
    kinds: tuple[type[Any], ...] = (Profile, SiteOrder, Client, ClientsFile, TokenRules, Limits, Smart)
    return sorted({name for kind in kinds for name in kind.model_fields})
