"""The database tables. They hold no patient data: patient, user and encounter are keyed hashes, cleared in time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """A time with a zone in Python, stored as UTC in every database. SQLite stores it without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; without a zone for SQLite."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's own
        """Return the value with UTC as its zone."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


cards = Table(
    "card",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("shown_at", UtcDateTime, nullable=False),
    Column("client", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("pathway", Text, nullable=False),
    Column("content_version", Text, nullable=False),
    Column("indicator", Text, nullable=False),
    Column("leg", Text, nullable=False),
    Column("suggestions", Text, nullable=False),  # JSON: suggestion uuid -> our order
    Column("shown", Boolean, nullable=False),  # false in silent mode
    Column("user", Text, nullable=False),
    Column("patient_key", String(32)),
    Column("user_key", String(32)),
    Column("encounter_key", String(32)),
    Column("fingerprint", String(32)),
    Column("quiet_until", UtcDateTime),
    Index("card_quiet", "client", "patient_key", "user_key"),
    Index("card_quiet_until", "quiet_until"),
    Index("card_shown_at", "shown_at"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of the item: a repeat is the same row
    Column("card", Text, nullable=False),  # no foreign key: feedback on unknown cards is kept
    Column("outcome", Text, nullable=False),
    Column("outcome_at", UtcDateTime, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("accepted", Text, nullable=False),  # JSON: list of suggestion uuids
    Column("reason_system", Text),
    Column("reason_code", Text),
    Column("reason_display", Text),
    Column("comment", Text),
    Column("client", Text),  # who sent it, if callers authenticate
    Column("service", Text),  # empty in rows that are older than this column: then there was one service
    Index("feedback_card", "card"),
    Index("feedback_received_at", "received_at"),
)

tokens = Table(
    "token_use",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of client and jti
    Column("expires_at", UtcDateTime, nullable=False),
    Index("token_use_expires_at", "expires_at"),
)


launches = Table(
    "launch",
    metadata,
    Column("id", String(64), primary_key=True),  # SHA-256 of the id in the address
    Column("state", Text, nullable=False),  # sealed: not readable without the secret in the user's browser
    Column("version", Integer, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("launch_expires_at", "expires_at"),
)


feedback_quota = Table(
    "feedback_quota",
    metadata,
    Column("client", Text, primary_key=True),  # empty if callers need not authenticate
    Column("day", String(10), primary_key=True),  # of UTC, ISO 8601
    Column("rows", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)


assessment_counts = Table(
    "assessment_count",
    metadata,
    Column("day", String(10), primary_key=True),  # of UTC, ISO 8601
    Column("client", Text, primary_key=True),
    Column("rule", Text, primary_key=True),  # of the card; empty if the page was opened without one
    Column("content_version", Text, primary_key=True),
    Column("what", Text, primary_key=True),  # an answered finding, or a counter of assessments: see assessments.py
    Column("count", Integer, nullable=False),
)


def on_own_card() -> ColumnElement[bool]:
    """Return the SQL condition that a row of ``feedback`` is about a row of ``card`` of the same client."""
    own = (feedback.c.client == cards.c.client) | feedback.c.client.is_(None)
    return (feedback.c.card == cards.c.uuid) & own
