"""The database: opens, migrates, writes and reads. All functions block; the writer and the readers are threads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    false,
    func,
    inspect,
    select,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.pool import ConnectionPoolEntry

from cds_service.adapters.store import tables as t
from cds_service.adapters.store.private_file import keep_private
from cds_service.adapters.store.quota import Quota, beyond
from cds_service.adapters.store.rows import Answered, CardRow, FeedbackRow, TokenUse
from cds_service.base.errors import WrongSetting

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
DatabaseError = SQLAlchemyError
"""The error that every method of ``Store`` raises when the database fails."""

_BUSY_SECONDS = 5
_STATEMENT_MS = 5_000
_STEP = 2_000
_LOCK = 7_105_324_481
"""Number of the PostgreSQL advisory lock for migrations. Any number works if all processes use the same."""

NEWEST = "head"
_VERSIONS = Table("alembic_version", MetaData(), Column("version_num", String(32)))
"""The table in which Alembic keeps the revision of the tables."""


def newest_revision() -> str:
    """Return the revision of the last migration, which is the number in its file name."""
    return max(path.stem for path in (MIGRATIONS / "versions").glob("v*.py"))[1:].partition("_")[0]


class Store:
    """The database with the tables of the card log."""

    def __init__(self, engine: Engine, quick: Engine) -> None:
        """``quick``: the same database, but faster: the last writes may be lost in a power cut. For waiting calls."""
        self.engine = engine
        self._quick = quick
        self.insert = _insert_of(engine.dialect.name)
        """Makes an INSERT that may say what to do about rows that are there."""
        self._looking: sqlite3.Connection | None = None
        """Only for ``surely_answered_none``."""

    @classmethod
    def open(cls, url: str) -> Store:
        """Return the store at ``url``, without connecting.

        Raises:
            WrongSetting: the URL is not a SQLite or PostgreSQL URL.
        """
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise WrongSetting("KNEE_CDS_DATABASE_URL is not a database URL") from error
        kind = parsed.get_backend_name()
        if kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
            return cls(_sqlite(parsed, "FULL"), _sqlite(parsed, "NORMAL"))
        if kind in ("postgresql", "postgres"):
            return cls(_postgresql(parsed, "on"), _postgresql(parsed, "off"))
        raise WrongSetting("KNEE_CDS_DATABASE_URL must be sqlite:///a-file or postgresql://a-server/a-database")

    def close(self) -> None:
        """Close all connections."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.close()
        self.engine.dispose()
        self._quick.dispose()

    def migrate(self, revision: str = NEWEST) -> None:
        """Upgrade the tables to ``revision``. Processes that start at the same time do this one after the other."""
        if revision == NEWEST and self._is_newest():
            return
        from alembic import command  # slow to import and rarely needed

        with self._migrating() as config:
            command.upgrade(config, revision)

    def _is_newest(self) -> bool:
        """Return whether the tables have the revision of this version of the service."""
        with self.engine.connect() as connection:
            if not inspect(connection).has_table(_VERSIONS.name):
                return False
            return list(connection.scalars(select(_VERSIONS.c.version_num))) == [newest_revision()]

    def downgrade(self, revision: str) -> None:
        """Downgrade the tables to ``revision``; ``base`` removes them.

        Raises:
            WrongSetting: there is no such revision.
        """
        from alembic import command
        from alembic.util.exc import CommandError

        with self._migrating() as config:
            try:
                command.downgrade(config, revision)
            except CommandError as error:
                raise WrongSetting(f"the database cannot be downgraded to {revision!r}: {error}") from error

    @contextmanager
    def _migrating(self) -> Iterator[Config]:
        from alembic.config import Config

        with self.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            yield config

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for PostgreSQL."""
        return Path(self.engine.url.database or "") if self.engine.dialect.name == "sqlite" else None

    def look(self) -> None:
        """Check that the database is still available.

        Raises:
            DatabaseError: the database does not answer.
            FileNotFoundError: the SQLite file was removed, so that writes would be lost.
        """
        if self.file is not None and not self.file.exists():
            self.close()
            raise FileNotFoundError("the database file was removed")
        with self._reading() as connection:
            connection.execute(select(1))

    def add(
        self, cards: Sequence[CardRow], feedback: Sequence[FeedbackRow], quota: Quota | None = None
    ) -> frozenset[str]:
        """Write cards and feedback in one transaction, which is on disk on return. Existing rows are not changed.

        Returns the ids of feedback that was not kept because it exceeds ``quota``.
        """
        rejected: frozenset[str] = frozenset()
        with self.engine.begin() as connection:
            if cards:
                rows = [{**asdict(row), "suggestions": _json(dict(row.suggestions))} for row in cards]
                connection.execute(self.insert(t.cards).on_conflict_do_nothing(), rows)
            if feedback and quota is not None:
                begin_day = self.insert(t.feedback_quota).on_conflict_do_nothing()
                rejected = beyond(connection, feedback, quota, begin_day)
            accepted = [row for row in feedback if row.id not in rejected]
            rows = [{**asdict(row), "accepted": _json(list(row.accepted))} for row in accepted]
            if rows:
                connection.execute(self.insert(t.feedback).on_conflict_do_nothing(), rows)
        return rejected

    def claim(self, uses: Sequence[TokenUse]) -> set[str]:
        """Mark tokens as used. Return those that were not used before."""
        rows = [{"token": use.token, "expires_at": use.expires_at} for use in uses]
        claimed = self.insert(t.tokens).values(rows).on_conflict_do_nothing().returning(t.tokens.c.token)
        with self._quick.begin() as connection:
            return set(connection.execute(claimed).scalars())

    def answered(self, client: str, patient_key: str, user_key: str, now: datetime) -> list[Answered]:
        """Return the cards that the user has answered for the patient, while the answers are still in effect."""
        parameters = {"client": client, "patient": patient_key, "user": user_key, "now": now}
        with self._reading() as connection:
            return [_answered(*row) for row in connection.execute(_ANSWERED, parameters)]

    def surely_answered_none(self, client: str, patient_key: str, user_key: str) -> bool:
        """Return whether it is certain, without any waiting, that the user has answered no card for the patient.

        False if there may be one, if the database is locked or fails, and always for PostgreSQL: then ask ``answered``.
        It takes microseconds, so that the event loop can call it; a thread for each call costs a hundred times that.
        """
        try:
            looking = self._looking
            if looking is None:
                if self.file is None:
                    return False
                # Other threads never use it, but one of them closes it. Without a timeout, a lock is reported at once.
                looking = self._looking = sqlite3.connect(
                    f"{self.file.resolve().as_uri()}?mode=ro",
                    uri=True, timeout=0, isolation_level=None, check_same_thread=False,
                )  # fmt: skip
            return looking.execute(_ANY_ANSWERED, (client, patient_key, user_key)).fetchone() is None
        except sqlite3.Error:
            return False

    def launch(self, key: str) -> tuple[str, int] | None:
        """Return the sealed state and the version of a launch of the order page; None if there is no such launch."""
        with self._reading() as connection:
            result = connection.execute(select(t.launches.c.state, t.launches.c.version).where(t.launches.c.id == key))
            row = result.one_or_none()
        return (row.state, row.version) if row else None

    def begin_launch(self, key: str, state: str, expires: datetime) -> None:
        """Store the sealed state of a new launch."""
        row = {"id": key, "state": state, "version": 0, "expires_at": expires}
        with self.engine.begin() as connection:
            connection.execute(self.insert(t.launches), row)

    def continue_launch(self, key: str, state: str, version: int, expires: datetime) -> bool:
        """Replace the state if it was not changed since ``version`` was read. Return whether it was replaced."""
        here = (t.launches.c.id == key) & (t.launches.c.version == version)
        with self.engine.begin() as connection:
            done = connection.execute(
                update(t.launches).where(here).values(state=state, version=version + 1, expires_at=expires)
            )
            return done.rowcount == 1

    def forget(self, now: datetime) -> int:
        """Clear the hashes of cards that need them no longer, and delete expired rows of other tables.

        Returns the number of cleared cards.
        """
        nothing = {"patient_key": None, "user_key": None, "encounter_key": None, "fingerprint": None}
        ended = update(t.cards).where(t.cards.c.quiet_until <= now).values(**nothing, quiet_until=None)
        with self.engine.begin() as connection:
            connection.execute(delete(t.tokens).where(t.tokens.c.expires_at <= now))
            connection.execute(delete(t.launches).where(t.launches.c.expires_at <= now))
            yesterday = (now.astimezone(UTC) - timedelta(days=1)).date().isoformat()
            connection.execute(delete(t.feedback_quota).where(t.feedback_quota.c.day < yesterday))
            return connection.execute(ended).rowcount

    def purge(self, before: datetime, now: datetime) -> Iterator[tuple[int, int]]:
        """Delete rows older than ``before`` in steps of some thousand rows. Yields (cards, feedback) of each step.

        The age of feedback is counted from its receipt. A card is kept as long as there is feedback on it, and as long
        as an answer to it is in effect.
        """
        old_feedback = select(t.feedback.c.id).where(t.feedback.c.received_at < before)
        answered = select(1).where(t.feedback.c.card == t.cards.c.uuid).exists()
        quiet = func.coalesce(t.cards.c.quiet_until > now, false())
        old_cards = select(t.cards.c.uuid).where(t.cards.c.shown_at < before, ~quiet, ~answered)
        with self.engine.begin() as connection:
            day = before.astimezone(UTC).date().isoformat()
            connection.execute(delete(t.assessment_counts).where(t.assessment_counts.c.day < day))
        yield from ((0, count) for count in self._in_steps(t.feedback.c.id, old_feedback))
        yield from ((count, 0) for count in self._in_steps(t.cards.c.uuid, old_cards))

    def _in_steps(self, key: Column[str], chosen: Select[tuple[str]]) -> Iterator[int]:
        """Delete in steps, each in its own transaction, so that the service's writer never waits for all steps."""
        while True:
            with self.engine.begin() as connection:
                done = connection.execute(delete(key.table).where(key.in_(chosen.limit(_STEP)))).rowcount
            if not done:
                return
            yield done

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(only_reads=True) as connection:
            yield connection

    def stream(self, statement: Select[Any]) -> Iterator[Any]:
        """Yield the rows of ``statement``, read in batches, so that millions of rows need little memory."""
        with (
            self._reading() as connection,
            connection.execution_options(yield_per=1000).execute(statement) as result,
        ):
            yield from result


_ANSWERED = (
    select(
        t.cards.c.topic,
        t.cards.c.fingerprint,
        t.cards.c.encounter_key,
        t.cards.c.quiet_until,
        t.cards.c.suggestions,
        t.feedback.c.outcome_at,
        t.feedback.c.outcome,
        t.feedback.c.accepted,
    )
    .join(t.feedback, t.on_own_card())
    .where(
        t.cards.c.client == bindparam("client"),
        t.cards.c.patient_key == bindparam("patient"),
        t.cards.c.user_key == bindparam("user"),
        t.cards.c.quiet_until > bindparam("now"),
        t.cards.c.shown,
        t.cards.c.fingerprint.is_not(None),
    )
)


_ANY_ANSWERED = """
    SELECT 1 FROM card JOIN feedback ON feedback.card = card.uuid
    WHERE card.client = ? AND card.patient_key = ? AND card.user_key = ? LIMIT 1
"""
"""Finds at least all that ``_ANSWERED`` finds."""


def _answered(
    topic: str,
    fingerprint: str,
    encounter_key: str | None,
    quiet_until: datetime,
    suggestions: str,
    outcome_at: datetime,
    outcome: str,
    accepted: str,
) -> Answered:
    """Convert a row of ``_ANSWERED``. The accepted suggestions become our orders, in the order of the card."""
    chosen = orjson.loads(accepted)
    known = tuple(order for suggestion, order in orjson.loads(suggestions).items() if suggestion in chosen)
    return Answered(topic, fingerprint, encounter_key, outcome_at, outcome, known, quiet_until)


def is_refusal(error: Exception) -> bool:
    """Return whether the database or its driver rejected the data but works. Then other rows can still be written."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError)
    return isinstance(error, StatementError | ValueError | TypeError)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _insert_of(dialect: str) -> Callable[[Table], Any]:
    """Return the INSERT of a database. The dialect of the other one is not loaded."""
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert
    from sqlalchemy.dialects import postgresql

    return postgresql.insert


def _sqlite(url: URL, synchronous: str) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_size=5, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "do_connect")
    def hide(*_: Any) -> None:
        keep_private(Path(url.database or ""))

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, including those for schema changes
        for pragma in ("journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that starts as a reader could fail halfway instead of waiting for the lock.
        reads = connection.get_execution_options().get("only_reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL, synchronous: str) -> Engine:
    options = f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_STATEMENT_MS}"
    options += f" -c synchronous_commit={synchronous}"
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_size=5,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 2, "tcp_user_timeout": 5_000, "options": options},
    )
