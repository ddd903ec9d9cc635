"""The errors that this project raises on purpose. Each message says what the reader can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


class KneeCdsError(Exception):
    """Base of every error raised on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the content, in plain words.

    Attributes:
        file: path relative to the content folder.
        place: where in the file, such as ``codes[2].system``; empty for the whole file.
        message: what is wrong.
        hint: what to do about it; empty if there is no suggestion.
    """

    file: str
    place: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.place}" if self.place else self.file
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ContentError(KneeCdsError):
    """Content or client files cannot be used. ``problems`` lists every mistake in every file.

    ``what``: the kind of files, for the message: ``content`` or ``clients``.
    """

    def __init__(self, problems: tuple[Problem, ...], what: str = "content") -> None:
        self.problems = problems
        count = f"{len(problems)} mistake{'s' if len(problems) != 1 else ''}"
        self.lead = f"The {what} cannot be used: {count}."
        super().__init__(f"{count} in the {what}:\n" + "\n".join(str(p) for p in problems))


class WrongSetting(KneeCdsError):
    """A setting cannot be used."""


Refusal = Literal[
    "algorithm", "audience", "crit", "expired", "issued_in_future", "jku", "key_of_another_algorithm", "key_twice",
    "lifetime", "no_bearer", "no_exp", "no_iat", "no_jti", "no_jwt", "no_kid", "no_nbf", "no_token", "not_yet",
    "replay", "several_headers", "signature", "too_long", "typ", "unknown_issuer", "unknown_kid",
]  # fmt: skip
"""Why a caller is rejected. Each code has a row in deploy/TROUBLESHOOTING.md."""


class Unauthorized(KneeCdsError):
    """The caller is not a known client (HTTP 401 with an empty body). ``reason``: a code for the log."""

    def __init__(self, reason: Refusal, **about: str) -> None:
        """``about``: details of the token that may be logged: issuer, tenant, jti, and the wrong value as ``sent``."""
        self.reason = reason
        self.about = about
        super().__init__(reason)


class TooMuch(KneeCdsError):
    """Too many calls at the moment (HTTP 429 if one client exceeds its share, 503 if all clients together do)."""

    def __init__(self, status: Literal[429, 503], reason: str, seconds: int) -> None:
        """``seconds``: how long to wait before trying again."""
        self.status = status
        self.reason = reason
        self.seconds = seconds
        super().__init__(f"too many calls; try again in {seconds} s")


class StoreDown(KneeCdsError):
    """The database does not answer in time; the data sent was not stored (HTTP 503)."""


class UnusableInput(KneeCdsError):
    """The input cannot be understood at all (HTTP 400)."""


class TooLarge(KneeCdsError):
    """The input is larger than this site accepts (HTTP 413)."""


class TooCostly(KneeCdsError):
    """The input needs more computing time than this site allows for one call (HTTP 413)."""

    def __init__(self) -> None:
        super().__init__(
            "the chart needs more computing time than this service allows for one call, so it was not assessed. This"
            " is not an all-clear. Send fewer or simpler resources"
        )


class NothingToJudgeBy(KneeCdsError):
    """None of the chart parts that an assessment needs is available (HTTP 412).

    Attributes:
        keys: the prefetch keys that were needed but not available, each with a code for the reason.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = keys
        named = ", ".join(f"{key} ({REASONS.get(why, why)})" for key, why in keys.items())
        super().__init__(f"the chart cannot be assessed: these prefetch keys are not available: {named}")


REASONS = {
    "not_sent": "not sent, and no FHIR server to read it from",
    "no_token": "not sent, and no usable access token to read it with",
    "token_of_another_patient": "not sent, and the access token is for another patient",
    "not_allowed": "not sent, and the FHIR server is not on this service's list",
    "plain_http": "not sent, and the FHIR server is not reached over https, without which no token is sent",
    "operation_outcome": "the sender reported an error",
    "wrong_type": "not a FHIR resource of the kind asked for",
    "not_understood": "in a form that this service does not understand",
    "page": "only one page was received",
    "subset": "only a part was received",
    "timeout": "the FHIR server did not answer in time",
    "refused": "the FHIR server refused access",
    "limited": "the FHIR server limits calls",
    "not_found": "the FHIR server does not have it",
    "server_error": "the FHIR server failed",
    "redirect": "the FHIR server redirected, which is not followed",
    "not_fhir": "the FHIR server answered with something that is not FHIR JSON",
    "cut_short": "the FHIR server's answer was cut off",
    "too_large": "the FHIR server's answer is too large",
    "unreachable": "the FHIR server could not be reached",
    "forbidden_address": "the FHIR server's name leads to an address that is not permitted",
    "busy": "this service was too busy to read the FHIR server in time",
    "another_patient": "the FHIR server sent another patient",
    "somebody_elses": "its relevant entries are about somebody else",
}
"""Why a part of a chart is missing or incomplete, in words. Each code has a row in deploy/TROUBLESHOOTING.md."""
