"""``knee-cds audit verify``: check that every line of the journal is present, unchanged and in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cds_service.adapters.audit.chain import Hasher
from cds_service.adapters.audit.verify import verify as verify_file
from cds_service.base.errors import WrongSetting
from cds_service.base.settings import Settings

_NAME = re.compile(r"audit-([1-9][0-9]*)\.ndjson(?:\.head)?")
_HASH = re.compile(r"[0-9a-f]{64}")


def verify(paths: Sequence[Path], heads: Sequence[str], settings: Settings) -> bool:
    """Check the journal and print what is wrong: file, line and kind. Returns whether the journal is complete.

    Args:
        paths: files and folders; if empty, the folder in the settings.
        heads: hashes of lines that were noted earlier; each must be in one of the files.
        settings: names the folder and the key.

    Raises:
        WrongSetting: no path is given, or a path does not exist.
    """
    if not paths and settings.audit_folder is None:
        raise WrongSetting("Give a folder or a file, or set KNEE_CDS_AUDIT_FOLDER")
    chosen = list(paths) or [path for path in (settings.audit_folder,) if path]
    for path in chosen:
        if not path.exists():
            raise WrongSetting(f"{path} does not exist")
    if not all(_HASH.fullmatch(head) for head in heads):
        raise WrongSetting("--head takes the hash of a line: 64 hexadecimal digits")
    key = settings.hash_key
    hasher = Hasher.of(key.get_secret_value() if key else None)
    check = _Check(hasher, heads)
    for path in chosen:
        if path.is_dir():
            check.check_folder(path)
        else:
            check.check_file(path)
    return check.is_whole()


class _Check:
    def __init__(self, hasher: Hasher, heads: Sequence[str]) -> None:
        self._hasher = hasher
        self._wanted = list(dict.fromkeys(heads))
        self._seen: set[str] = set()
        self._whole = True

    def check_folder(self, folder: Path) -> None:
        numbers = sorted(set(_numbers(folder)))
        if not numbers:
            self._report(f"{folder}: holds no audit file")
        before = 0
        for number in numbers:
            if number > before + 1:
                which = f"audit-{before + 1}.ndjson" + (f" to audit-{number - 1}.ndjson" if number > before + 2 else "")
                self._report(f"{folder}: missing: {which}")
            path = folder / f"audit-{number}.ndjson"
            if path.exists():
                self.check_file(path)
            else:
                self._report(f"{path}: missing: only its head is there")
            before = number

    def check_file(self, path: Path) -> None:
        try:
            verdict = verify_file(path, self._hasher, self._wanted)
        except OSError as error:
            self._report(f"{path}: cannot be read: {error.strerror}")
            return
        self._seen |= verdict.seen
        for finding in verdict.findings:
            where = f"{path}:{finding.line}" if finding.line is not None else f"{path}"
            self._report(f"{where}: {finding.kind}: {finding.words}")
        if verdict.count > len(verdict.findings):
            self._report(f"{path}: and {verdict.count - len(verdict.findings)} more")
        if verdict.whole:
            how = "keyed" if verdict.keyed else "without a key"
            _say(f"{path}: whole, {verdict.lines} lines, {how}; head {verdict.hash}")

    def is_whole(self) -> bool:
        for head in self._wanted:
            if head not in self._seen:
                self._report(f"head {head} is in none of the files: the end was cut off, or it is another chain")
        return self._whole

    def _report(self, words: str) -> None:
        self._whole = False
        _say(words)


def _numbers(folder: Path) -> Iterator[int]:
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found is not None:
            yield int(found[1])


def _say(words: str) -> None:
    Console().print(Text(words), soft_wrap=True)
