"""The rows of the card log as data classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CardRow:
    """A card that was sent, or would have been sent without silent mode.

    Attributes:
        suggestions: suggestion uuid -> key of our order.
        shown: false in silent mode.
        user: the reference of a professional; a keyed hash for any other user.
        fingerprint: keyed hash of the facts behind the card; None if an answer does not suppress it.
        quiet_until: when the hashes are no longer needed and are cleared.
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
    """What a clinician did with a card.

    Attributes:
        id: hash of the statement. It stays the same if the statement is sent again.
        client: the client that sent it; None if callers need not authenticate.
        service: id of the service whose feedback address it was sent to.
    """

    id: str
    service: str
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
    """A card of a patient that a user has answered, while the answer is still in effect.

    Attributes:
        outcome: ``accepted`` or ``overridden``.
        orders: keys of our orders that were accepted, as far as they are known.
        quiet_until: when the answer loses its effect.
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
    """A used token. ``token``: SHA-256 of its client and id, in hexadecimal digits."""

    token: str
    expires_at: datetime
