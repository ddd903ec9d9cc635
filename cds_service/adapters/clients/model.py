"""Data models of profiles and clients, loaded once from TOML. They are strict and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from cds_service.base.networks import is_loopback
from cds_service.base.plain_text import plain
from cds_service.base.urls import Address, Origin
from cds_service.protocol.messages import Coding
from cds_service.protocol.queries import Style

if TYPE_CHECKING:
    from cds_service.adapters.clients.jwks import Keys
    from cds_service.adapters.clients.signing import SigningKey


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _is_address(value: str) -> str:
    Address.parse(value)
    return value


def _is_secure_address(value: str) -> str:
    """Reject plain HTTP to other machines, because tokens are sent to this address."""
    address = Address.parse(value)
    if address.scheme != "https" and not is_loopback(address.host):
        raise ValueError("must be https")
    return value


def _is_origin(value: str) -> str:
    return str(Origin.parse(value))


class Profile(_Strict):
    """What a kind of EHR supports. The shipped profile ``generic.toml`` explains each key."""

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
    """A site's own code for one of our orders. ``left`` and ``right``: its codes for one leg, if it has them."""

    code: str = Field(min_length=1)
    display: Annotated[str, Field(min_length=1), AfterValidator(plain)]
    system: str | None = Field(default=None, min_length=3)
    left: str | None = Field(default=None, min_length=1)
    right: str | None = Field(default=None, min_length=1)


Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


class TokenRules(_Strict):
    """How a client authenticates: the JWT that it sends with each call (CDS Hooks 2.0, Trusting CDS Clients).

    Attributes:
        issuer: the exact ``iss`` of its tokens.
        subject, tenant: ``sub`` and ``tenant`` of its tokens, if they distinguish clients of one issuer.
        jwks_url: address of its JWK Set. The ``jku`` of a token must be this address.
        jwks_file: a file with the JWK Set. Then ``jwks_url`` is never called, and a ``jku`` is ignored.
        audience: accepted values of ``aud``; if empty, the public address that is called.
        algorithms: accepted signature algorithms.
        longest_seconds: longest allowed time from ``iat`` to ``exp``.
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
        """Reject plain HTTP to other machines: the keys could be forged on the way."""
        if value is None:
            return None
        address = Address.parse(value)
        if address.scheme != "https" and not is_loopback(address.host):
            raise ValueError("must be https")
        return value if address.path else value.rstrip("/") + "/"

    @model_validator(mode="after")
    def some_keys(self) -> TokenRules:
        """Reject rules without a source of keys."""
        if self.jwks_url is None and self.jwks_file is None:
            raise ValueError("needs jwks_url or jwks_file")
        return self


class Limits(_Strict):
    """Limits for a client in each process. Hook calls and feedback are counted together."""

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
"""Scopes of the order page: the launch, the user, the parts of the chart that cards need, and creating an order."""


class Smart(_Strict):
    """How this client's EHR launches the order page (SMART App Launch 2, EHR launch).

    Attributes:
        client_id: our client id, as registered in the EHR.
        iss: the FHIR base URL that its launches name; None for the first of ``fhir_servers``.
        key_file: file with our private JWK; None for a public client.
        algorithm: the algorithm of our signatures.
        scopes: the requested scopes, for an EHR that spells them differently.
    """

    client_id: str = Field(min_length=1, max_length=500)
    iss: Annotated[str, AfterValidator(_is_secure_address)] | None = None
    key_file: str | None = Field(default=None, min_length=1)
    algorithm: Literal["ES384", "RS384"] = "ES384"
    scopes: tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")], ...] = Field(default=SCOPES, min_length=1)


class Client(_Strict):
    """The settings for one client.

    Attributes:
        profile: name of the profile of its EHR.
        token: how it authenticates. Without it, the client is accepted only if callers need no token.
        limits: limits for its calls.
        fhir_servers: base URLs of FHIR servers that may be read for it. If callers need no token, they also identify
            the client.
        language: the language of its cards. The content must have texts in this language.
        silent: all cards are made and recorded, but none is sent.
        switched_off: rules and causes for which no card is sent, and also ``gap`` or ``unread``.
        link_hosts: hosts that links may lead to; empty for all.
        orders: the site's own codes by the key of our order.
        smart: how its EHR launches the order page. Without it, links lead to a page with a text to copy.
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
    """A site's clients file: ``[default]``, a ``[client.name]`` for each client, and the site's own profiles."""

    default: Client = Client()
    client: Mapping[str, Client] = {}
    profile: Mapping[str, Profile] = {}


@dataclass(frozen=True, slots=True)
class Caller:
    """A client with its name and profile."""

    name: str
    client: Client
    profile: Profile

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses of its FHIR servers."""
        return tuple(Address.parse(url) for url in self.client.fhir_servers)

    @property
    def iss(self) -> str | None:
        """The FHIR base URL with which its EHR launches the order page; None if it does not launch the page."""
        if self.client.smart is None:
            return None
        return self.client.smart.iss or next(iter(self.client.fhir_servers), None)

    @property
    def supported_orders(self) -> frozenset[str] | None:
        """The orders that this EHR accepts as a suggestion; None if it accepts all."""
        return frozenset(self.client.orders) if self.profile.own_order_codes == "required" else None

    def order_coding(self, order: str, side: str) -> Coding | None:
        """Return the site's own code for one of our orders; None if it has none."""
        own = self.client.orders.get(order)
        if own is None:
            return None
        code = {"left": own.left, "right": own.right}.get(side) or own.code
        return Coding(system=own.system or self.profile.order_system or "", code=code, display=own.display)


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients. If callers need no token, ``find`` identifies a client by the FHIR server of its call."""

    everyone: tuple[Caller, ...]
    known: tuple[tuple[Address, Caller], ...]
    key_files: Mapping[str, Keys] = field(default_factory=dict)
    signing: Mapping[str, SigningKey] = field(default_factory=dict)

    @property
    def default(self) -> Caller:
        """The client for calls that match no other client."""
        return self.everyone[0]

    @property
    def with_tokens(self) -> tuple[Caller, ...]:
        """The clients that can authenticate with a token."""
        return tuple(caller for caller in self.everyone if caller.client.token is not None)

    def named(self, name: str) -> Caller | None:
        """Return the client with this name; None if there is none."""
        return next((caller for caller in self.everyone if caller.name == name), None)

    @property
    def frame_ancestors(self) -> frozenset[str]:
        """Origins of all EHRs that may show pages without patients in a frame."""
        return frozenset(origin for caller in self.everyone for origin in caller.client.frame_ancestors)

    def launched_from(self, iss: str) -> Caller | None:
        """Return the client whose EHR launches the order page with this ``iss``; None if there is none."""
        try:
            address = Address.parse(iss)
        except ValueError:
            return None
        for caller in self.everyone:
            if caller.iss is not None and Address.parse(caller.iss) == address:
                return caller
        return None

    def find(self, fhir_server: str | None) -> Caller:
        """Return the client with this FHIR server; the default client if the server is unknown or not named."""
        try:
            address = Address.parse(fhir_server) if fhir_server else None
        except ValueError:
            return self.default
        if address is None:
            return self.default
        matches = [(base, caller) for base, caller in self.known if base.covers(address)]
        return max(matches, key=lambda match: len(match[0].path))[1] if matches else self.default


def known_keys() -> list[str]:
    """Return every key that a clients file or a profile may use."""
    kinds: tuple[type[Any], ...] = (Profile, SiteOrder, Client, ClientsFile, TokenRules, Limits, Smart)
    return sorted({name for kind in kinds for name in kind.model_fields})
