"""Run a whole replay, from the input to the report."""

from __future__ import annotations

from typing import Any

from cds_service.base.settings import Settings
from cds_service.replay.against import REPORT
from cds_service.replay.jobs import Services
from cds_service.replay.local import Progress, finish, judge_all
from cds_service.replay.options import Options
from cds_service.replay.page import page
from cds_service.replay.report import compared, report, write_json, write_places


def replay(
    options: Options, settings: Settings, progress: Progress = lambda *_: None, services: Services | None = None
) -> dict[str, Any]:
    """Judge everything, write the report and return its data. ``services``: as for ``judge_all``.

    Raises:
        UnusableInput, WrongSetting, ContentError, ReplayStopped: as ``judge_all`` says.
    """
    done = judge_all(options, settings, progress, services)
    report_data = report(done)
    if (changed := compared(done)) is not None:
        report_data["changes"] = changed
    write_places(done)
    (options.out / "report.html").write_text(page(report_data), encoding="utf-8")
    write_json(report_data, options.out / REPORT)
    finish(done)
    return report_data
