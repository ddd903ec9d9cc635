"""What the register tells: every statement for export, and counts per rule, indicator and content version."""

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
    """One line of the report. ``overridden``: reason -> count; ``no reason given`` where none was."""

    rule: str
    indicator: str
    content_version: str
    shown: int = 0
    silent: int = 0
    accepted: int = 0
    overridden: dict[str, int] = field(default_factory=dict)

    @property
    def unanswered(self) -> int:
        """Shown, and never heard of again."""
        return self.shown - self.accepted - sum(self.overridden.values())


@dataclass(slots=True)
class Week:
    """What became of the cards of one rule that were shown in one week. ``monday``: its first day, of UTC."""

    monday: date
    shown: int = 0
    accepted: int = 0
    overridden: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All lines, how much feedback there is on cards that are not in the register, and the weeks of each rule.

    ``weeks``: rule -> every week from its first card to the last card of any rule.
    ``assessments``: what came of the assessment page.
    """

    lines: tuple[Line, ...]
    unknown_cards: int
    weeks: Mapping[str, tuple[Week, ...]] = field(default_factory=dict)
    assessments: tuple[Use, ...] = ()


def exported(store: Store) -> Iterator[dict[str, Any]]:
    """Every feedback statement with the fields that 45 CFR 170.315(b)(11)(ii)(C) asks for, the oldest first.

    intervention, action, feedback, user, date, location; what is not known is absent.
    """
    wanted = (
        select(feedback, cards).join(cards, on_own_card(), isouter=True).order_by(feedback.c.received_at, feedback.c.id)
    )
    for row in store.stream(wanted):
        said = row._mapping
        orders = orjson.loads(said[cards.c.suggestions] or "{}")
        accepted = orjson.loads(said[feedback.c.accepted])
        line = {
            "intervention": _without_none(
                {
                    "service": POSTERIOR_KNEE_PAIN.id,
                    "card": said[feedback.c.card],
                    "rule": said[cards.c.rule],
                    "topic": said[cards.c.topic],
                    "pathway": said[cards.c.pathway],
                    "contentVersion": said[cards.c.content_version],
                    "indicator": said[cards.c.indicator],
                    "leg": said[cards.c.leg],
                    "shown": _moment(said[cards.c.shown_at]),
                    "known": said[cards.c.uuid] is not None,
                }
            ),
            "action": _without_none(
                {
                    "outcome": said[feedback.c.outcome],
                    "acceptedSuggestions": accepted or None,
                    "acceptedOrders": [orders[one] for one in accepted if one in orders] or None,
                }
            ),
            "feedback": _without_none(
                {
                    "reasonSystem": said[feedback.c.reason_system],
                    "reasonCode": said[feedback.c.reason_code],
                    "reasonDisplay": said[feedback.c.reason_display],
                    "comment": said[feedback.c.comment],
                }
            ),
            "user": said[cards.c.user],
            "date": _moment(said[feedback.c.outcome_at]),
            "received": _moment(said[feedback.c.received_at]),
            "location": said[cards.c.client],
        }
        yield _without_none(line)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, {})}


def _moment(value: Any) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value is not None else None


def report(store: Store) -> Report:
    """Counts, without what the canary was shown.

    The latest statement on a card counts; a card answered twice is one card.
    """
    found: dict[tuple[str, str, str], Line] = {}
    for rule, indicator, version, was_shown, count in store.stream(_shown()):
        line = found.setdefault((rule, indicator, version), Line(rule, indicator, version))
        line.shown += count if was_shown else 0
        line.silent += 0 if was_shown else count
    unknown = 0
    for rule, indicator, version, outcome, reason, count in store.stream(_answered()):
        if rule is None:
            unknown += count
            continue
        line = found[rule, indicator, version]
        if outcome == "accepted":
            line.accepted += count
        else:
            why = reason or "no reason given"
            line.overridden[why] = line.overridden.get(why, 0) + count
    return Report(tuple(found[key] for key in sorted(found)), unknown, _weeks(store), uses(store))


def _weeks(store: Store) -> dict[str, tuple[Week, ...]]:
    found: dict[str, dict[date, Week]] = {}

    def week(rule: str, day: Any) -> Week:
        shown_on = date.fromisoformat(str(day))
        monday = shown_on - timedelta(days=shown_on.weekday())
        return found.setdefault(rule, {}).setdefault(monday, Week(monday))

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
        one = week(rule, when)
        if outcome == "accepted":
            one.accepted += count
        else:
            one.overridden += count
    last = max((monday for weeks in found.values() for monday in weeks), default=date.min)
    return {rule: tuple(_without_holes(weeks, last)) for rule, weeks in sorted(found.items())}


def _without_holes(weeks: Mapping[date, Week], last: date) -> Iterator[Week]:
    monday = min(weeks)
    while monday <= last:
        yield weeks.get(monday) or Week(monday)
        monday += timedelta(days=7)


def _shown() -> Select[Any]:
    what = (cards.c.rule, cards.c.indicator, cards.c.content_version, cards.c.shown)
    return select(*what, func.count()).where(cards.c.user != CANARY_USER).group_by(*what)


def _latest() -> tuple[Any, Any]:
    """The statements with their place, 1 for the latest on a card, and how they join their card."""
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
