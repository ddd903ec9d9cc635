"""The errors this project raises on purpose. Each carries words a reader can act on."""

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
        file: path below the content folder, as the author knows it.
        place: where in the file, such as ``codes[2].system``; empty for the whole file.
        message: what is wrong.
        hint: what to do about it; empty if nothing can be suggested.
    """

    file: str
    place: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.place}" if self.place else self.file
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ContentError(KneeCdsError):
    """Files of ours cannot be used; ``problems`` lists every mistake of every file. ``what``: content or clients."""

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
"""Why a caller is not let in; each has a row in deploy/TROUBLESHOOTING.md."""


class Unauthorized(KneeCdsError):
    """The caller is unknown (HTTP 401, without a body). ``reason``: a code for the log."""

    def __init__(self, reason: Refusal, **about: str) -> None:
        """``about``: values of the token that may be logged: issuer, tenant, jti, and the wrong value as ``sent``."""
        self.reason = reason
        self.about = about
        super().__init__(reason)


class TooMuch(KneeCdsError):
    """More than this service takes now (HTTP 429 for one client's share, 503 for everybody's)."""

    def __init__(self, status: Literal[429, 503], reason: str, seconds: int) -> None:
        """``seconds``: when to try again."""
        self.status = status
        self.reason = reason
        self.seconds = seconds
        super().__init__(f"too many calls; try again in {seconds} s")


class StoreDown(KneeCdsError):
    """The database does not answer in time; what was sent is not kept (HTTP 503)."""


class UnusableInput(KneeCdsError):
    """The input cannot be understood at all (HTTP 400)."""


class TooLarge(KneeCdsError):
    """The input is larger than this site accepts (HTTP 413)."""


class TooCostly(KneeCdsError):
    """The input takes more computing than this site gives one call (HTTP 413)."""

    def __init__(self) -> None:
        super().__init__(
            "the chart takes more computing time than this service gives one call; no judgement was made. This is not"
            " an all-clear. Send fewer or simpler resources"
        )


class NothingToJudgeBy(KneeCdsError):
    """No part of the chart that a judgement needs is there (HTTP 412).

    Attributes:
        keys: the prefetch keys that were needed and could not be had, each with a code for the reason.
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.keys = keys
        named = ", ".join(f"{key} ({REASONS.get(why, why)})" for key, why in keys.items())
        super().__init__(f"nothing to judge by: these prefetch keys could not be had: {named}")


REASONS = {
    "not_sent": "not sent, and no FHIR server to read it from",
    "no_token": "not sent, and no usable access token to read it with",
    "token_of_another_patient": "not sent, and the access token is for another patient",
    "not_allowed": "not sent, and the FHIR server is not on this service's list",
    "plain_http": "not sent, and the FHIR server is not reached over https, without which no token is sent",
    "operation_outcome": "the sender reported an error",
    "wrong_type": "not a FHIR resource of the kind asked for",
    "not_understood": "came in a form that this service does not understand",
    "page": "only a page of it came",
    "subset": "only a part of it came",
    "timeout": "the FHIR server did not answer in time",
    "refused": "the FHIR server refused access",
    "limited": "the FHIR server limits calls",
    "not_found": "the FHIR server does not have it",
    "server_error": "the FHIR server failed",
    "redirect": "the FHIR server redirected, which is not followed",
    "not_fhir": "the FHIR server answered with something that is not FHIR JSON",
    "cut_short": "the FHIR server's answer broke off",
    "too_large": "the FHIR server's answer is too large",
    "unreachable": "the FHIR server could not be reached",
    "forbidden_address": "the FHIR server's name leads to an address that is not permitted",
    "busy": "this service was too busy to read the FHIR server in time",
    "another_patient": "the FHIR server sent another patient",
    "somebody_elses": "what matters in it is about somebody else",
}
"""Why a part of a chart is not there or not whole, in words; each code has a row in deploy/TROUBLESHOOTING.md."""
