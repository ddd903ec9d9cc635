"""Every code that the log can give as a reason has a row with its cause and its cure."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from cds_service.adapters.http_terms import Why
from cds_service.base.errors import REASONS, Refusal
from cds_service.clinical.content.texts import LaunchNotices
from cds_service.clinical.record import UnreadKind
from cds_service.protocol.prefetch import NOT_ASKED
from cds_service.service.smart.ehr import Outcome
from tests.conftest import ROOT

PAGE = (ROOT / "deploy" / "TROUBLESHOOTING.md").read_text(encoding="utf-8")
EVENTS: dict[str, set[str]] = {
    "Event `refused`": set(get_args(Refusal)),
    "Event `keys_not_fetched`": {*get_args(Why), "no_keys", "no_jwk_set"},
    "Event `call`": {*REASONS, *NOT_ASKED, *get_args(Why)},
    "Event `order_page_failed`": set(LaunchNotices.model_fields),
    "Event `order`:": set(get_args(Outcome)),
    "Event `assessment`:": set(get_args(Outcome)),
    "Event `unread`": {kind.value for kind in UnreadKind},
}


def rows(heading: str) -> list[list[str]]:
    (section,) = [one for one in re.split(r"^## ", PAGE, flags=re.MULTILINE) if one.startswith(heading)]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| `.*$", section, re.MULTILINE)]


@pytest.mark.parametrize("heading", EVENTS)
def test_every_reason_has_a_cause_and_a_cure(heading: str) -> None:
    found = rows(heading)
    assert all(len(row) == 3 and all(row) for row in found), found
    codes = [row[0].strip("`") for row in found]
    assert len(codes) == len(set(codes))
    assert set(codes) == EVENTS[heading]


def test_every_event_with_a_reason_has_a_table() -> None:
    """A new ``log.…(…, reason=…)`` somewhere is found here."""
    named = set()
    for path in (ROOT / "cds_service").rglob("*.py"):
        calls = re.findall(r"log\.\w+\(\s*\"(\w+)\"[^()]*\breason=", path.read_text(encoding="utf-8"))
        named |= set(calls)
    assert named == set(re.findall(r"[Ee]vent `(\w+)`", PAGE)) - {"call"}
