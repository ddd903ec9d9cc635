"""The chain: whatever is done to a file shows, and what a crash leaves is mended in the open."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.adapters.audit.chain import (
    MAX_LINE_BYTES,
    START,
    Hasher,
    Head,
    Link,
    genesis,
    genesis_content,
    head_of,
)
from cds_service.adapters.audit.chain_file import MAX_EVENT_BYTES, ChainFile
from cds_service.adapters.audit.verify import MAX_FINDINGS, Verdict, verify

KEY = Hasher.of("k" * 16)
OTHER = Hasher.of("o" * 16)
PLAIN = Hasher.of(None)
HASHERS = {"keyed": KEY, "plain": PLAIN}


def written(folder: Path, hasher: Hasher = KEY, groups: Sequence[int] = (3, 2, 1)) -> Path:
    """A chain with groups of events, and its head; the genesis is line 1."""
    file = ChainFile.claim(folder, hasher)
    number = 0
    for size in groups:
        file.append([orjson.dumps({"number": number + n, "text": "Ünï\n"}) for n in range(size)])
        number += size
    file.close()
    return file.path


def kinds(verdict: Verdict) -> list[tuple[str, int | None]]:
    return [(one.kind, one.line) for one in verdict.findings]


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture(params=list(HASHERS.values()), ids=list(HASHERS))
def hasher(request: pytest.FixtureRequest) -> Hasher:
    found: Hasher = request.param
    return found


def test_a_chain_is_whole_and_says_how_it_was_made(tmp_path: Path, hasher: Hasher) -> None:
    path = written(tmp_path, hasher)
    verdict = verify(path, hasher)
    assert verdict.whole
    assert (verdict.lines, verdict.seq, verdict.keyed) == (7, 6, hasher.keyed)
    first = Link.parse(lines(path)[0])
    assert first is not None
    said = genesis_content(first)
    assert said is not None
    assert (said["hash"], len(said["chain"])) == (hasher.algorithm, 32)
    assert datetime.fromisoformat(said["begun"]).tzinfo is not None
    assert path.stat().st_mode & 0o077 == 0
    assert head_of(path).stat().st_mode & 0o077 == 0


def test_the_lines_are_json_and_the_hash_can_be_computed_by_anybody(tmp_path: Path) -> None:
    path = written(tmp_path, PLAIN)
    previous = START
    for number, line in enumerate(lines(path)):
        found = orjson.loads(line)
        assert list(found) == ["seq", "previous", "hash", "event"]
        assert (found["seq"], found["previous"]) == (number, previous)
        event = line[line.index(b'"event":') + 8 : -2]
        text = b"line:%d:%s:%s" % (number, previous.encode(), event)
        assert found["hash"] == hashlib.sha256(text).hexdigest()
        previous = found["hash"]
    assert orjson.loads(head_of(path).read_bytes())["hash"] == previous


def test_two_chains_differ_from_their_first_line(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    assert genesis(KEY, now).hash != genesis(KEY, now).hash


@pytest.fixture(scope="module")
def samples() -> Iterator[dict[str, Path]]:
    """A keyed and a plain chain, to be copied and spoilt."""
    with tempfile.TemporaryDirectory() as made:
        found = {}
        for name, one in HASHERS.items():
            (Path(made) / name).mkdir()
            found[name] = written(Path(made) / name, one)
        yield found


def spoilt(text: bytes, head: bytes, hasher: Hasher) -> Verdict:
    """The verdict on a file that holds ``text``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit-1.ndjson"
        path.write_bytes(text)
        head_of(path).write_bytes(head)
        return verify(path, hasher)


@given(data=st.data(), name=st.sampled_from(sorted(HASHERS)))
def test_any_changed_byte_is_found(data: st.DataObject, name: str, samples: dict[str, Path]) -> None:
    text = bytearray(samples[name].read_bytes())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    assert not spoilt(bytes(text), head_of(samples[name]).read_bytes(), HASHERS[name]).whole


@pytest.mark.parametrize("name", HASHERS)
def test_each_byte_of_a_line_counts(name: str, samples: dict[str, Path]) -> None:
    """Not left to chance: every byte of the file, one after the other."""
    text = samples[name].read_bytes()
    head = head_of(samples[name]).read_bytes()
    for at in range(len(text)):
        changed = text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :]
        assert not spoilt(changed, head, HASHERS[name]).whole, at


@given(data=st.data(), name=st.sampled_from(sorted(HASHERS)))
def test_any_changed_byte_of_the_head_is_found(data: st.DataObject, name: str, samples: dict[str, Path]) -> None:
    head = bytearray(head_of(samples[name]).read_bytes())
    at = data.draw(st.integers(0, len(head) - 1))
    head[at] ^= data.draw(st.integers(1, 255))
    assert not spoilt(samples[name].read_bytes(), bytes(head), HASHERS[name]).whole


@given(data=st.data(), name=st.sampled_from(sorted(HASHERS)))
def test_any_bytes_taken_or_put_in_are_found(data: st.DataObject, name: str, samples: dict[str, Path]) -> None:
    text = samples[name].read_bytes()
    at = data.draw(st.integers(0, len(text) - 1))
    until = data.draw(st.integers(at, len(text)))
    new = data.draw(st.binary(max_size=20)) or b"\n"
    changed = text[:at] + new + text[until:]
    if changed != text:
        assert not spoilt(changed, head_of(samples[name]).read_bytes(), HASHERS[name]).whole


@given(data=st.data(), name=st.sampled_from(sorted(HASHERS)))
def test_any_other_order_or_choice_of_lines_is_found(data: st.DataObject, name: str, samples: dict[str, Path]) -> None:
    """Deleted, swapped, repeated, shuffled: every file made of the lines but the true one."""
    true = lines(samples[name])
    chosen = data.draw(st.lists(st.sampled_from(range(len(true))), max_size=10))
    if chosen != list(range(len(true))):
        made = b"".join(true[n] for n in chosen)
        assert not spoilt(made, head_of(samples[name]).read_bytes(), HASHERS[name]).whole


def test_each_kind_of_harm_is_called_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path)
    true, head = lines(path), head_of(path).read_bytes()
    a, b, c, d, e, f, g = true
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    foreign = lines(written(elsewhere))
    unlike = d.replace(b'"number":2', b'"number":9')
    again = bytes(Link.after(Link.parse(c), b'{"number":9}', KEY))
    for made, findings in {
        (a, b, c, unlike, e, f, g): [("changed", 4)],
        (a, b, c, b'{"number":2}\n', e, f, g): [("unreadable", 4), ("missing", 5)],
        (a, b, c, e, f, g): [("missing", 4)],
        (a, b, f, g): [("missing", 3)],
        (b, c, d, e, f, g): [("genesis", 1), ("missing", 1)],
        (a, b, d, c, e, f, g): [("missing", 3), ("order", 4), ("missing", 5)],
        (a, b, c, c, d, e, f, g): [("order", 4)],
        (a, b, c, foreign[3], d, e, f, g): [("order", 4), ("order", 5)],
        (a, b, c, again, e, f, g): [("order", 5)],
        (a, b, c, d, e): [("truncated", None)],
        (a, b, c, d, e, f, g[:-9]): [("torn", 7), ("truncated", None)],
        (a,): [("truncated", None)],
        (): [("truncated", None)],
    }.items():
        path.write_bytes(b"".join(made))
        got = [one for one in kinds(verify(path, KEY)) if one != ("head", None)]
        assert got == findings
    path.write_bytes(b"".join(true))
    for beside in (b"", head[:-1], head.replace(b'"seq":6', b'"seq":5'), bytes(Head(6, "0" * 64, 9, "0" * 64))):
        head_of(path).write_bytes(beside)
        assert kinds(verify(path, KEY)) == [("head", None)]
    head_of(path).unlink()
    assert kinds(verify(path, KEY)) == [("head", None)]


def test_a_head_from_before_is_no_fault_but_one_of_another_chain_is(tmp_path: Path) -> None:
    path = written(tmp_path)
    early = head_of(path).read_bytes()
    assert written(tmp_path) == path
    head_of(path).write_bytes(early)  # a crash between the line and its head
    assert verify(path, KEY).whole
    (tmp_path / "b").mkdir()
    head_of(path).write_bytes(head_of(written(tmp_path / "b")).read_bytes())
    assert kinds(verify(path, KEY)) == [("head", None)]


def test_only_a_noted_head_shows_that_both_were_put_back(tmp_path: Path) -> None:
    path = written(tmp_path)
    early = path.read_bytes(), head_of(path).read_bytes()
    written(tmp_path)
    noted = verify(path, KEY).hash
    assert verify(path, KEY, [noted, "0" * 64]).seen == {noted}
    written(tmp_path)
    assert verify(path, KEY, [noted]).seen == {noted}, "the chain has gone on, and still holds it"
    path.write_bytes(early[0])
    head_of(path).write_bytes(early[1])
    assert verify(path, KEY).whole
    assert not verify(path, KEY, [noted]).seen


def test_a_wrong_key_is_one_finding(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert kinds(verify(path, OTHER)) == [("key", 1)]
    assert kinds(verify(path, PLAIN)) == [("key", 1)]
    plain = tmp_path / "plain"
    plain.mkdir()
    verdict = verify(written(plain, PLAIN), KEY)
    assert kinds(verdict) == [("key", 1)], "else whoever changes a file could write it anew without the key"
    assert verdict.seq == 6


def test_a_chain_made_without_the_key_is_found(tmp_path: Path) -> None:
    """Somebody who lacks the key writes everything anew, and says that it is keyed."""
    path = written(tmp_path)
    first = lines(path)[0]
    forged: list[Link] = []
    for line in lines(path):
        link = Link.parse(line)
        assert link is not None
        forged.append(Link.after(forged[-1] if forged else None, link.event, OTHER))
    path.write_bytes(b"".join(bytes(link) for link in forged))
    head_of(path).write_bytes(bytes(Head.at(forged[-1], path.stat().st_size, OTHER)))
    found = kinds(verify(path, KEY))
    assert found == [*(("changed", n) for n in range(1, 8)), ("head", None)]
    path.write_bytes(first)  # a head of one's own making for a shorter chain
    head_of(path).write_bytes(bytes(Head.at(Link.after(None, b"{}", OTHER), len(first), OTHER)))
    assert kinds(verify(path, KEY)) == [("head", None)]


def test_a_number_left_out_is_found_even_if_the_hashes_fit(tmp_path: Path) -> None:
    """Somebody with the key, or where there is none."""
    path = written(tmp_path)
    last = Link.parse(lines(path)[-1])
    assert last is not None
    later = Link(last.seq + 3, last.hash, KEY.line(last.seq + 3, last.hash, b"{}"), b"{}")
    with path.open("ab") as file:
        file.write(bytes(later))
    assert kinds(verify(path, KEY)) == [("missing", 8)]


def test_the_seal_covers_all_of_the_head(tmp_path: Path) -> None:
    head = Head.read(head_of(written(tmp_path)))
    assert head is not None
    assert head.is_sealed(KEY)
    for changed in (replace(head, seq=head.seq - 1), replace(head, hash="0" * 64), replace(head, size=head.size - 1)):
        assert not changed.is_sealed(KEY)


def test_a_file_of_rubbish_needs_little_memory(tmp_path: Path) -> None:
    path = written(tmp_path)
    with path.open("ab") as file:
        file.write(b"x\n" * 1000)
        for _ in range(40):
            file.write(b"y" * 1_000_000)
        file.write(b"\n")
    tracemalloc.start()
    verdict = verify(path, KEY)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(verdict.findings) == MAX_FINDINGS
    assert verdict.count == 1001
    assert most < 10 * MAX_LINE_BYTES


def test_it_goes_on_where_it_stopped(tmp_path: Path, hasher: Hasher) -> None:
    path = written(tmp_path, hasher)
    assert written(tmp_path, hasher) == path
    verdict = verify(path, hasher)
    assert verdict.whole
    assert verdict.seq == 12


def test_a_torn_end_goes_aside_and_the_chain_says_so(tmp_path: Path, hasher: Hasher) -> None:
    path = written(tmp_path, hasher)
    good = path.read_bytes()
    for number, torn in enumerate((b'{"seq":7,"prev', b"\0" * 5000, b'{"seq":9}\n{"seq":10', lines(path)[3]), start=1):
        with path.open("ab") as file:
            file.write(torn)
        assert not verify(path, hasher).whole
        before = lines(path)[: -len(torn.splitlines())]
        assert written(tmp_path, hasher, groups=(1,)) == path
        assert verify(path, hasher).whole
        aside = tmp_path / f"audit-1.ndjson.torn-{number}"
        assert aside.read_bytes() == torn
        assert lines(path)[: len(before)] == before
        said = orjson.loads(lines(path)[len(before)])["event"]
        assert said["subtype"][0]["code"] == "torn"
        told = {one["type"]: one["valueString"] for one in said["entity"][0]["detail"]}
        assert told == {
            "file": aside.name,
            "bytes": str(len(torn)),
            "sha256": hashlib.sha256(torn).hexdigest(),
        }
    assert path.read_bytes().startswith(good)


def test_a_torn_end_is_said_even_if_the_disk_fails_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"seq":7,')
    with monkeypatch.context() as patched:

        def full(self: ChainFile, links: Sequence[Link]) -> None:
            raise OSError("full")

        patched.setattr(ChainFile, "_write", full)
        with pytest.raises(OSError, match="full"):
            ChainFile.claim(tmp_path, KEY)
    aside = tmp_path / "audit-1.ndjson.torn-1"
    assert not aside.exists()
    with path.open("ab") as file:
        file.write(b'{"seq":7,"again')
    assert written(tmp_path, groups=(1,)) == path
    assert verify(path, KEY).whole
    assert aside.read_bytes() == b'{"seq":7,'
    assert (tmp_path / "audit-1.ndjson.torn-2").read_bytes() == b'{"seq":7,"again'
    assert path.read_bytes().count(b'"code":"torn"') == 2
    assert not list(tmp_path.glob("*.new"))


def test_whole_lines_beyond_the_head_are_kept(tmp_path: Path) -> None:
    """A crash after the lines, before their head: nothing is torn."""
    path = written(tmp_path)
    early = head_of(path).read_bytes()
    written(tmp_path)
    head_of(path).write_bytes(early)
    written(tmp_path, groups=(1,))
    assert verify(path, KEY).seq == 13
    assert verify(path, KEY).whole
    assert not list(tmp_path.glob("*.torn-*"))


@pytest.mark.parametrize(
    "harm", ["cut", "no head", "another head", "own head", "changed last", "line gone", "emptied", "gone"]
)
def test_it_does_not_go_on_with_what_is_not_whole(tmp_path: Path, harm: str) -> None:
    """To go on would cover what was done: the head would move past it."""
    path = written(tmp_path)
    text = path.read_bytes()
    if harm == "cut":
        path.write_bytes(b"".join(lines(path)[:-1]))
    elif harm == "no head":
        head_of(path).unlink()
    elif harm == "another head":
        head_of(path).write_bytes(b"{}\n")
    elif harm == "own head":  # without the key
        path.write_bytes(b"".join(lines(path)[:-1]))
        last = Link.parse(lines(path)[-1])
        assert last is not None
        head_of(path).write_bytes(bytes(Head.at(last, path.stat().st_size, OTHER)))
    elif harm == "line gone":
        path.write_bytes(b"".join([*lines(path)[:2], *lines(path)[3:]]))
    elif harm == "changed last":
        path.write_bytes(text.replace(b'"number":5', b'"number":6'))
    elif harm == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()
    assert written(tmp_path).name == "audit-2.ndjson"
    assert not verify(path, KEY).whole
    assert verify(tmp_path / "audit-2.ndjson", KEY).whole


def test_another_key_begins_another_file(tmp_path: Path) -> None:
    assert written(tmp_path).name == "audit-1.ndjson"
    assert written(tmp_path, OTHER).name == "audit-2.ndjson"
    assert written(tmp_path, PLAIN).name == "audit-3.ndjson"
    assert written(tmp_path, OTHER).name == "audit-2.ndjson"
    assert verify(tmp_path / "audit-2.ndjson", OTHER).whole


def test_each_holder_has_a_file_of_its_own(tmp_path: Path) -> None:
    first, second = ChainFile.claim(tmp_path, KEY), ChainFile.claim(tmp_path, KEY)
    assert (first.path.name, second.path.name) == ("audit-1.ndjson", "audit-2.ndjson")
    with first.path.open("ab") as file:
        file.write(b'{"seq":1,')
    assert verify(first.path, KEY).whole, "what a running service has begun to write is not torn"
    first.close()
    assert kinds(verify(first.path, KEY)) == [("torn", 2)]
    third = ChainFile.claim(tmp_path, KEY)
    assert third.path == first.path
    third.close()
    second.close()


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "audit-1.ndjson").mkdir()
    (tmp_path / "audit-2.ndjson").symlink_to(tmp_path / "elsewhere")
    assert written(tmp_path).name == "audit-3.ndjson"
    assert not (tmp_path / "elsewhere").exists()
    shutil.rmtree(tmp_path / "audit-1.ndjson")
    assert written(tmp_path).name == "audit-1.ndjson"


def test_the_longest_event_fits(tmp_path: Path) -> None:
    file = ChainFile.claim(tmp_path, KEY)
    event = b'{"a":"%s"}' % (b"x" * (MAX_EVENT_BYTES - 8))
    assert len(event) == MAX_EVENT_BYTES
    file.append([event, event])
    file.close()
    assert written(tmp_path) == file.path
    assert verify(file.path, KEY).whole
