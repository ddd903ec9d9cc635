"""The monitoring files: rules that Prometheus takes, alerts that fire, and only metrics that the service serves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Server

FOLDER = ROOT / "deploy" / "monitoring"
ALERTS, UNIT_TESTS, SCRAPING = FOLDER / "alerts.yml", FOLDER / "alerts_test.yml", FOLDER / "prometheus.yml"
PROMTOOL = shutil.which("promtool")
CANARY = {"knee_cds_canary_ok", "knee_cds_canary_seconds", "knee_cds_canary_timestamp_seconds"}
"""Written by ``knee-cds canary`` for node_exporter; the service does not serve them."""

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)")


def loaded(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in loaded(ALERTS)["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """All panels, also those in collapsed rows."""
    found: list[dict[str, Any]] = []
    for panel in dashboard()["panels"]:
        found += [panel, *panel.get("panels", ())]
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Where, and what is asked of Prometheus."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]


def promtool(*arguments: str | Path) -> str:
    """What promtool says; fails if it finds anything wrong."""
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def served(text: str) -> set[str]:
    """The names that can be asked for, from the text of ``/metrics``."""
    names = set()
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        names |= {name + suffix for suffix in suffixes}
    return names


@needs_promtool
def test_prometheus_takes_the_rules_and_the_example_configuration() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", ALERTS)
    promtool("check", "config", SCRAPING)


@pytest.mark.long
@needs_promtool
def test_each_alert_fires_where_it_must_and_only_there(tmp_path: Path) -> None:
    """The scenarios of the file one by one, several at a time: those of many days take seconds each."""
    whole = loaded(UNIT_TESTS)
    assert whole["rule_files"] == [ALERTS.name]

    def run(number: int) -> str:
        path = tmp_path / f"{number}_test.yml"
        alone = {**whole, "rule_files": [str(ALERTS)], "tests": [whole["tests"][number]]}
        path.write_text(yaml.safe_dump(alone), encoding="utf-8")
        return promtool("test", "rules", path)

    with ThreadPoolExecutor(4) as pool:
        assert all("SUCCESS" in said for said in pool.map(run, range(len(whole["tests"]))))


def test_every_alert_has_a_unit_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    seen: dict[str, set[float]] = {}
    for scenario in loaded(UNIT_TESTS)["tests"]:
        for asked in scenario["promql_expr_test"]:
            named = re.fullmatch(
                r'count\(ALERTS\{alertname="(\w+)", alertstate="firing"\}\) or vector\(0\)', asked["expr"]
            )
            if named:
                seen.setdefault(named[1], set()).add(asked["exp_samples"][0]["value"])
    alerts = [rule["alert"] for rule in rules() if "alert" in rule]
    assert len(alerts) == len(set(alerts))
    assert seen == {alert: {0, 1} for alert in alerts}


def test_every_alert_says_how_grave_it_is_and_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
            assert rule["labels"]["area"] in ("clinical", "service", "state"), rule["alert"]
            assert rule["annotations"].keys() == {"summary", "description"}, rule["alert"]
            assert len(rule["annotations"]["description"]) > 60, rule["alert"]
        else:
            assert rule["record"].startswith("knee_cds:")


def test_only_metrics_that_there_are_get_asked_for(server: Server) -> None:
    there = served(server.get("/metrics").text) | CANARY
    assert {"knee_cds_call_seconds_bucket", "knee_cds_cards_total", "knee_cds_database_up"} <= there
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked_for = set()
    for where, expression in expressions():
        names = set(re.findall(r"\bknee_cds_\w+", re.sub(r"\bknee_cds:[\w:]+", "", expression)))
        assert names <= there, (where, names - there)
        made = set(re.findall(r"\bknee_cds:[\w:]+", expression))
        assert made <= recorded, (where, made - recorded)
        asked_for |= names
        assert names or made or "up{" in expression, where
    assert asked_for >= CANARY


def test_every_metric_of_the_service_is_on_the_dashboard(server: Server) -> None:
    """By itself or through a recording rule, so that a new metric is not forgotten."""
    used = " ".join(expression for _, expression in expressions())
    for name in re.findall(r"^# TYPE (\w+) \w+$", server.get("/metrics").text, re.MULTILINE):
        assert name in used or name.endswith("_created"), name


def test_the_unit_tests_feed_only_metrics_that_there_are(server: Server) -> None:
    there = served(server.get("/metrics").text) | CANARY | {"up"}
    for scenario in loaded(UNIT_TESTS)["tests"]:
        for series in scenario["input_series"]:
            assert series["series"].partition("{")[0] in there, (scenario["name"], series["series"])


def test_the_panels_of_the_dashboard_lie_side_by_side() -> None:
    places = {panel["title"]: panel["gridPos"] for panel in panels()}
    assert len(places) == len(panels()) == len({panel["id"] for panel in panels()})
    for title, at in places.items():
        assert 0 <= at["x"] < at["x"] + at["w"] <= 24, title
        assert at["h"] > 0 <= at["y"], title
    for (one, a), (other, b) in combinations(places.items(), 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        below = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or below, (one, other)
    rows = [panel["title"].partition(":")[0] for panel in panels() if panel["type"] == "row"]
    assert rows == ["Clinical", "Service", "State"]


def test_every_panel_asks_something_and_says_what_it_shows() -> None:
    board = dashboard()
    assert board["id"] is None
    assert board["uid"] is None
    assert [one["name"] for one in board["templating"]["list"] if one["type"] == "datasource"] == ["datasource"]
    for panel in panels():
        if panel["type"] == "row":
            continue
        assert panel["description"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            assert target["expr"].strip(), panel["title"]
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}", panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), panel["title"]


@needs_promtool
def test_prometheus_reads_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    """As rules, with the variables put in; promtool 2.42 cannot read a bare expression."""
    asked = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    asked = [expr.replace("$__rate_interval", "1m").replace("$rule", "RF01") for expr in asked]
    assert asked
    assert not [expr for expr in asked if "$" in expr]
    made = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(asked)]
    path = tmp_path / "dashboard.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": made}]}), encoding="utf-8")
    promtool("check", "rules", path)


def test_the_panels_that_alerts_speak_of_are_there() -> None:
    titles = {panel["title"] for panel in panels()} | {"no answer", "status"}  # the last two are words of the canary
    for rule in rules():
        for named in re.findall(r'"([^"]+)"', rule.get("annotations", {}).get("description", "")):
            assert named in titles | {"%.1f"}, (rule["alert"], named)


def test_the_example_scrapes_two_replicas_and_the_canary() -> None:
    example = loaded(SCRAPING)
    assert example["rule_files"] == [ALERTS.name]
    jobs = {job["job_name"]: job for job in example["scrape_configs"]}
    assert jobs.keys() == {"knee-cds", "knee-cds-canary"}
    assert len(jobs["knee-cds"]["static_configs"][0]["targets"]) == 2
    kept = jobs["knee-cds-canary"]["metric_relabel_configs"][0]["regex"]
    assert all(re.fullmatch(kept, name) for name in CANARY)
    for rule in rules():
        for job in re.findall(r'job="([^"]*)"', rule["expr"]):
            assert job in jobs, rule["alert"]
