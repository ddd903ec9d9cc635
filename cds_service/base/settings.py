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
    """Everything a site can set. An unknown name or an invalid value stops the start with a clear message."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(
        default=1, ge=1, le=64, description="Processes; more than one are watched and replaced when they die."
    )
    auth: Literal["required", "open"] = Field(
        default="required",
        description="`required`: callers bring a token of a known client. `open`: anybody, for invented patients.",
    )
    open_on_network: bool = Field(
        default=False,
        description=(
            "`true` allows `open` on an address that others reach, for instance behind a proxy that checks callers."
        ),
    )
    discovery: Literal["open", "closed"] = Field(
        default="open", description="`closed`: discovery needs a token too. It holds no patient data."
    )
    public_url: HttpUrl | None = Field(
        default=None,
        description=(
            "Base URL under which EHRs reach the service; links in cards start with it, and tokens must be made"
            " out to it."
        ),
    )
    cards: Path = Field(default_factory=lambda: shipped("cards"), description="Folder of the clinical content.")
    local_codes: Path | None = Field(
        default=None, description="TOML file that maps a site's own codes to findings (see `cards/README.md`)."
    )
    pathway: Literal["uk_ng158", "us_ash2018"] = Field(
        default="uk_ng158", description="DVT pathway; the two are never mixed."
    )
    card_layout: Literal["differential", "per_cause"] = Field(
        default="differential", description="One differential card, or one card per cause."
    )
    time_zone: str | None = Field(
        default=None,
        description=(
            "The site's time zone, an IANA name such as `Europe/London`: draft orders start on its day, and cards show"
            " its time. Without it, the one that `TZ` names, else UTC."
        ),
    )
    order_url: str | None = Field(
        default=None, description="A site's order entry with `{order}` and `{side}`; without it the service's own page."
    )
    max_body_bytes: int = Field(default=20_000_000, ge=1_000, description="Largest request body.")
    max_json_depth: int = Field(default=64, ge=16, le=1000, description="Deepest nesting of a request body.")
    max_entries: int = Field(default=10_000, ge=100, description="Most resources in a request body.")
    max_header_bytes: int = Field(default=32_768, ge=4_096, description="Largest request line and headers together.")
    max_connections: int = Field(
        default=1_000,
        ge=10,
        description="Most connections; beyond that the one that has been silent longest gives way.",
    )
    max_unknown_feedback: int = Field(
        default=10_000,
        ge=100,
        description="Most feedback items of a client in a day on cards that the database does not know.",
    )
    max_unknown_feedback_bytes: int = Field(
        default=5_000_000, ge=100_000, description="Most bytes of such feedback of a client in a day."
    )
    max_at_once: int = Field(
        default=256, ge=1, description="Most calls worked on at once; others get 503 and `Retry-After`."
    )
    read_seconds: float = Field(
        default=10, ge=0.1, le=120, description="Time for the headers of a call to arrive, and again for its body."
    )
    shutdown_seconds: int = Field(
        default=10, ge=1, le=300, description="Time for calls in flight when the service is stopped."
    )
    judging_ms: int = Field(
        default=3_000,
        ge=100,
        le=60_000,
        description="Most computing time of a hook call, of one core; a chart that takes more gets 413.",
    )
    fhir_servers: CommaSeparated = Field(
        default=(), description="FHIR servers that may be read, base URLs, comma-separated."
    )
    fhir_deadline_ms: int = Field(
        default=400, ge=50, le=10_000, description="Time for reading a FHIR server, all keys and pages together."
    )
    fhir_ca_bundle: Path | None = Field(
        default=None, description="CA certificates for FHIR and key servers, a PEM file."
    )
    private_networks: CommaSeparated = Field(
        default=(),
        description="The site's own networks, such as `10.0.0.0/8`, to which a FHIR or key server's name may lead.",
    )
    clients: Path | None = Field(default=None, description="TOML file of the site's clients (see `deploy/README.md`).")
    clients_toml: str | None = Field(default=None, description="The text of a clients file, instead of the file.")
    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///knee-cds.db"),
        description="`sqlite:///file` or `postgresql://user:password@server/database`.",
    )
    hash_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description=(
            "Key of the hashes of patients, users and encounters, and of what order links and launches are "
            "sealed with; the same for all processes."
        ),
    )
    audit_folder: Path | None = Field(default=None, description="Folder of the audit journal.")
    quiet: bool = Field(default=True, description="`false` shows again what its reader has answered.")
    sandbox: bool = Field(
        default=False,
        description=(
            "Pages to try the service out with invented patients (`/sandbox`); needs auth `open` and one worker."
        ),
    )
    server_timing: bool = Field(
        default=False, description="Answers tell in a `Server-Timing` header how long each stage took."
    )
    tracing_url: HttpUrl | None = Field(
        default=None,
        description="Where traces go, OTLP over HTTP (`http://collector:4318/v1/traces`); needs the extra `tracing`.",
    )
    cors_origins: CommaSeparated = Field(
        default=(), description="Origins of browser-based clients, comma-separated; never `*`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    log_style: Literal["json", "text"] = Field(
        default="json", description="Form of a log line; one line an event, on standard error."
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
        """Reject names that are not networks."""
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
        """The address under which this process reaches its own sandbox, independent of its public name."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104  # nosec B104 - compared, not bound to
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/sandbox"
