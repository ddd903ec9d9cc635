"""``knee-cds canary URL``: call a running service for an invented patient with a suspected DVT and check its answer."""

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

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Canary:
    """How to call.

    Attributes:
        url: base URL of the service, as EHRs call it.
        within: seconds that the answer may take.
        issuer, key_file: of the canary's own client, if callers must send a token; both or neither.
        fhir_server: identifies the canary's client if callers need no token.
        ca_bundle: CA certificates for ``url``; by default the public ones.
    """

    url: str
    within: float
    issuer: str | None = None
    key_file: Path | None = None
    fhir_server: str | None = None
    ca_bundle: Path | None = None

    @staticmethod
    def at(base: str) -> str:
        """Return the URL of the hook below a base URL."""
        return base.rstrip("/") + POSTERIOR_KNEE_PAIN.path

    def key(self) -> SigningKey | None:
        """Return the canary's private key, or None if it has no token.

        Raises:
            WrongSetting: only one of issuer and key is given.
            ContentError: the key cannot be used.
        """
        if (self.issuer is None) != (self.key_file is None):
            raise WrongSetting("Give both --issuer and --key, or neither")
        return read_signing_key(self.key_file, "the command", "--key", "ES384") if self.key_file else None


def run(canary: Canary, settings: Settings, textfile: Path | None) -> bool:
    """Call the service once and print what is wrong. Returns whether the answer was as expected.

    ``settings``: the site's. They give the content for the expected answer, the site's date, and the public URL for the
    token's audience, so that each replica can be called at its own address.
    ``textfile``: file for the outcome, in the format of Prometheus' node exporter.
    """
    key, service = canary.key(), Service.from_settings(settings)
    audience = canary.at(settings.base_url if settings.public_url else canary.url)
    clock = site_clock(settings.zone)
    now = clock()
    wrong, seconds = _call(canary, key, audience, service, now)
    if wrong and clock().date() != now.date():  # the date changed between the two judgements
        wrong, seconds = _call(canary, key, audience, service, clock())
    if textfile is not None:
        _write(textfile, ok=not wrong, seconds=seconds)
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
            timeout=_TIMEOUT_SECONDS,
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


def _write(path: Path, *, ok: bool, seconds: float) -> None:
    """Write the file atomically, because the exporter may read it at any moment."""
    lines = (
        ("knee_cds_canary_ok", "Whether the canary's urgent card came as expected.", float(ok)),
        ("knee_cds_canary_seconds", "Time of the canary's call.", round(seconds, 4)),
        ("knee_cds_canary_timestamp_seconds", "When the canary called.", round(time.time(), 1)),
    )
    text = "".join(f"# HELP {name} {words}\n# TYPE {name} gauge\n{name} {value}\n" for name, words, value in lines)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
