"""The clinician's day: draft orders start on it, and cards show its time, whatever day it is in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cds_service.base.settings import Settings
from tests.conftest import Server, run_server
from tests.processes import serving
from tests.web.test_hook import request_for


@dataclass(frozen=True)
class Site:
    """A time zone, a moment in UTC, and what it is there."""

    zone: str
    moment: datetime
    day: str
    words: str


SITES = [
    Site("Pacific/Pago_Pago", datetime(2026, 3, 17, 9, 30, tzinfo=UTC), "2026-03-16", "16 Mar 22:30 SST"),
    Site("Pacific/Kiritimati", datetime(2026, 3, 15, 14, 2, tzinfo=UTC), "2026-03-16", "16 Mar 04:02 UTC+14"),
    Site("America/Los_Angeles", datetime(2026, 3, 17, 1, 0, tzinfo=UTC), "2026-03-16", "16 Mar 18:00 PDT"),
    Site("UTC", datetime(2026, 3, 16, 23, 59, tzinfo=UTC), "2026-03-16", "16 Mar 23:59 UTC"),
]


@pytest.fixture(params=SITES, ids=[site.zone for site in SITES])
def site(request: pytest.FixtureRequest) -> Site:
    assert isinstance(request.param, Site)
    return request.param


@pytest.fixture
def own(site: Site) -> Iterator[Server]:
    yield from run_server(Settings(time_zone=site.zone), lambda: site.moment)


def test_orders_start_and_cards_tell_the_time_of_the_site(own: Server, site: Site) -> None:
    card = own.call(request_for("dvt-likely")).json()["cards"][0]
    drafts = [one["actions"][0]["resource"] for one in card["suggestions"]]
    assert drafts
    assert {draft["occurrencePeriod"]["start"] for draft in drafts} == {site.day}
    assert f"Chart read {site.words} \N{MIDDLE DOT} RF01" in card["detail"]


def test_the_served_process_reads_the_setting(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The real clock, in the zone that is on another day than UTC now: one is 11 hours behind, one 14 ahead."""
    zone = "Pacific/Pago_Pago" if datetime.now(UTC).hour < 10 else "Pacific/Kiritimati"
    with serving(tmp_path_factory.mktemp("zone"), time_zone=zone, sandbox="true") as process:
        body = request_for("dvt-likely")
        here = datetime.now(Settings(time_zone=zone).zone)
        for row in body["prefetch"]["observations"]["entry"]:
            row["resource"]["effectiveDateTime"] = here.date().isoformat()
        card = Server(process.url).call(body).json()["cards"][0]
        assert f"Chart read {here.day} " in card["detail"]
        starts = {one["actions"][0]["resource"]["occurrencePeriod"]["start"] for one in card["suggestions"]}
        assert starts == {here.date().isoformat()}
