"""Reading the content folder from disk, so that the clinical floor never touches a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cds_service.base.errors import ContentError, Problem


def read_texts(folder: Path, *suffixes: str) -> Mapping[str, str]:
    """Every file below ``folder`` with one of ``suffixes``, ``.toml`` if none is given: relative POSIX path -> text.

    Raises:
        ContentError: the folder is missing, empty, or a file is not UTF-8.
    """
    if not folder.is_dir():
        raise ContentError((Problem(str(folder), "", "this folder does not exist", "set KNEE_CDS_CARDS"),))
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    wanted = suffixes or (".toml",)
    for path in sorted(one for one in folder.rglob("*") if one.suffix in wanted):
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
    """Text of a file of the site, or None when the site has none. ``hint``: the setting that names it.

    Raises:
        ContentError: a file is named but cannot be read.
    """
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError((Problem(str(path), "", f"cannot be read: {error}", hint),)) from error
