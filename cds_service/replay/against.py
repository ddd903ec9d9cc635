"""Find what ``--against`` names: content in a folder or a wheel, an earlier run, or one of them by its version."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import orjson

from cds_service.base.errors import ContentError, WrongSetting
from cds_service.base.settings import Settings
from cds_service.replay.wheel_content import SUFFIX, content_folder
from cds_service.service.evaluate import content_version

REPORT = "report.json"
_VERSION = re.compile(r"[0-9a-f]{12}")
_A_CONTENT_FILE = "about.toml"


def against(given: str, out: Path, settings: Settings) -> Path:
    """Return the path that ``given`` names. A version is looked for in the folder that holds ``out``.

    A version is a digest, which does not hold the content; so the content, or a run judged by it, must still be there.

    Raises:
        WrongSetting: there is no such path, nothing of this version, or there are several runs of it and no content.
    """
    if Path(given).exists():
        return Path(given)
    if not _VERSION.fullmatch(given):
        raise WrongSetting(
            f"--against {given}: there is no such folder or wheel, and a version has 12 letters and digits"
        )
    beside = out.resolve().parent
    unreadable: list[str] = []
    # Content is better than a run: it needs no pseudonym key, and judges the same openings.
    content = next(_contents(given, beside, settings, unreadable), None)
    if content is not None:
        return content
    runs = [path.parent for path in sorted(beside.glob(f"*/{REPORT}")) if _judged_by(path) == given]
    if len(runs) == 1:
        return runs[0]
    if runs:
        names = ", ".join(str(run) for run in runs)
        raise WrongSetting(f"--against {given}: several replays have this content; give the folder of one: {names}")
    skipped = f" (cannot be read: {', '.join(unreadable)})" if unreadable else ""
    raise WrongSetting(
        f"--against {given}: in {beside} is no wheel, content folder or finished replay of this version{skipped}. A "
        "version does not hold the content itself: give the wheel or the content folder of that version, or the "
        f"folder of a replay that used it. The present content is {content_version(settings)}"
    )


def is_run(path: Path) -> bool:
    """Whether ``path`` is the folder of a finished replay."""
    return (path / REPORT).is_file()


def _contents(version: str, beside: Path, settings: Settings, unreadable: list[str]) -> Iterator[Path]:
    """Yield the wheels and content folders of this version. Adds the name of what cannot be read to ``unreadable``."""
    folders = [path.parent for path in sorted(beside.glob(f"*/{_A_CONTENT_FILE}"))]
    for path in (*sorted(beside.glob(f"*{SUFFIX}")), *folders):
        try:
            with content_folder(path) as folder:
                is_it = content_version(settings.model_copy(update={"cards": folder})) == version
        except ContentError:
            unreadable.append(path.name)
            continue
        if is_it:
            yield path


def _judged_by(report: Path) -> str | None:
    """Return the version of the content of a replay; None if the file is no report of a replay."""
    try:
        read = orjson.loads(report.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return read.get("content") if isinstance(read, dict) else None
