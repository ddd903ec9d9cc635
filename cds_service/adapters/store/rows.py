"""One card shown and one piece of feedback, as the register keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card that went out, or in silent mode would have.

    Attributes:
        suggestions: suggestion uuid -> our order.
        shown: false in silent mode.
        user: a professional's reference; a keyed hash for anybody else.
        fingerprint: keyed hash of the facts behind the card; None if an answer to it keeps nothing quiet.
        quiet_until: when the hashes have served.
    """

    uuid: str
    shown_at: datetime
    client: str
    rule: str
    topic: str
    pathway: str
    content_version: str
    indicator: str
    leg: str
    suggestions: Mapping[str, str]
    shown: bool
    user: str
    patient_key: str | None = None
    user_key: str | None = None
    encounter_key: str | None = None
    fingerprint: str | None = None
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """What a clinician did with a card. ``id`` is the same for the same statement, however often it is sent.

    ``client``: who sent it, None where callers need not prove who they are.
    """

    id: str
    card: str
    outcome: str
    outcome_at: datetime
    received_at: datetime
    accepted: tuple[str, ...] = ()
    reason_system: str | None = None
    reason_code: str | None = None
    reason_display: str | None = None
    comment: str | None = None
    client: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A card of this patient that this user has answered, still within its window.

    Attributes:
        outcome: ``accepted`` or ``overridden``. orders: ours that were accepted, as far as the register knows them.
        quiet_until: when the window ends.
    """

    topic: str
    fingerprint: str
    encounter_key: str | None
    outcome_at: datetime
    outcome: str
    orders: tuple[str, ...]
    quiet_until: datetime


@dataclass(frozen=True, slots=True)
class TokenUse:
    """A token as it is remembered: ``token`` is the SHA-256 of its client and id, in hexadecimal digits."""

    token: str
    expires_at: datetime
