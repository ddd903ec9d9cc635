"""``knee-cds audit verify``: is every line of the journal there, unchanged and in its place?"""

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
    """Whether all is whole; says on standard output what is not: file, line and what.

    Args:
        paths: files and folders; none: the folder that is set.
        heads: hashes of lines, noted earlier; each must be in one of the files.
        settings: for the folder and the key.

    Raises:
        WrongSetting: nothing is named, or what is named is not there.
    """
    if not paths and settings.audit_folder is None:
        raise WrongSetting("Name a folder or a file, or set KNEE_CDS_AUDIT_FOLDER")
    chosen = list(paths) or [path for path in (settings.audit_folder,) if path]
    for path in chosen:
        if not path.exists():
            raise WrongSetting(f"{path} does not exist")
    if not all(_HASH.fullmatch(head) for head in heads):
        raise WrongSetting("--head takes the hash of a line: 64 hexadecimal digits")
    key = settings.hash_key
    hasher = Hasher.of(key.get_secret_value() if key else None)
    looked = _Looking(hasher, heads)
    for path in chosen:
        if path.is_dir():
            looked.at_folder(path)
        else:
            looked.at_file(path)
    return looked.is_whole()


class _Looking:
    def __init__(self, hasher: Hasher, heads: Sequence[str]) -> None:
        self._hasher = hasher
        self._wanted = list(dict.fromkeys(heads))
        self._seen: set[str] = set()
        self._whole = True

    def at_folder(self, folder: Path) -> None:
        there = sorted(set(_numbers(folder)))
        if not there:
            self._wrong(f"{folder}: holds no audit file")
        before = 0
        for number in there:
            if number > before + 1:
                which = f"audit-{before + 1}.ndjson" + (f" to audit-{number - 1}.ndjson" if number > before + 2 else "")
                self._wrong(f"{folder}: missing: {which}")
            path = folder / f"audit-{number}.ndjson"
            if path.exists():
                self.at_file(path)
            else:
                self._wrong(f"{path}: missing: only its head is there")
            before = number

    def at_file(self, path: Path) -> None:
        try:
            verdict = verify_file(path, self._hasher, self._wanted)
        except OSError as error:
            self._wrong(f"{path}: cannot be read: {error.strerror}")
            return
        self._seen |= verdict.seen
        for one in verdict.findings:
            where = f"{path}:{one.line}" if one.line is not None else f"{path}"
            self._wrong(f"{where}: {one.kind}: {one.words}")
        if verdict.count > len(verdict.findings):
            self._wrong(f"{path}: and {verdict.count - len(verdict.findings)} more")
        if verdict.whole:
            how = "keyed" if verdict.keyed else "without a key"
            _say(f"{path}: whole, {verdict.lines} lines, {how}; head {verdict.hash}")

    def is_whole(self) -> bool:
        for head in self._wanted:
            if head not in self._seen:
                self._wrong(f"head {head} is in none of the files: the end was cut off, or it is another chain")
        return self._whole

    def _wrong(self, words: str) -> None:
        self._whole = False
        _say(words)


def _numbers(folder: Path) -> Iterator[int]:
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found is not None:
            yield int(found[1])


def _say(words: str) -> None:
    Console().print(Text(words), soft_wrap=True)
