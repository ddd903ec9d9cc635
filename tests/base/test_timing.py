from __future__ import annotations

import time

from cds_service.base.timing import Stages


def test_each_stage_has_its_own_time_and_a_stage_may_come_again() -> None:
    stages = Stages()
    time.sleep(0.02)
    stages.end("parse")
    stages.end("read")
    time.sleep(0.02)
    stages.end("read")
    assert list(stages.seconds) == ["parse", "read"]
    assert stages.seconds["parse"] >= 0.02
    assert stages.seconds["read"] >= 0.02
    assert stages.total == sum(stages.seconds.values())


def test_the_header_is_in_milliseconds() -> None:
    stages = Stages()
    stages.seconds = {"parse": 0.0012, "store": 0.5}
    assert stages.as_header() == "parse;dur=1.200, store;dur=500.000, total;dur=501.200"
