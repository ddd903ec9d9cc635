"""The journal at work: crashes, full disks, lost folders, several processes; calls never wait and nothing is hidden."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from cds_service.adapters.audit import journal as journal_module
from cds_service.adapters.audit.chain import Hasher
from cds_service.adapters.audit.chain_file import MAX_EVENT_BYTES, ChainFile
from cds_service.adapters.audit.journal import Journal, JournalState, NoJournal, journal_of
from cds_service.adapters.audit.verify import verify
from cds_service.base.settings import Settings
from tests.adapters.audit.test_events import ALL
from tests.adapters.store.test_writer import until
from tests.conftest import LONG

KEY = Hasher.of("k" * 16)

WRITER = """
import sys, time
from pathlib import Path
from cds_service.adapters.audit.chain import Hasher
from cds_service.adapters.audit.journal import Journal

journal = Journal(Path(sys.argv[1]), Hasher.of("k" * 16))
number, most = 0, int(sys.argv[2])
while number < most:
    if journal.state.waiting < 3000:
        journal.record([{"number": number + n, "text": "x" * 3000} for n in range(500)])
        number += 500
    print(journal.state.file, journal.state.seq, flush=True)
    time.sleep(0.005)
journal.close(60)
"""


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the service has logged."""
    return [record.msg for record in caplog.records if isinstance(record.msg, dict)]


def writer(folder: Path, most: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-W", "error", "-c", WRITER, str(folder), str(most)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def kept(path: Path) -> list[dict[str, Any]]:
    """The events of a file, without its genesis."""
    return [orjson.loads(line)["event"] for line in path.read_bytes().splitlines()][1:]


def numbers(path: Path) -> list[int]:
    return [event["number"] for event in kept(path) if "number" in event]


def said_lost(path: Path) -> int:
    """How many the chain says were lost."""
    found = [one for one in kept(path) if one.get("subtype", [{}])[0].get("code") == "lost"]
    return sum(int(one["entity"][0]["detail"][0]["valueString"]) for one in found)


def numbered(*which: int) -> list[dict[str, Any]]:
    return [{"number": number} for number in which]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "audit", KEY)
    yield journal
    journal.close()


def file_of(journal: Journal) -> Path:
    return journal._folder / journal.state.file


def test_events_are_written_behind_the_call(journal: Journal) -> None:
    assert journal.state == JournalState("starting")
    journal.record(list(ALL.values()))
    until(lambda: journal.state.written == len(ALL))
    state = journal.state
    assert (state.status, state.file, state.seq, state.waiting) == ("up", "audit-1.ndjson", len(ALL), 0)
    verdict = verify(file_of(journal), KEY)
    assert verdict.whole
    assert (verdict.seq, verdict.hash) == (state.seq, state.head)
    assert kept(file_of(journal)) == list(ALL.values())
    journal.record([])


def test_close_writes_what_waits(journal: Journal) -> None:
    for start in range(0, 9000, 100):
        journal.record(numbered(*range(start, start + 100)))
    journal.close()
    assert numbers(file_of(journal)) == list(range(9000))
    journal.record(numbered(1))
    journal.start()
    assert journal.state.lost == 1
    assert journal.state.waiting == 0


def test_groups_leave_the_disk_alone_in_between(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    append = ChainFile.append

    def counted(self: ChainFile, group: Sequence[bytes]) -> None:
        groups.append(len(group))
        append(self, group)

    monkeypatch.setattr(ChainFile, "append", counted)
    end = time.monotonic() + 1.0
    sent = 0
    while time.monotonic() < end:
        journal.record(numbered(sent))
        sent += 1
        time.sleep(0.002)
    journal.close()
    assert sum(groups) == sent
    assert len(groups) <= 8


def test_a_kill_in_the_middle_of_writing_loses_nothing_that_was_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "audit-1.ndjson"
    said = 0
    for turn in range(6 if LONG else 3):
        running = writer(tmp_path, 10**9)
        assert running.stdout is not None
        before = path.stat().st_size if path.exists() else 0
        for line in running.stdout:
            file, seq = line.rstrip(b"\n").split(b" ")
            said = int(seq) if file else said
            if path.exists() and path.stat().st_size > before + 2_000_000 * (turn + 1):
                break
        running.kill()
        running.wait(timeout=10)
        running.stdout.close()
        assert {one.kind for one in verify(path, KEY).findings} <= {"torn"}
        again = Journal(tmp_path, KEY)
        again.record([{"turn": turn}])
        again.close()
        verdict = verify(path, KEY)
        assert verdict.whole
        assert verdict.seq > said
    assert [path.name for path in tmp_path.glob("*.ndjson")] == ["audit-1.ndjson"]
    torn = len(list(tmp_path.glob("*.torn-*")))
    assert torn == Counter(one.get("subtype", [{}])[0].get("code") for one in kept(path))["torn"]


def test_two_processes_write_to_files_of_their_own(tmp_path: Path) -> None:
    running = [writer(tmp_path, 4000) for _ in range(2)]
    for one in running:
        one.communicate(timeout=60)
        assert one.returncode == 0
    files = sorted(tmp_path.glob("*.ndjson"))
    assert sum(len(numbers(path)) for path in files) == 8000
    assert all(verify(path, KEY).whole for path in files)


FULL_DISK = """
import resource, sys, time
from pathlib import Path
from cds_service.adapters.audit.chain import Hasher
from cds_service.adapters.audit.journal import Journal

def until(holds):
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, journal.state
        time.sleep(0.01)

journal = Journal(Path(sys.argv[1]), Hasher.of("k" * 16))
journal.record([{"number": -1}])
until(lambda: journal.state.written == 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
started = time.monotonic()
journal.record([{"number": n, "text": "x" * 500} for n in range(400)])
assert time.monotonic() - started < 1
until(lambda: journal.state.status == "down")
assert (journal.state.error, journal.state.waiting, journal.state.lost) == ("EFBIG", 400, 0), journal.state
assert journal.state.since is not None
assert Path(sys.argv[1], "audit-1.ndjson").stat().st_size < 1000  # no half group is left
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
until(lambda: journal.state.written == 401)
assert (journal.state.status, journal.state.error, journal.state.since) == ("up", "", None), journal.state
journal.close()
"""


def test_a_full_disk_holds_the_events(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", FULL_DISK, str(tmp_path)], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert numbers(tmp_path / "audit-1.ndjson") == list(range(-1, 400))
    assert verify(tmp_path / "audit-1.ndjson", KEY).whole
    assert not list(tmp_path.glob("*.torn-*"))


def test_a_full_queue_is_counted_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING", 100)
    journal = Journal(tmp_path / "not yet" / "audit", KEY)
    for start in range(0, 250, 50):
        journal.record(numbered(*range(start, start + 50)))
    until(lambda: journal.state.status == "down")
    assert (journal.state.error, journal.state.waiting, journal.state.lost) == ("ENOENT", 100, 150)
    (tmp_path / "not yet").mkdir()
    until(lambda: journal.state.written == 100)
    journal.record(numbered(1000))
    journal.close()
    path = file_of(journal)
    assert numbers(path) == [*range(100), 1000]
    assert said_lost(path) == 150
    assert verify(path, KEY).whole
    said = [event["event"] for event in told(caplog)]
    assert sorted(said[:2]) == ["audit_down", "audit_loses_events"]
    assert said[2:] == ["audit_up_again"]


def test_what_is_lost_while_the_loss_is_written_is_said_too(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_WAITING", 2)
    append = ChainFile.append
    late = iter([5, 4])

    def busy(self: ChainFile, group: Sequence[bytes]) -> None:
        journal.record(numbered(*range(next(late, 0))))
        append(self, group)

    monkeypatch.setattr(ChainFile, "append", busy)
    journal.record(numbered(*range(10)))
    journal.close()
    assert journal.state.lost + journal.state.written == 10 + 5 + 4
    assert said_lost(file_of(journal)) == journal.state.lost
    assert verify(file_of(journal), KEY).whole


def test_an_event_that_cannot_be_written_takes_no_other_with_it(journal: Journal) -> None:
    journal.record([*numbered(1), {"number": object()}, *numbered(2), {"text": "x" * MAX_EVENT_BYTES}, *numbered(3)])
    until(lambda: journal.state.written == 3)
    journal.record([{"number": {1, 2}}])
    journal.close()
    assert numbers(file_of(journal)) == [1, 2, 3]
    assert journal.state.lost == said_lost(file_of(journal)) == 3
    assert journal.state.waiting == 0


def test_a_file_that_is_replaced_is_noticed(journal: Journal, tmp_path: Path) -> None:
    journal.record(numbered(1))
    until(lambda: journal.state.written == 1)
    path = file_of(journal)
    path.rename(tmp_path / "taken")
    path.mkdir()
    journal.record(numbered(2))
    until(lambda: journal.state.written == 2)
    assert journal.state.file == "audit-2.ndjson"
    assert numbers(file_of(journal)) == [2]
    assert numbers(tmp_path / "taken") == [1]
    shutil.rmtree(journal._folder)
    journal.record(numbered(3))
    until(lambda: journal.state.written == 3)
    assert numbers(file_of(journal)) == [3]


def test_a_folder_that_goes_away_is_noticed_without_work(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_LOOK_EVERY", 0.05)
    journal.start()
    until(lambda: journal.state.status == "up")
    journal._folder.rename(tmp_path / "taken")
    until(lambda: (journal._folder / "audit-1.ndjson.head").exists())
    assert journal.state.waiting == 0


def test_a_head_that_cannot_be_written_holds_the_events(journal: Journal) -> None:
    journal.record(numbered(1))
    until(lambda: journal.state.written == 1)
    in_the_way = journal._folder / "audit-1.ndjson.head.new"
    in_the_way.mkdir()
    journal.record(numbered(2, 3))
    until(lambda: journal.state.status == "down")
    assert (journal.state.error, journal.state.waiting) == ("EISDIR", 2)
    in_the_way.rmdir()
    until(lambda: journal.state.written == 3)
    assert numbers(file_of(journal)) == [1, 2, 3]
    assert verify(file_of(journal), KEY).whole


def test_a_fault_of_any_kind_holds_the_events(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    append = ChainFile.append
    faults = iter([RuntimeError("Practitioner/p1"), OSError("no number")])

    def faulty(self: ChainFile, group: Sequence[bytes]) -> None:
        for fault in faults:
            raise fault
        append(self, group)

    monkeypatch.setattr(ChainFile, "append", faulty)
    journal.record(numbered(1))
    until(lambda: journal.state.written == 1)
    assert numbers(file_of(journal)) == [1]
    assert {"event": "audit_down", "level": "error", "error": "RuntimeError"} in told(caplog)
    assert "Practitioner" not in caplog.text


def test_a_disk_that_stays_away_does_not_hold_up_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "not" / "there", KEY)
    journal.record(numbered(1, 2))
    until(lambda: journal.state.status == "down")
    started = time.monotonic()
    journal.close()
    assert time.monotonic() - started < 2
    assert {"event": "audit_stopped", "level": "error", "lost": 2} in told(caplog)


def test_a_damaged_file_is_left_and_the_next_begun(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.record(numbered(1, 2, 3))
    journal.close()
    path = file_of(journal)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    again = Journal(journal._folder, KEY)
    again.record(numbered(4))
    again.close()
    assert again.state.file == "audit-2.ndjson"
    assert not verify(path, KEY).whole
    assert {"event": "audit_file_not_whole", "level": "error", "file": "audit-1.ndjson"} in told(caplog)


@pytest.mark.parametrize("key", [None, "k" * 16])
def test_the_settings_make_it(tmp_path: Path, key: str | None) -> None:
    settings = Settings(audit_folder=tmp_path, hash_key=SecretStr(key) if key else None)
    journal = journal_of(settings)
    journal.record(numbered(1))
    journal.close()
    verdict = verify(tmp_path / "audit-1.ndjson", Hasher.of(key))
    assert verdict.whole
    assert verdict.keyed is (key is not None)


def test_without_a_folder_there_is_none() -> None:
    journal = journal_of(Settings())
    assert isinstance(journal, NoJournal)
    journal.start()
    journal.record(numbered(1))
    journal.close()
    assert journal.state.status == "off"


def test_a_hundred_thousand_events(journal: Journal) -> None:
    """In the long profile; else ten thousand. How long it takes is printed, not asserted: run with ``-s``."""
    groups = 1000 if LONG else 100
    event = ALL["hook call"]
    started = time.perf_counter()
    for _ in range(groups):
        while journal.state.waiting > 9_900:
            time.sleep(0.001)
        journal.record([event] * 100)
    journal.close(120)
    took = time.perf_counter() - started
    assert journal.state.written == groups * 100
    path = file_of(journal)
    started = time.perf_counter()
    assert verify(path, KEY).whole
    checked = time.perf_counter() - started
    megabytes = path.stat().st_size / 1e6
    print(f"\n{groups * 100:,} events, {megabytes:.0f} MB: on disk in {took:.1f} s, checked in {checked:.1f} s")
