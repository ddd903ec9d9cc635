"""A run from the input to the report."""

from __future__ import annotations

from typing import Any

from cds_service.ground.settings import Settings
from cds_service.replay.options import Options
from cds_service.replay.report import report, write_json, write_places
from cds_service.replay.run import Progress, finish, judge_all


def replay(options: Options, settings: Settings, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Judge everything and write the report; what the report says.

    Raises:
        UnusableInput, WrongSetting, ContentError, ReplayStopped: as ``judge_all`` says.
    """
    done = judge_all(options, settings, progress)
    found = report(done)
    write_places(done)
    write_json(found, options.out / "report.json")
    finish(done)
    return found
