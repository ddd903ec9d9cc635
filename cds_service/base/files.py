"""Reads the content folder from disk, so that the clinical package never opens a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cds_service.base.errors import ContentError, Problem


def read_texts(folder: Path, *suffixes: str) -> Mapping[str, str]:
    """Return the text of every file below ``folder`` with one of ``suffixes``, by its relative POSIX path.

    The default suffix is ``.toml``.

    Raises:
        ContentError: the folder is missing or holds no such file, or a file is not UTF-8.
    """
    if not folder.is_dir():
        raise ContentError((Problem(str(folder), "", "this folder does not exist", "set KNEE_CDS_CARDS"),))
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    wanted = suffixes or (".toml",)
    for path in sorted(file for file in folder.rglob("*") if file.suffix in wanted):
        name = path.relative_to(folder).as_posix()
        try:
            texts[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(name, "", f"cannot be read: {error}", "save the file as UTF-8"))
    if not texts and not problems:
        problems.append(Problem(str(folder), "", f"holds no {wanted[0]} file", "set KNEE_CDS_CARDS"))
    if problems:
        raise ContentError(tuple(problems))
    return texts


def read_text(path: Path | None, hint: str) -> str | None:
    """Return the text of a site's file; None if ``path`` is None. ``hint``: the setting that names the file.

    Raises:
        ContentError: the file cannot be read.
    """
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError((Problem(str(path), "", f"cannot be read: {error}", hint),)) from error
