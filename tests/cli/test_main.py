"""The command line, in processes of its own and in this one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from cds_service.cli.inputs import documents
from cds_service.cli.main import main
from tests.cli.running import DAY, knee_cds, knee_cds_process
from tests.conftest import EXAMPLES, ROOT, bundle, stories


def lines(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_json_of_one_chart() -> None:
    done = knee_cds("evaluate", str(EXAMPLES / "worked-case-2.json"), "--json", *DAY)
    assert done.returncode == 0
    (line,) = lines(done.stdout)
    assessment = line["assessment"]
    assert assessment["urgent"] == [
        {
            "cause": "dvt",
            "rule": "RF01",
            "side": assessment["dvt"]["side"],
            "indicator": "critical",
            "speed": "same_day",
        }
    ]
    assert assessment["dvt"]["suspected"] is True
    assert (assessment["dvt"]["wells_min"], assessment["dvt"]["wells_max"]) == (4, 6)
    assert set(assessment["dvt"]["not_recorded"]) == {"entire_leg_swollen", "collateral_veins"}
    causes = [one["cause"] for one in assessment["differential"]]
    assert {"calf_tear", "bakers_cyst_ruptured"} <= set(causes)
    assert "dvt" not in causes
    assert set(assessment["differential"][0]) == {"cause", "side", "band", "for", "against", "missing"}
    assert assessment["silent_because"] is None
    assert assessment["unread"] == []


def test_silence_says_why() -> None:
    (line,) = lines(knee_cds("evaluate", str(EXAMPLES / "resolved.json"), "--json", *DAY).stdout)
    assert line["cards"] == []
    assert line["assessment"]["silent_because"]
    assert line["assessment"]["dvt"]["suspected"] is False


def test_ndjson_from_standard_input_with_a_bad_line() -> None:
    charts = [orjson.dumps(bundle(name)) for name in ("dvt-likely", "nothing-at-all")]
    given = b"\n".join([charts[0], b'{"resourceType": "Patient"}', b"", b"{broken}", charts[1]])
    done = knee_cds("evaluate", "-", "--json", *DAY, given=given)
    assert done.returncode == 1
    found = lines(done.stdout)
    assert [("error" in line) for line in found] == [False, True, True, False]
    assert found[1]["input"] == 2
    assert "Bundle" in found[1]["error"]


def test_a_hook_request_and_the_urgent_exit_code() -> None:
    from cds_service.service.examples import as_request

    request = as_request(bundle("dvt-likely"), "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea")
    pretty = orjson.dumps(request, option=orjson.OPT_INDENT_2)
    done = knee_cds_process("evaluate", "-", "--fail-on-urgent", *DAY, given=pretty)
    assert done.returncode == 10
    assert b"Suspected DVT" in done.stdout
    request["prefetch"] = {}
    assert knee_cds("evaluate", "-", "--json", *DAY, given=orjson.dumps(request)).returncode == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", "empty"),
        (b"[1, 2]", "neither"),
        (b'{"resourceType": "Bundle", "entry": []}', "no patient"),
    ],
)
def test_unusable_input_is_named(given: bytes, words: str) -> None:
    done = knee_cds("evaluate", "-", "--json", given=given)
    assert done.returncode in (1, 2)
    assert words in (done.stdout + done.stderr).decode()


def test_two_patients_in_one_bundle_are_refused() -> None:
    mixed = bundle("dvt-likely")
    mixed["entry"] += bundle("nothing-at-all")["entry"]
    (line,) = lines(knee_cds("evaluate", "-", "--json", given=orjson.dumps(mixed)).stdout)
    assert "several patients" in line["error"]


def test_a_missing_file_and_wrong_settings() -> None:
    missing = knee_cds_process("evaluate", "/nonexistent/chart.json")
    assert missing.returncode == 2
    assert missing.stderr.decode().strip() == "/nonexistent/chart.json: no such file or directory"
    done = knee_cds("check", KNEE_CDS_PATHWAY="moon")
    assert done.returncode == 2
    assert b"KNEE_CDS_PATHWAY" in done.stderr
    assert knee_cds("check", KNEE_CDS_ORDER_URL="https://x.example/{patient}").returncode == 2


def test_several_files_and_folders_are_judged_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "charts" / "inner"
    folder.mkdir(parents=True)
    (folder / "b.json").write_bytes(orjson.dumps(bundle("nothing-at-all")))
    charts = [orjson.dumps(bundle(name)) for name in ("dvt-likely", "resolved")]
    (tmp_path / "charts" / "a.ndjson").write_bytes(b"\n".join(charts))
    (tmp_path / "charts" / "empty.json").write_bytes(b"")
    (folder / "LINES.JSONL").write_bytes(orjson.dumps(bundle("worked-case-4")))
    for name in ("notes.txt", "inner/charts.ndjson.gz"):
        (tmp_path / "charts" / name).write_bytes(b"not looked at")
    missing = str(tmp_path / "missing.json")
    done = knee_cds("evaluate", str(tmp_path / "charts"), missing, str(EXAMPLES / "worked-case-2.json"), "--json", *DAY)
    assert done.returncode == 1
    found = [(Path(line["file"]).name, line.get("patient"), line.get("error")) for line in lines(done.stdout)]
    assert found == [
        ("a.ndjson", "dvt-likely", None),
        ("a.ndjson", "resolved", None),
        ("empty.json", None, "the input is empty"),
        ("LINES.JSONL", "worked-case-4", None),
        ("b.json", "nothing-at-all", None),
        ("missing.json", None, "no such file or directory"),
        ("worked-case-2.json", "worked-case-2", None),
    ]
    skipped = "being no .json, .ndjson or .jsonl file: inner/charts.ndjson.gz, notes.txt"
    assert done.stderr.decode().splitlines() == [f"Not read in {tmp_path / 'charts'}, {skipped}"]
    in_words = knee_cds("evaluate", str(folder), missing, *DAY)
    assert in_words.returncode == 1
    assert b"b.json" in in_words.stdout
    assert b"missing.json cannot be judged: no such file or directory" in b" ".join(in_words.stderr.split())


def test_links_in_a_folder_are_read_or_named(tmp_path: Path) -> None:
    other, folder = tmp_path / "other", tmp_path / "charts"
    other.mkdir()
    folder.mkdir()
    (other / "a.json").write_bytes(orjson.dumps(bundle("nothing-at-all")))
    (folder / "to-a-file.json").symlink_to(other / "a.json")
    (folder / "to-a-folder.json").symlink_to(other)
    (folder / "to-nothing.json").symlink_to(tmp_path / "nothing")
    done = knee_cds("evaluate", str(folder), "--json", *DAY)
    assert done.returncode == 1
    found = [(Path(line["file"]).name, line.get("error", "")) for line in lines(done.stdout)]
    assert found == [("to-a-file.json", ""), ("to-nothing.json", "no such file or directory")]
    assert done.stderr.decode().splitlines()[0].endswith("being no .json, .ndjson or .jsonl file: to-a-folder.json")


def test_a_file_whose_name_is_no_text_does_not_end_the_run(tmp_path: Path) -> None:
    for name in ("a.json", "\udcff.json", "z.json"):
        (tmp_path / name).write_bytes(orjson.dumps(bundle("nothing-at-all")))
    done = knee_cds("evaluate", str(tmp_path), "--json", *DAY)
    assert done.returncode == 0
    assert sorted(Path(line["file"]).name for line in lines(done.stdout)) == [r"\xff.json", "a.json", "z.json"]


def test_a_folder_without_charts_is_no_silent_success(tmp_path: Path) -> None:
    done = knee_cds("evaluate", str(tmp_path), "--json")
    assert done.returncode == 2
    assert b"there is no .json, .ndjson or .jsonl file" in done.stderr


def test_a_chart_of_long_ago_gets_a_hint(capfd: pytest.CaptureFixture[str]) -> None:
    file = str(EXAMPLES / "dvt-likely.json")
    assert main(["evaluate", file, "--now", "2026-11-28"]) == 0
    assert "--now 2026-03-15" in capfd.readouterr().out
    assert main(["evaluate", file, *DAY]) == 0
    assert "--now" not in capfd.readouterr().out


def test_links_are_shown_where_they_lead_somewhere() -> None:
    file = str(EXAMPLES / "dvt-likely.json")
    assert b"Referral order:" not in knee_cds("evaluate", file, *DAY).stdout
    shown = knee_cds("evaluate", file, *DAY, KNEE_CDS_PUBLIC_URL="https://cds.example")
    assert b"https://cds.example/orders/" in b"".join(shown.stdout.split())


def test_wrong_fields_of_a_request_are_named_in_words() -> None:
    given = b'{"hook": "patient-view", "hookInstance": "x", "context": {"userId": 7}}'
    (line,) = lines(knee_cds("evaluate", "-", "--json", given=given).stdout)
    assert line["error"].split("; ") == [
        "hookInstance: must be a UUID", "context.userId: should be a valid string", "context.patientId: is missing"
    ]  # fmt: skip


def test_mistakes_in_the_list_of_clients_are_not_called_mistakes_of_the_content(tmp_path: Path) -> None:
    done = knee_cds("check", KNEE_CDS_CLIENTS_TOML='[default]\nprofil = "epic"')
    assert done.returncode == 2
    assert b"The list of clients cannot be used: 1 mistake." in done.stderr
    assert b"Content\n  uk_ng158: 36 causes" in done.stdout
    assert b"Clients\n" in done.stdout


def test_host_and_port_of_serve() -> None:
    helped = knee_cds("serve", "--help")
    assert helped.returncode == 0
    assert b"--port" in helped.stdout
    done = knee_cds_process("serve", "--port", "70000", KNEE_CDS_AUTH="open")
    assert done.returncode == 2
    assert b"KNEE_CDS_PORT" in done.stderr


def test_explain_shows_every_rule_and_number(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(EXAMPLES / "worked-case-2.json"), "--explain", *DAY]) == 0
    shown = capfd.readouterr().out
    for number in range(1, 19):
        assert f"RF{number:02d}" in shown
    assert "Wells 4 to 6" in shown
    assert "+1.95" in shown  # calf tear, evidence F.2 case 2


def test_check_examples_and_terminology(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert "36 causes" in capfd.readouterr().out
    assert main(["examples", str(tmp_path / "patients")]) == 0
    assert len(list((tmp_path / "patients").glob("*.json"))) == len(stories())
    assert main(["terminology", str(tmp_path / "terms")]) == 0
    assert len(list((tmp_path / "terms").glob("*.json"))) == 188


def test_shipped_terminology_is_current(tmp_path: Path) -> None:
    assert main(["terminology", str(tmp_path)]) == 0
    shipped = ROOT / "fhir_examples" / "terminology"
    assert {p.name for p in shipped.glob("*.json")} == {p.name for p in tmp_path.glob("*.json")}
    for path in tmp_path.glob("*.json"):
        assert (shipped / path.name).read_bytes() == path.read_bytes(), (
            "run: knee-cds terminology fhir_examples/terminology"
        )


def test_terminology_is_valid_fhir() -> None:
    from fhir.resources.R4B.codesystem import CodeSystem
    from fhir.resources.R4B.valueset import ValueSet

    for path in (ROOT / "fhir_examples" / "terminology").glob("*.json"):
        raw = orjson.loads(path.read_bytes())
        (CodeSystem if raw["resourceType"] == "CodeSystem" else ValueSet).model_validate(raw)


def test_a_stream_is_read_line_by_line() -> None:
    """Memory stays flat: the next chart is not read before the last one is out."""

    class Endless(io.RawIOBase):
        served = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            data = (b'{"n": 1}\n' * 10)[: len(buffer)]
            buffer[: len(data)] = data
            Endless.served += len(data)
            return len(data)

    stream = io.BufferedReader(Endless(), buffer_size=128)
    found = documents(stream)
    for _ in range(100):
        assert next(found).strip() == b'{"n": 1}'
    assert Endless.served < 5_000


def test_many_charts_in_constant_memory() -> None:
    """100 and 400 charts peak alike in a process of its own: the other 300 have 4 MB, which would be 4 % more."""
    chart = orjson.dumps(bundle("worked-case-1")) + b"\n"
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cds_service.cli.main import main\n"
        "code = main(['evaluate', '-', '--json', '--now', '2026-03-16'])\n"
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "print(peak, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    peaks = []
    for count in (100, 400):
        done = subprocess.run([sys.executable, "-c", script], input=chart * count, capture_output=True, timeout=300)
        assert done.returncode == 0
        assert done.stdout.count(b"\n") == count
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] < peaks[0] * 1.03


@pytest.mark.parametrize(
    ("zone", "now", "words"),
    [
        ("Pacific/Pago_Pago", "2026-03-16", "16 Mar 00:00 SST"),
        ("Pacific/Kiritimati", "2026-03-16T23:15", "16 Mar 23:15 UTC+14"),
        ("America/New_York", "2026-03-17T02:00:00Z", "16 Mar 22:00 EDT"),
        ("UTC", "2026-03-17T02:00:00+14:00", "16 Mar 12:00 UTC"),
    ],
)
def test_now_is_read_in_the_sites_time_zone(
    zone: str, now: str, words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KNEE_CDS_TIME_ZONE", zone)
    assert main(["evaluate", str(EXAMPLES / "dvt-likely.json"), "--json", "--now", now]) == 0
    (line,) = lines(capfd.readouterr().out.encode())
    card = line["cards"][0]
    assert f"Chart read {words} \N{MIDDLE DOT} RF01" in card["detail"]
    starts = {one["actions"][0]["resource"]["occurrencePeriod"]["start"] for one in card["suggestions"]}
    assert starts == {"2026-03-16"}


def test_without_a_moment_it_is_now_at_the_site(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One of the two zones is on another day than UTC, whenever this runs."""
    for zone in ("Pacific/Pago_Pago", "Pacific/Kiritimati"):
        monkeypatch.setenv("KNEE_CDS_TIME_ZONE", zone)
        here = datetime.now(ZoneInfo(zone))
        assert main(["examples", str(tmp_path / "patients")]) == 0
        assert main(["evaluate", str(tmp_path / "patients" / "dvt-likely.json"), "--json"]) == 0
        (line,) = lines(capfd.readouterr().out.splitlines()[-1].encode())
        assert f"Chart read {here.day} {here:%b}" in line["cards"][0]["detail"]
        assert here.date().isoformat() in (tmp_path / "patients" / "dvt-likely.json").read_text(encoding="utf-8")
