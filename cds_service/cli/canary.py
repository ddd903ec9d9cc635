"""``knee-cds canary URL``: calls a running service for an invented patient with a DVT to suspect, and fails loudly."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.text import Text

from cds_service.adapters.clients.signing import SigningKey, read_signing_key
from cds_service.base.clock import site_clock
from cds_service.base.errors import WrongSetting
from cds_service.base.settings import Settings
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.canary import canary_call, expected, mistakes
from cds_service.service.evaluate import Service

_GIVEN_UP = 10.0


@dataclass(frozen=True, slots=True)
class Canary:
    """How to call.

    Attributes:
        url: base URL of the service, as EHRs call it.
        within: seconds that the answer may take.
        issuer, key_file: of the canary's own client, where callers must bring a token; both or neither.
        fhir_server: names the canary's client where they need none.
        ca_bundle: CA certificates for ``url``; without it the public ones.
    """

    url: str
    within: float
    issuer: str | None = None
    key_file: Path | None = None
    fhir_server: str | None = None
    ca_bundle: Path | None = None

    @staticmethod
    def at(base: str) -> str:
        """The hook below a base URL."""
        return base.rstrip("/") + POSTERIOR_KNEE_PAIN.path

    def key(self) -> SigningKey | None:
        """Its private key.

        Raises:
            WrongSetting: an issuer without a key, or the other way round. ContentError: the key cannot be used.
        """
        if (self.issuer is None) != (self.key_file is None):
            raise WrongSetting("--issuer and --key belong together")
        return read_signing_key(self.key_file, "the command", "--key", "ES384") if self.key_file else None


def run(canary: Canary, settings: Settings, textfile: Path | None) -> bool:
    """Call once; whether all was well. Says on standard output what was not.

    ``settings``: the site's, for the content by which the answer is judged, for the day that it is there, and for the
    public URL that tokens are made out to, so that each replica can be called by an address of its own.
    ``textfile``: where the outcome goes for Prometheus' node exporter.
    """
    key, service = canary.key(), Service.from_settings(settings)
    audience = canary.at(settings.base_url if settings.public_url else canary.url)
    clock = site_clock(settings.zone)
    now = clock()
    wrong, seconds = _call(canary, key, audience, service, now)
    if wrong and clock().date() != now.date():  # midnight came between the two judgements
        wrong, seconds = _call(canary, key, audience, service, clock())
    if textfile is not None:
        _write(textfile, well=not wrong, seconds=seconds)
    console = Console()
    for line in wrong:
        console.print(Text(f"WRONG: {line}", style="bold red"), soft_wrap=True)
    if not wrong:
        console.print(Text(f"The canary's urgent card came in {seconds * 1000:.0f} ms."))
    return not wrong


def _call(
    canary: Canary, key: SigningKey | None, audience: str, service: Service, now: datetime
) -> tuple[list[str], float]:
    call = canary_call(now, canary.fhir_server)
    headers = {"Authorization": f"Bearer {key.token(canary.issuer or '', audience, now)}"} if key else {}
    began = time.monotonic()
    try:
        answer = requests.post(
            canary.at(canary.url),
            json=call,
            headers=headers,
            timeout=_GIVEN_UP,
            allow_redirects=False,
            verify=str(canary.ca_bundle) if canary.ca_bundle else True,
        )
    except requests.RequestException as error:
        return [f"no answer: {type(error).__name__}"], time.monotonic() - began
    seconds = time.monotonic() - began
    if answer.status_code != 200:
        return [f"status {answer.status_code} instead of 200"], seconds
    wrong = mistakes(_json(answer), expected(service, call, now))
    if seconds > canary.within:
        wrong.append(f"the answer took {seconds:.2f} s, more than {canary.within:g} s")
    return wrong, seconds


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except requests.JSONDecodeError:
        return None


def _write(path: Path, *, well: bool, seconds: float) -> None:
    """Whole or not at all: the exporter may read at any moment."""
    lines = (
        ("knee_cds_canary_ok", "Whether the canary's urgent card came as expected.", float(well)),
        ("knee_cds_canary_seconds", "Time of the canary's call.", round(seconds, 4)),
        ("knee_cds_canary_timestamp_seconds", "When the canary called.", round(time.time(), 1)),
    )
    text = "".join(f"# HELP {name} {words}\n# TYPE {name} gauge\n{name} {value}\n" for name, words, value in lines)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
