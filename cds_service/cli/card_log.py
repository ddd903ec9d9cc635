"""The commands that use the database: ``feedback``, ``database`` and ``purge``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.text import Text

from cds_service.adapters.store.store import DatabaseError, Store
from cds_service.base.errors import StoreDown, WrongSetting
from cds_service.base.settings import Settings
from cds_service.cli import feedback
from cds_service.service.evaluate import load_content

MIN_DAYS = 30
"""Shortest retention. A smaller number is more likely a typing error."""


def feedback_export(options: argparse.Namespace, settings: Settings) -> None:
    """Write every feedback item to a file or to standard output."""
    with _card_log(settings) as store, _output(options.output) as out:
        feedback.export(store, out, options.format)


def feedback_report(options: argparse.Namespace, settings: Settings) -> None:
    """Report the cards shown, accepted, overridden and unanswered, by rule."""
    with _card_log(settings) as store:
        feedback.show(store, options.html, _titles(settings) if options.html else {})


def _titles(settings: Settings) -> dict[str, str]:
    """Return rule, cause or finding -> its title in the present content."""
    content = load_content(settings)
    causes = {key: cause.title for key, cause in content.causes.items()}
    findings = {key: finding.short for key, finding in content.findings.items()}
    return findings | causes | {key: flag.card.title for key, flag in content.red_flags.items()}


def _output(path: Path | None) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdout.buffer) if path is None else path.open("wb")


def database(options: argparse.Namespace, settings: Settings) -> None:
    """Migrate the tables to the newest revision, or back to an older one."""
    with _store(settings) as store:
        if options.down is None:
            store.migrate()
        else:
            store.downgrade(options.down)
    Console().print(Text("The database has been migrated."))


def purge(options: argparse.Namespace, settings: Settings) -> None:
    """Delete cards and feedback that are older than the given number of days."""
    if options.older_than < MIN_DAYS:
        raise WrongSetting(f"--older-than takes {MIN_DAYS} days or more")
    now = datetime.now(UTC)
    cards = feedback = 0
    with _card_log(settings) as store:
        for some_cards, some_feedback in store.purge(now - timedelta(days=options.older_than), now):
            cards, feedback = cards + some_cards, feedback + some_feedback
    Console().print(Text(f"Deleted: {cards} card(s) and {feedback} statement(s) older than {options.older_than} days."))


@contextmanager
def _card_log(settings: Settings) -> Iterator[Store]:
    """Open an existing database. A missing file is an error, because an empty report would hide a wrong path."""
    with _store(settings) as store:
        if store.file is not None and not store.file.exists():
            raise StoreDown(f"The database {store.file} does not exist; check KNEE_CDS_DATABASE_URL")
        store.migrate()
        yield store


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    """Open the database; it is not connected yet.

    Raises:
        StoreDown: the database cannot be reached or used.
    """
    store = Store.open(settings.database_url.get_secret_value())
    try:
        yield store
    except DatabaseError as error:
        # The text of the error may contain the address with its password.
        raise StoreDown(f"The database cannot be used ({type(error).__name__}); check KNEE_CDS_DATABASE_URL") from error
    finally:
        store.close()
