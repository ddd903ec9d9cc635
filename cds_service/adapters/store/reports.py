"""Reports from the card log: an export of all feedback, and counts by rule, indicator and content version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import orjson
from sqlalchemy import Select, func, select

from cds_service.adapters.store.assessments import Use, uses
from cds_service.adapters.store.store import Store
from cds_service.adapters.store.tables import cards, feedback, on_own_card
from cds_service.protocol.messages import CANARY_USER
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN

UNANSWERED = "unanswered"


@dataclass(slots=True)
class Line:
    """One line of the report. ``overridden``: number of cards by reason, or by ``no reason given``."""

    rule: str
    indicator: str
    content_version: str
    shown: int = 0
    silent: int = 0
    accepted: int = 0
    overridden: dict[str, int] = field(default_factory=dict)

    @property
    def unanswered(self) -> int:
        """Number of shown cards without feedback."""
        return self.shown - self.accepted - sum(self.overridden.values())


@dataclass(slots=True)
class Week:
    """Counts for the cards of one rule that were shown in one week. ``monday``: its first day, in UTC."""

    monday: date
    shown: int = 0
    accepted: int = 0
    overridden: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """The counts of the report.

    ``weeks``: rule -> every week from its first card to the last card of any rule.
    ``assessments``: the counts of the assessment page.
    """

    lines: tuple[Line, ...]
    unknown_cards: int
    weeks: Mapping[str, tuple[Week, ...]] = field(default_factory=dict)
    assessments: tuple[Use, ...] = ()


def exported(store: Store) -> Iterator[dict[str, Any]]:
    """Yield every feedback statement, the oldest first, with the fields of 45 CFR 170.315(b)(11)(ii)(C).

    The fields are intervention, action, feedback, user, date and location. Unknown values are left out.
    """
    wanted = (
        select(feedback, cards).join(cards, on_own_card(), isouter=True).order_by(feedback.c.received_at, feedback.c.id)
    )
    for row in store.stream(wanted):
        values = row._mapping
        orders = orjson.loads(values[cards.c.suggestions] or "{}")
        accepted = orjson.loads(values[feedback.c.accepted])
        line = {
            "intervention": _without_none(
                {
                    "service": values[feedback.c.service] or POSTERIOR_KNEE_PAIN.id,
                    "card": values[feedback.c.card],
                    "rule": values[cards.c.rule],
                    "topic": values[cards.c.topic],
                    "pathway": values[cards.c.pathway],
                    "contentVersion": values[cards.c.content_version],
                    "indicator": values[cards.c.indicator],
                    "leg": values[cards.c.leg],
                    "shown": _moment(values[cards.c.shown_at]),
                    "known": values[cards.c.uuid] is not None,
                }
            ),
            "action": _without_none(
                {
                    "outcome": values[feedback.c.outcome],
                    "acceptedSuggestions": accepted or None,
                    "acceptedOrders": [orders[suggestion] for suggestion in accepted if suggestion in orders] or None,
                }
            ),
            "feedback": _without_none(
                {
                    "reasonSystem": values[feedback.c.reason_system],
                    "reasonCode": values[feedback.c.reason_code],
                    "reasonDisplay": values[feedback.c.reason_display],
                    "comment": values[feedback.c.comment],
                }
            ),
            "user": values[cards.c.user],
            "date": _moment(values[feedback.c.outcome_at]),
            "received": _moment(values[feedback.c.received_at]),
            "location": values[cards.c.client],
        }
        yield _without_none(line)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, {})}


def _moment(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value is not None else None


def report(store: Store) -> Report:
    """Return the counts, without the cards of the canary.

    Only the latest statement on a card counts, so a card that was answered twice is counted once.
    """
    lines: dict[tuple[str, str, str], Line] = {}
    for rule, indicator, version, was_shown, count in store.stream(_shown()):
        line = lines.setdefault((rule, indicator, version), Line(rule, indicator, version))
        line.shown += count if was_shown else 0
        line.silent += 0 if was_shown else count
    unknown = 0
    for rule, indicator, version, outcome, reason, count in store.stream(_answered()):
        if rule is None:
            unknown += count
            continue
        line = lines[rule, indicator, version]
        if outcome == "accepted":
            line.accepted += count
        else:
            why = reason or "no reason given"
            line.overridden[why] = line.overridden.get(why, 0) + count
    return Report(tuple(lines[key] for key in sorted(lines)), unknown, _weeks(store), uses(store))


def _weeks(store: Store) -> dict[str, tuple[Week, ...]]:
    by_rule: dict[str, dict[date, Week]] = {}

    def week(rule: str, day: Any) -> Week:
        shown_on = date.fromisoformat(str(day))
        monday = shown_on - timedelta(days=shown_on.weekday())
        return by_rule.setdefault(rule, {}).setdefault(monday, Week(monday))

    day = func.date(cards.c.shown_at)
    mine = (cards.c.user != CANARY_USER, cards.c.shown)
    for rule, when, count in store.stream(
        select(cards.c.rule, day, func.count()).where(*mine).group_by(cards.c.rule, day)
    ):
        week(rule, when).shown += count
    latest, join = _latest()
    for rule, when, outcome, count in store.stream(
        select(cards.c.rule, day, latest.c.outcome, func.count())
        .select_from(latest.join(cards, join))
        .where(latest.c.place == 1, *mine)
        .group_by(cards.c.rule, day, latest.c.outcome)
    ):
        shown_week = week(rule, when)
        if outcome == "accepted":
            shown_week.accepted += count
        else:
            shown_week.overridden += count
    last = max((monday for weeks in by_rule.values() for monday in weeks), default=date.min)
    return {rule: tuple(_without_holes(weeks, last)) for rule, weeks in sorted(by_rule.items())}


def _without_holes(weeks: Mapping[date, Week], last: date) -> Iterator[Week]:
    monday = min(weeks)
    while monday <= last:
        yield weeks.get(monday) or Week(monday)
        monday += timedelta(days=7)


def _shown() -> Select[Any]:
    what = (cards.c.rule, cards.c.indicator, cards.c.content_version, cards.c.shown)
    return select(*what, func.count()).where(cards.c.user != CANARY_USER).group_by(*what)


def _latest() -> tuple[Any, Any]:
    """Return the statements with their place (1 for the latest on a card), and the condition that joins their card."""
    order = (feedback.c.outcome_at.desc(), feedback.c.received_at.desc(), feedback.c.id)
    latest = select(
        feedback.c.card,
        feedback.c.client,
        feedback.c.outcome,
        feedback.c.reason_code,
        func.row_number().over(partition_by=(feedback.c.card, feedback.c.client), order_by=order).label("place"),
    ).subquery()
    own = (latest.c.client == cards.c.client) | latest.c.client.is_(None)
    return latest, (cards.c.uuid == latest.c.card) & own


def _answered() -> Select[Any]:
    latest, join = _latest()
    what = (cards.c.rule, cards.c.indicator, cards.c.content_version, latest.c.outcome, latest.c.reason_code)
    return (
        select(*what, func.count())
        .select_from(latest.join(cards, join, isouter=True))
        .where(latest.c.place == 1)
        .group_by(*what)
    )
