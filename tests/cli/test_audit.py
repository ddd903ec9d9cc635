"""``knee-cds audit verify``: what is wrong, in which line of which file, and the exit code that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.adapters.audit.chain import Hasher, head_of
from cds_service.adapters.audit.chain_file import ChainFile
from cds_service.adapters.audit.verify import verify
from cds_service.cli.main import main

SECRET = "key of the north site"
PRIVATE = b'{"who":"Practitioner/p1"}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two whole files, keyed; the folder and the key are set."""
    folder = tmp_path / "audit"
    monkeypatch.setenv("KNEE_CDS_AUDIT_FOLDER", str(folder))
    monkeypatch.setenv("KNEE_CDS_HASH_KEY", SECRET)
    files = [ChainFile.claim(folder, Hasher.of(SECRET)) for _ in range(2)]
    for file in files:
        file.append([PRIVATE] * 4)
        file.close()
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["audit", "verify", *arguments])
    said = capsys.readouterr()
    assert "Practitioner" not in said.out + said.err
    assert SECRET not in said.out + said.err
    return code, (said.out + said.err).splitlines()


def test_whole_files_are_said_to_be(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys)
    assert code == 0
    heads = [verify(folder / f"audit-{n}.ndjson", Hasher.of(SECRET)).hash for n in (1, 2)]
    assert said == [f"{folder}/audit-{n}.ndjson: whole, 5 lines, keyed; head {heads[n - 1]}" for n in (1, 2)]
    assert run(capsys, str(folder), "--head", heads[0], "--head", heads[1])[0] == 0
    assert run(capsys, str(folder / "audit-2.ndjson"))[0] == 0


def test_every_fault_is_named_with_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = folder / "audit-1.ndjson", folder / "audit-2.ndjson"
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join([*lines[:2], lines[2].replace(b"p1", b"p2"), lines[4]]))
    second.write_bytes(second.read_bytes()[:-10])
    code, said = run(capsys)
    assert code == 1
    assert said == [
        f"{first}:3: changed: event 2 does not match its hash: the line was changed",
        f"{first}:4: missing: event 3 is missing before this line",
        f"{first}: head: event 4 does not match the head file",
        f"{second}:5: torn: the last line is cut off after {len(lines[4]) - 10} bytes",
        f"{second}: truncated: the end is missing: the head names event 4, but the file ends with event 3",
    ]


def test_a_head_noted_elsewhere_must_be_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = run(capsys, "--head", "a" * 64)
    assert code == 1
    assert said[-1].startswith(f"head {'a' * 64} is in none of the files")


def test_a_file_that_is_gone_is_missed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = folder / "audit-1.ndjson"
    first.unlink()
    code, said = run(capsys)
    assert code == 1
    assert said[0] == f"{first}: missing: only its head is there"
    head_of(first).unlink()
    code, said = run(capsys)
    assert code == 1
    assert said[0] == f"{folder}: missing: audit-1.ndjson"
    (folder / "audit-2.ndjson").rename(folder / "audit-7.ndjson")
    assert f"{folder}/audit-2.ndjson: missing: only its head is there" in run(capsys)[1]
    assert f"{folder}: missing: audit-3.ndjson to audit-6.ndjson" in run(capsys)[1]
    for path in folder.iterdir():
        path.unlink()
    assert run(capsys) == (1, [f"{folder}: holds no audit file"])


def test_what_cannot_be_read_is_a_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "audit-3.ndjson").mkdir()
    code, said = run(capsys)
    assert code == 1
    assert said[-1] == f"{folder}/audit-3.ndjson: cannot be read: Is a directory"


def test_many_faults_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "audit-1.ndjson").open("ab") as file:
        file.write(b"x\n" * 250)
    code, said = run(capsys)
    assert code == 1
    assert f"{folder}/audit-1.ndjson: and 150 more" in said


def test_the_wrong_key_is_said_once(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNEE_CDS_HASH_KEY", "another key of a site")
    code, said = run(capsys, str(folder / "audit-1.ndjson"))
    assert (code, len(said)) == (1, 1)
    monkeypatch.delenv("KNEE_CDS_HASH_KEY")
    code, said = run(capsys, str(folder / "audit-1.ndjson"))
    assert code == 1
    assert "KNEE_CDS_HASH_KEY" in said[0]


def test_wrong_use_is_no_verdict(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, str(folder / "none"))[0] == 2
    assert run(capsys, "--head", "not a hash")[0] == 2
    monkeypatch.delenv("KNEE_CDS_AUDIT_FOLDER")
    code, said = run(capsys)
    assert code == 2
    assert "KNEE_CDS_AUDIT_FOLDER" in " ".join(said)
    with pytest.raises(SystemExit) as left:
        main(["audit"])
    assert left.value.code == 2
