"""The audit journal. Calls hand over their events without waiting; one thread writes them to disk in groups."""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import orjson

from cds_service.adapters.audit import events
from cds_service.adapters.audit.chain import Hasher
from cds_service.adapters.audit.chain_file import MAX_EVENT_BYTES, ChainFile
from cds_service.base.logs import get_log
from cds_service.base.settings import Settings
from cds_service.base.worker import Worker

log = get_log()

MAX_WAITING = 10_000
_ENOUGH = MAX_WAITING // 2
_MIN_SECONDS = 0.2
_LOOK_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class JournalState:
    """The state of the journal.

    Attributes:
        since: when the disk failed; None while it works.
        error: the kind of failure (``ENOSPC``), never its text.
        waiting: number of events that are not on disk yet.
        lost: number of events lost since the start.
        written: number of events written since the start.
        file: name of the file.
        seq, head: number and hash of its last line. Note the hash in another place from time to time.
    """

    status: Literal["off", "starting", "up", "down"] = "starting"
    since: datetime | None = None
    error: str = ""
    waiting: int = 0
    lost: int = 0
    written: int = 0
    file: str = ""
    seq: int = -1
    head: str = ""


@dataclass(frozen=True, slots=True)
class _Gap:
    """Lost events that are not yet recorded in the journal."""

    count: int
    since: datetime
    until: datetime


class NoJournal:
    """A journal that keeps nothing, for a site without an audit folder."""

    state = JournalState(status="off")
    keeps = False

    def start(self) -> None:
        """Do nothing."""

    def record(self, new_events: Sequence[Mapping[str, Any]]) -> None:
        """Discard the events."""

    def close(self, seconds: float = 5.0) -> None:
        """Do nothing."""


class Journal:
    """Writes events to disk. Never blocks or fails a call. Lost events are counted and recorded in the chain."""

    keeps = True

    def __init__(self, folder: Path, hasher: Hasher) -> None:
        self._folder = folder
        self._hasher = hasher
        self._queue: deque[Mapping[str, Any]] = deque()
        self._worker = Worker("audit", self._run, self._set_down)
        self._work = self._worker.work
        self._state = JournalState()
        self._gap: _Gap | None = None
        self._due = 0.0

    @property
    def state(self) -> JournalState:
        """A copy of the current state."""
        with self._work:
            return replace(self._state, waiting=len(self._queue))

    def start(self) -> None:
        """Open the file in the background. The first event does this too; further calls have no effect."""
        self._worker.start()

    def record(self, new_events: Sequence[Mapping[str, Any]]) -> None:
        """Hand over events, which must not be changed afterwards. If too many wait, the new ones are lost."""
        if not new_events:
            return
        self.start()
        with self._work:
            room = 0 if self._worker.stopping else MAX_WAITING - len(self._queue)
            self._queue.extend(islice(new_events, max(0, room)))
            self._lose(len(new_events) - max(0, room))
            self._work.notify_all()

    def close(self, seconds: float = 5.0) -> None:
        """Write the waiting events if the disk works, and stop. ``seconds``: the longest time to wait."""
        self._worker.stop(seconds)
        left = self.state.waiting
        if left:
            log.error("audit_stopped", lost=left)

    def _run(self) -> None:
        file = ChainFile.claim(self._folder, self._hasher)
        try:
            self._set_up(file)
            self._serve(file)
        finally:
            file.close()

    def _serve(self, file: ChainFile) -> None:
        """Write groups until stopped. Events that could not be written wait for the next attempt."""
        while True:
            with self._work:
                self._work.wait_for(lambda: self._queue or self._gap or self._worker.stopping, timeout=_LOOK_EVERY)
                self._work.wait_for(self._is_worth_it, timeout=max(0.0, self._due - time.monotonic()))
                group = list(self._queue)
                gap = self._gap
                if self._worker.stopping and not group and gap is None:
                    return
            if group or gap is not None:
                self._write(file, group, gap)
            else:
                file.look()
            self._worker.succeeded()

    def _is_worth_it(self) -> bool:
        return self._worker.stopping or len(self._queue) >= _ENOUGH

    def _write(self, file: ChainFile, group: Sequence[Mapping[str, Any]], gap: _Gap | None) -> None:
        texts = [text for event in group if (text := _text(event)) is not None]
        lost = [] if gap is None else [orjson.dumps(events.lost(datetime.now(UTC), gap.count, gap.since, gap.until))]
        if texts or lost:
            file.append([*lost, *texts])
        self._due = time.monotonic() + _MIN_SECONDS
        with self._work:
            for _ in group:
                self._queue.popleft()
            if self._gap is gap:
                self._gap = None
            elif self._gap is not None and gap is not None:  # more were lost meanwhile
                self._gap = replace(self._gap, count=self._gap.count - gap.count, since=gap.until)
            self._lose(len(group) - len(texts))
            written = self._state.written + len(texts)
            self._state = replace(self._state, written=written, seq=file.last.seq, head=file.last.hash)

    def _lose(self, count: int) -> None:
        """Call with the lock held."""
        if count <= 0:
            return
        now = datetime.now(UTC)
        gap = self._gap or _Gap(0, now, now)
        self._gap = replace(gap, count=gap.count + count, until=now)
        if not self._state.lost:
            log.error("audit_loses_events")
        self._state = replace(self._state, lost=self._state.lost + count)

    def _set_down(self, error: Exception) -> None:
        kind = _kind(error)
        with self._work:
            was_down = self._state.status == "down"
            since = self._state.since or datetime.now(UTC)
            self._state = replace(self._state, status="down", since=since, error=kind)
        if not was_down:
            log.error("audit_down", error=kind)

    def _set_up(self, file: ChainFile) -> None:
        link = file.last
        with self._work:
            was_down = self._state.status == "down"
            up = replace(self._state, status="up", since=None, error="")
            self._state = replace(up, file=file.path.name, seq=link.seq, head=link.hash)
            waiting = len(self._queue)
        if was_down:
            log.warning("audit_up_again", waiting=waiting)


def journal_of(settings: Settings) -> Journal | NoJournal:
    """Return the journal for a site's settings. It is not started yet."""
    if settings.audit_folder is None:
        return NoJournal()
    key = settings.hash_key
    return Journal(settings.audit_folder, Hasher.of(key.get_secret_value() if key else None))


def _text(event: Mapping[str, Any]) -> bytes | None:
    """Return an event as JSON; None if it cannot be written, so that one bad event does not block the others."""
    try:
        text = orjson.dumps(event)
    except TypeError:
        text = b""
    if not text or len(text) > MAX_EVENT_BYTES:
        log.error("audit_event_unwritable")
        return None
    return text


def _kind(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return errno.errorcode.get(number, "OSError") if number is not None else type(error).__name__
