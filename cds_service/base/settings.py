"""Settings, read from the environment (prefix ``KNEE_CDS_``) when a program starts, never at import."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cds_service.base.clock import machine_zone, zone_named
from cds_service.base.errors import WrongSetting
from cds_service.base.networks import Networks
from cds_service.base.plain_text import is_plain_url
from cds_service.base.setting_names import PREFIX, unknown_settings
from cds_service.base.urls import Address, Origin

PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """Return the folder ``name`` (``cards``, ``fhir_examples``): inside an installed wheel, else beside the package."""
    inside = PACKAGE / "shipped" / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def _split(value: Any) -> Any:
    """Split a comma-separated list of the environment: ``a, b`` -> ``("a", "b")``."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """Everything that a site can set. An unknown name or an invalid value prevents the start, with a clear message."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(
        default=1, ge=1, le=64, description="Number of processes. If there are several, one that dies is replaced."
    )
    auth: Literal["required", "open"] = Field(
        default="required",
        description=(
            "`required`: every call needs a token of a known client. `open`: anybody may call; for invented patients"
            " only."
        ),
    )
    open_on_network: bool = Field(
        default=False,
        description=(
            "`true` allows `KNEE_CDS_AUTH=open` on an address that other machines can reach, for example behind a proxy"
            " that checks callers."
        ),
    )
    discovery: Literal["open", "closed"] = Field(
        default="open", description="`closed`: discovery needs a token too. Discovery contains no patient data."
    )
    public_url: HttpUrl | None = Field(
        default=None,
        description=(
            "Base URL at which EHRs reach the service. Links in cards begin with it. A token must name the called"
            " address, which begins with it, as its audience, unless the clients file sets another audience."
        ),
    )
    cards: Path = Field(default_factory=lambda: shipped("cards"), description="Folder of the clinical content.")
    local_codes: Path | None = Field(
        default=None, description="TOML file that maps a site's own codes to findings (see `cards/README.md`)."
    )
    pathway: Literal["uk_ng158", "us_ash2018"] = Field(
        default="uk_ng158", description="DVT pathway. The two are never mixed."
    )
    card_layout: Literal["differential", "per_cause"] = Field(
        default="differential", description="One differential card, or one card per cause."
    )
    time_zone: str | None = Field(
        default=None,
        description=(
            "Time zone of the site, an IANA name such as `Europe/London`. It sets the date of draft orders and the"
            " times on cards. If it is not set, the zone in `TZ` applies, else UTC."
        ),
    )
    order_url: str | None = Field(
        default=None,
        description=(
            "Address of the site's order entry, with `{order}` and `{side}`. If it is not set, cards link to the order"
            " page of this service."
        ),
    )
    max_body_bytes: int = Field(default=20_000_000, ge=1_000, description="Greatest size of a request body, in bytes.")
    max_json_depth: int = Field(
        default=64, ge=16, le=1000, description="Greatest nesting depth of the JSON in a request body."
    )
    max_entries: int = Field(default=10_000, ge=100, description="Greatest number of resources in a request body.")
    max_header_bytes: int = Field(
        default=32_768, ge=4_096, description="Greatest size of request line and headers together, in bytes."
    )
    max_connections: int = Field(
        default=1_000,
        ge=10,
        description="Greatest number of connections. One more closes the connection that has been idle longest.",
    )
    max_unknown_feedback: int = Field(
        default=10_000,
        ge=100,
        description="Feedback items on cards that are not in the database: how many one client may send in a day.",
    )
    max_unknown_feedback_bytes: int = Field(
        default=5_000_000,
        ge=100_000,
        description="The same limit in bytes: feedback on cards that are not in the database, of one client in a day.",
    )
    max_at_once: int = Field(
        default=256, ge=1, description="Number of calls that are processed at once. Others get 503 with `Retry-After`."
    )
    read_seconds: float = Field(
        default=10,
        ge=0.1,
        le=120,
        description="Seconds that the headers of a call may take to arrive, and again its body.",
    )
    shutdown_seconds: int = Field(
        default=10, ge=1, le=300, description="Seconds that running calls have to finish when the service is stopped."
    )
    judging_ms: int = Field(
        default=3_000,
        ge=100,
        le=60_000,
        description=(
            "Milliseconds of computing time on one core that a hook call may use. A chart that needs more gets 413."
        ),
    )
    fhir_servers: CommaSeparated = Field(
        default=(), description="Base URLs of the FHIR servers that the service may read."
    )
    fhir_deadline_ms: int = Field(
        default=400,
        ge=50,
        le=10_000,
        description="Milliseconds that one call may spend reading a FHIR server, for all keys and pages together.",
    )
    fhir_ca_bundle: Path | None = Field(
        default=None, description="PEM file of the CA certificates for FHIR and key servers."
    )
    private_networks: CommaSeparated = Field(
        default=(),
        description=(
            "Networks of the site, such as `10.0.0.0/8`. The name of a FHIR or key server may resolve to an address in"
            " them. A name that resolves to any other private address is refused."
        ),
    )
    clients: Path | None = Field(
        default=None, description="TOML file that lists the site's clients (see `deploy/README.md`)."
    )
    clients_toml: str | None = Field(default=None, description="The text of the clients file, if there is no file.")
    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///knee-cds.db"),
        description="`sqlite:///file` or `postgresql://user:password@server/database`.",
    )
    hash_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description=(
            "Key for the hashes of patients, users and encounters, and for the encryption of order links and launches."
            " All processes need the same key."
        ),
    )
    audit_folder: Path | None = Field(default=None, description="Folder for the audit journal.")
    quiet: bool = Field(
        default=True,
        description=(
            "`true`: a card that its reader has answered is not shown again for a time; an urgent one becomes a"
            " reminder. `false`: cards are always shown in full."
        ),
    )
    sandbox: bool = Field(
        default=False,
        description=(
            "`true`: the pages under `/sandbox`, to try the service with invented patients. Needs `KNEE_CDS_AUTH=open`"
            " and one worker."
        ),
    )
    server_timing: bool = Field(
        default=False, description="`true`: each answer has a `Server-Timing` header with the time of each stage."
    )
    tracing_url: HttpUrl | None = Field(
        default=None,
        description=(
            "Address for traces, OTLP over HTTP (`http://collector:4318/v1/traces`). Needs the extra `tracing`."
        ),
    )
    cors_origins: CommaSeparated = Field(
        default=(), description="Origins of clients that run in a browser. `*` is not allowed."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest severity that is logged."
    )
    log_style: Literal["json", "text"] = Field(
        default="json", description="Format of the log: one line for each event, on standard error."
    )

    @model_validator(mode="before")
    @classmethod
    def only_known_names(cls, value: Any) -> Any:
        """Reject misspelt names. A misspelt setting would have no effect, and the default may be less safe.

        Raises:
            WrongSetting: the environment holds a name with our prefix that is not a setting.
        """
        messages = unknown_settings(os.environ, cls.model_fields)
        if messages:
            raise WrongSetting("\n".join(messages))
        return value

    @field_validator("port", mode="before")
    @classmethod
    def no_service_link(cls, value: Any) -> Any:
        """Reject the address that Kubernetes sets for a Service of our name, and explain where it comes from."""
        if isinstance(value, str) and "://" in value:
            raise ValueError("was set by Kubernetes for a Service named knee-cds; use enableServiceLinks: false")
        return value

    @field_validator("order_url")
    @classmethod
    def only_known_placeholders(cls, value: str | None) -> str | None:
        """Reject a template with any placeholder except the order key and the side."""
        if value is None:
            return None
        try:
            filled = value.format(order="key", side="left")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError("may hold only the placeholders {order} and {side}") from error
        if not is_plain_url(filled):
            raise ValueError(
                "must be an absolute http(s) address without spaces, quotes, angle brackets or backslashes"
            )
        if urlsplit(filled).netloc != urlsplit(value).netloc:
            raise ValueError("must name its host without a placeholder")
        return value

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, value: str | None) -> str | None:
        """Reject a name that is not an IANA time zone: a wrong date on an order would be worse than a failed start."""
        return None if value is None else zone_named(value).key

    @field_validator("fhir_servers")
    @classmethod
    def parsed_servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Reject URLs that are not plain base URLs, so that the allow-list can be read in only one way."""
        for url in value:
            Address.parse(url)
        return value

    @field_validator("private_networks")
    @classmethod
    def parsed_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Reject values that are not networks."""
        Networks.of(value)
        return value

    @field_validator("cors_origins")
    @classmethod
    def parsed_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Reject ``*``: only named origins are allowed."""
        return tuple(str(Origin.parse(origin)) for origin in value)

    @model_validator(mode="after")
    def sandbox_is_for_trying_out(self) -> Settings:
        """Reject the sandbox with several workers or with tokens.

        Its charts are kept in one process, and everyone who can open its page may call the service.
        """
        if self.sandbox and (self.auth != "open" or self.workers != 1):
            raise ValueError("sandbox needs auth `open` and one worker: it is for trying out, not for real patients")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return zone_named(self.time_zone) if self.time_zone else machine_zone()

    @property
    def base_url(self) -> str:
        """Public base URL without a closing slash."""
        return str(self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def sandbox_fhir_root(self) -> str:
        """The address at which this process reaches its own sandbox, independent of its public name."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104  # nosec B104 - compared, not bound to
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/sandbox"
