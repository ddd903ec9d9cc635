"""``knee-cds safety``: write the safety case as a page, from its file of hazards."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Literal, get_args

import tomli
from pydantic import BaseModel, ConfigDict, Field

from cds_service.base.errors import ContentError, Problem
from cds_service.base.files import read_text
from cds_service.base.strict_toml import validated

Severity = Literal["minor", "significant", "considerable", "major", "catastrophic"]
Likelihood = Literal["very low", "low", "medium", "high", "very high"]
_RISK: dict[Likelihood, tuple[int, ...]] = {
    "very high": (3, 4, 4, 5, 5),
    "high": (2, 3, 3, 4, 5),
    "medium": (2, 2, 3, 3, 4),
    "low": (1, 2, 2, 3, 4),
    "very low": (1, 1, 2, 2, 3),
}
"""Risk by likelihood and severity, the least severe first. A proposal that a safety officer may replace."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Control(_Strict):
    """A measure against a hazard. ``where``: its file. ``tests``: each ``file::test`` that fails without it."""

    what: str = Field(min_length=1)
    where: str = Field(min_length=1)
    tests: tuple[str, ...] = Field(min_length=1)
    tried: str = ""


class Hazard(_Strict):
    """One hazard, with its risk before and after the controls."""

    id: str = Field(pattern=r"^H\d\d$")
    hazard: str
    cause: str
    effect: str
    severity: Severity
    likelihood: Likelihood
    residual_severity: Severity
    residual_likelihood: Likelihood
    residual_why: str = ""
    control: tuple[Control, ...] = Field(min_length=1)


class SafetyCase(_Strict):
    """The whole file."""

    intended_use: tuple[str, ...] = Field(min_length=1)
    plan: tuple[str, ...] = Field(min_length=1)
    release: tuple[str, ...] = Field(min_length=1)
    hazard: tuple[Hazard, ...] = Field(min_length=1)


def run(options: argparse.Namespace) -> int:
    """Write the page to standard output."""
    sys.stdout.write(page(read(options.file)))
    return 0


def read(path: Path) -> SafetyCase:
    """Read the safety case from a file.

    Raises:
        ContentError: with every error in the file.
    """
    try:
        data = tomli.loads(read_text(path, "the safety case") or "")
    except tomli.TOMLDecodeError as error:
        raise ContentError((Problem(str(path), "", f"is not TOML: {error}"),), "safety case") from error
    keys = [name for kind in (SafetyCase, Hazard, Control) for name in kind.model_fields]
    found, problems = validated(SafetyCase, str(path), data, prefix="", keys=keys, manual="the head of the file")
    if found is None:
        raise ContentError(tuple(problems), "safety case")
    return found


def risk(severity: Severity, likelihood: Likelihood) -> int:
    """Return the risk, 1 to 5, where 5 is the highest."""
    return _RISK[likelihood][get_args(Severity).index(severity)]


_HEAD = """# Safety case

Made by `knee-cds safety deploy/safety/hazards.toml`; do not edit. It has the form of DCB0129 and ISO 14971. **No
clinical safety officer has seen or signed it**: severity, likelihood and the matrix are proposals of engineers, and
nothing here says that the service is safe to use on patients.

"""
_LOG = """## Hazard log

Risk is 1 to 5, 5 the highest, from severity and likelihood:

"""


def page(case: SafetyCase) -> str:
    """Return the page in Markdown."""
    parts = [
        _HEAD,
        _section("Intended use", case.intended_use),
        _section("Clinical risk management plan", case.plan),
        _LOG,
        _matrix(),
        _overview(case.hazard),
        *(_hazard(hazard) for hazard in case.hazard),
        _section("Release checklist", case.release, box="[ ] "),
    ]
    return "".join(parts).rstrip() + "\n"


def _section(title: str, lines: tuple[str, ...], box: str = "") -> str:
    return f"## {title}\n\n" + "".join(f"* {box}{line}\n" for line in lines) + "\n"


def _matrix() -> str:
    head = f"| likelihood | {' | '.join(get_args(Severity))} |\n|{'---|' * 6}\n"
    return head + "".join(f"| {name} | {' | '.join(map(str, row))} |\n" for name, row in _RISK.items()) + "\n"


def _overview(hazards: tuple[Hazard, ...]) -> str:
    rows = "".join(
        f"| {hazard.id} | {hazard.hazard} | {risk(hazard.severity, hazard.likelihood)} "
        f"| {risk(hazard.residual_severity, hazard.residual_likelihood)} |\n"
        for hazard in hazards
    )
    return f"| | hazard | risk before | residual risk |\n|---|---|---|---|\n{rows}\n"


def _hazard(hazard: Hazard) -> str:
    before = f"{hazard.severity}, {hazard.likelihood}: {risk(hazard.severity, hazard.likelihood)}"
    residual = risk(hazard.residual_severity, hazard.residual_likelihood)
    after = f"{hazard.residual_severity}, {hazard.residual_likelihood}: {residual}"
    rows = [("cause", hazard.cause), ("effect", hazard.effect), ("severity, likelihood: risk before", before)]
    for number, control in enumerate(hazard.control, 1):
        tests = "<br>".join(f"`{name}`" for name in control.tests)
        rows += [
            (f"control {number}", f"{control.what} (`{control.where}`)"),
            ("proved by", tests),
            ("taken out", control.tried or "not tried"),
        ]
    rows.append(("residual: severity, likelihood: risk", f"{after}. {hazard.residual_why}".rstrip()))
    table = "".join(f"| {name} | {value} |\n" for name, value in rows)
    return f"### {hazard.id}: {hazard.hazard}\n\n| | |\n|---|---|\n{table}\n"
