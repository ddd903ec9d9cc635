"""``knee-cds``: the entry point."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service import __version__
from cds_service.base.collector import collect_after_the_start
from cds_service.base.setting_names import PREFIX
from cds_service.cli import replay_options

if TYPE_CHECKING:
    from cds_service.base.settings import Settings

# Commands import what they need themselves, so that each starts quickly.

OK, SOME_UNUSABLE, WRONG_USE, URGENT_FOUND = 0, 1, 2, 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0: done. 1: some input is unusable, or a check failed. 2: wrong use, settings or content. 10: an urgent card.
    """
    collect_after_the_start()
    options = _parser().parse_args(arguments)
    from pydantic import ValidationError
    from rich.console import Console
    from rich.text import Text

    from cds_service.base.errors import ContentError, KneeCdsError
    from cds_service.base.field_errors import in_words, words
    from cds_service.base.settings import Settings

    console = Console(stderr=True)
    try:
        return int(options.run(options) if options.needs_no_settings else options.run(options, Settings()))
    except ContentError as error:
        console.print(Text(error.lead), style="bold red")
        for problem in error.problems:
            console.print(Text(f"- {problem}"), soft_wrap=True)
        return WRONG_USE
    except ValidationError as error:
        for mistake in error.errors(include_url=False):
            name = PREFIX + "_".join(str(part) for part in mistake["loc"]).upper()
            console.print(Text(f"{name}: {words(mistake['type'], mistake['msg'])}"), style="red")
        return WRONG_USE
    except BrokenPipeError:  # the reader has closed the pipe
        sys.stdout = None
        return OK
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        console.print(Text(f"{file}{in_words(error)}"), style="red")
        return WRONG_USE
    except KneeCdsError as error:
        console.print(Text(str(error)), style="red", soft_wrap=True)
        return WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="knee-cds", description="Decision support for pain behind the knee.")
    parser.set_defaults(needs_no_settings=False)
    parser.add_argument("--version", action="version", version=f"knee-cds {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_serving, _add_judging, _add_content, _add_examples, _add_card_log):
        add(commands)
    return parser


def _add_serving(commands: Any) -> None:
    """Add the commands that run and monitor the service."""
    serve = commands.add_parser(
        "serve",
        help="run the CDS Hooks service",
        description="Run the CDS Hooks service until it is stopped. Every setting: knee-cds settings.",
    )
    serve.add_argument("--host", metavar="ADDRESS", help="to listen on; else KNEE_CDS_HOST")
    serve.add_argument("--port", type=int, metavar="NUMBER", help="to listen on; else KNEE_CDS_PORT")
    serve.set_defaults(run=_serve)

    demo = commands.add_parser(
        "demo",
        help="try it: the sandbox on this machine, and a call to paste",
        description="Run the service on 127.0.0.1 with its sandbox, for invented patients only, until it is stopped. "
        "The database is in a temporary folder that is removed at the end, unless KNEE_CDS_DATABASE_URL names one.",
    )
    demo.add_argument("--port", type=int, metavar="NUMBER", help="to listen on; else KNEE_CDS_PORT, or 8000")
    demo.set_defaults(run=_demo, needs_no_settings=True)

    canary = commands.add_parser(
        "canary", help="call a running service for an invented patient; exit with 1 if the card is wrong"
    )
    canary.add_argument("url", help="base URL of the service, as EHRs call it")
    canary.add_argument("--within", type=float, default=2.0, metavar="SECONDS", help="longest time for the answer (2)")
    canary.add_argument("--issuer", help="issuer of the canary's own client, if callers must send a token")
    canary.add_argument("--key", type=Path, metavar="FILE", help="the canary's private JWK (ES384) with a kid")
    canary.add_argument("--fhir-server", metavar="URL", help="identifies the canary's client if callers need no token")
    canary.add_argument("--ca-bundle", type=Path, metavar="FILE", help="CA certificates, PEM; else the public ones")
    canary.add_argument("--textfile", type=Path, metavar="FILE", help="write the outcome for Prometheus' node exporter")
    canary.set_defaults(run=_canary)

    settings = commands.add_parser("settings", help="every setting, as the table in deploy/SETTINGS.md")
    settings.set_defaults(run=_settings, needs_no_settings=True)


def _add_judging(commands: Any) -> None:
    """Add the commands that judge charts."""
    judge = commands.add_parser("evaluate", help="judge Bundles, NDJSON of Bundles or hook requests")
    judge.add_argument("files", nargs="+", metavar="FILE", help="files, folders of them, or - for standard input")
    judge.add_argument("--json", action="store_true", help="one JSON line per input")
    judge.add_argument("--explain", action="store_true", help="print the whole reasoning")
    judge.add_argument(
        "--now",
        type=datetime.fromisoformat,
        default=None,
        metavar="DATE",
        help="judge as on this day (ISO 8601); without an offset, of the site's time zone",
    )
    judge.add_argument("--fail-on-urgent", action="store_true", help="exit with 10 if any urgent card is shown")
    judge.set_defaults(run=_evaluate)

    ask = commands.add_parser(
        "assess", help="ask the open questions about one chart on the terminal, and print its note"
    )
    ask.add_argument("file", type=Path, metavar="FILE", help="a Bundle or a hook request")
    ask.add_argument(
        "--now", type=datetime.fromisoformat, default=None, metavar="DATE", help="as of this day (ISO 8601)"
    )
    ask.set_defaults(run=_assess)

    replay_options.add_parser(commands).set_defaults(run=_replay)

    codes = commands.add_parser("codes", help="list codes of a site's charts that look like ours and are not mapped")
    codes.add_argument(
        "charts", nargs="+", type=Path, metavar="CHARTS", help="files or folders: .json, .ndjson, .jsonl"
    )
    codes.set_defaults(run=_codes)


def _add_content(commands: Any) -> None:
    """Add the commands that read, check and export the content."""
    content = commands.add_parser("check", help="check the content and list its errors")
    mode = content.add_mutually_exclusive_group()
    mode.add_argument("--against", type=Path, metavar="FOLDER", help="list the differences from this other content")
    mode.add_argument("--sign", action="store_true", help="save the values marked as seen as the signed ones")
    content.set_defaults(run=_check)

    preview = commands.add_parser("preview", help="show the cards of a rule or cause for its example patients")
    preview.add_argument("key", help="a rule or cause; knee-cds serve lists them at /evidence")
    preview.add_argument("--language", default="en", help="language of the cards (default: en)")
    which = preview.add_mutually_exclusive_group()
    which.add_argument("--example", metavar="NAME", help="only this example patient; else the first of each kind")
    which.add_argument("--all", action="store_true", dest="every", help="every example patient")
    preview.set_defaults(run=_preview)

    review = commands.add_parser("review", help="write the open questions for a clinician into cards/OPEN.md")
    review.set_defaults(run=_review)

    terms = commands.add_parser("terminology", help="write the code system and value sets into a folder")
    terms.add_argument("folder", type=Path)
    terms.set_defaults(run=_terminology)

    exports = commands.add_parser("export", help="the content in forms that other tools read")
    forms = exports.add_subparsers(required=True, metavar="FORM")
    fhir = forms.add_parser("fhir", help="FHIR R4 resources, and package.tgz with all of them")
    fhir.add_argument("folder", type=Path)
    fhir.set_defaults(run=_export)

    case = commands.add_parser("safety", help="the safety case as a page, made from its TOML file")
    case.add_argument("file", type=Path, help="deploy/safety/hazards.toml")
    case.set_defaults(run=_safety, needs_no_settings=True)


def _add_examples(commands: Any) -> None:
    """Add the commands that write invented patients and calls."""
    patients = commands.add_parser("examples", help="write the invented patients, moved to today, into a folder")
    patients.add_argument("folder", type=Path)
    patients.set_defaults(run=_examples)

    calls = commands.add_parser("samples", help="write ready requests, their answers and collections into a folder")
    calls.add_argument("folder", type=Path)
    calls.add_argument("--day", type=date.fromisoformat, metavar="DATE", help="date of the charts; by default today")
    calls.set_defaults(run=_samples)


def _add_card_log(commands: Any) -> None:
    """Add the commands on the database and the audit journal."""
    answers = commands.add_parser("feedback", help="clinicians' feedback on the cards")
    what = answers.add_subparsers(required=True, metavar="WHAT")
    export = what.add_parser("export", help="export every feedback item as NDJSON or CSV")
    export.add_argument("--format", choices=("ndjson", "csv"), default="ndjson")
    export.add_argument("--output", type=Path, default=None, metavar="FILE", help="instead of standard output")
    export.set_defaults(run=_feedback_export)
    report = what.add_parser("report", help="shown, accepted, overridden and unanswered by rule")
    report.add_argument("--html", type=Path, default=None, metavar="FILE", help="write a page with a plot too")
    report.set_defaults(run=_feedback_report)

    database = commands.add_parser("database", help="migrate the tables of the database")
    way = database.add_subparsers(required=True, metavar="WAY")
    upgrade = way.add_parser("upgrade", help="to the newest; knee-cds serve does the same")
    upgrade.set_defaults(run=_database, down=None)
    downgrade = way.add_parser("downgrade", help="back to a revision; base removes the tables and all that is in them")
    downgrade.add_argument("down", metavar="REVISION")
    downgrade.set_defaults(run=_database)

    purge = commands.add_parser("purge", help="delete cards and feedback older than some days")
    purge.add_argument("--older-than", type=int, required=True, metavar="DAYS", help="30 or more")
    purge.set_defaults(run=_purge)

    journal = commands.add_parser("audit", help="the audit journal")
    act = journal.add_subparsers(required=True, metavar="ACT")
    verify = act.add_parser("verify", help="check that every line is present, unchanged and in order")
    verify.add_argument("paths", nargs="*", type=Path, metavar="FOLDER_OR_FILE", help="else KNEE_CDS_AUDIT_FOLDER")
    verify.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="HASH",
        help="hash of a line that must be present; may be repeated",
    )
    verify.set_defaults(run=_audit_verify)


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.base.settings import Settings
    from cds_service.cli.serve import serve

    overrides = {name: getattr(options, name) for name in ("host", "port") if getattr(options, name) is not None}
    if overrides:
        # Set them in the environment, because worker processes read it.
        os.environ.update({f"{PREFIX}{name.upper()}": str(value) for name, value in overrides.items()})
        settings = Settings()
    return serve(settings)


def _assess(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.base.clock import on_site, site_clock
    from cds_service.cli import assess

    now = on_site(options.now, settings.zone) if options.now else site_clock(settings.zone)()
    assess.show(assess.run(options.file, settings, now))
    return OK


def _evaluate(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.base.clock import on_site, site_clock
    from cds_service.cli import evaluate

    how = evaluate.How(
        now=on_site(options.now, settings.zone) if options.now else site_clock(settings.zone)(),
        as_json=options.json,
        with_reasons=options.explain,
        with_links=settings.public_url is not None,
    )
    tally = evaluate.run(options.files, settings, how)
    if tally.unusable:
        return SOME_UNUSABLE
    return URGENT_FOUND if options.fail_on_urgent and tally.urgent else OK


def _check(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import check

    check.run(settings, against=options.against, sign=options.sign)
    return OK


def _demo(options: argparse.Namespace) -> int:
    from cds_service.cli import demo

    return demo.run(options)


def _samples(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import samples

    return samples.run(options, settings)


def _safety(options: argparse.Namespace) -> int:
    from cds_service.cli import safety

    return safety.run(options)


def _export(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import export

    return export.run(options, settings)


def _preview(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import preview

    preview.run(settings, options.key, options.language, example=options.example, every=options.every)
    return OK


def _review(_: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import review

    review.run(settings)
    return OK


def _codes(options: argparse.Namespace, settings: Settings) -> int:
    from rich.console import Console
    from rich.text import Text

    from cds_service.cli import codes
    from cds_service.service.evaluate import load_content

    survey = codes.survey(load_content(settings), options.charts)
    codes.write(survey, sys.stdout)
    if survey.unusable:
        Console(stderr=True).print(Text(f"{survey.unusable} document(s) are not FHIR JSON and were skipped."))
    return SOME_UNUSABLE if survey.unusable else OK


def _replay(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import replay

    report = replay.run(options, settings)
    return SOME_UNUSABLE if report["patients_not_judged"] or report["input"]["not_grouped_rows"] else OK


def _feedback_export(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import card_log

    card_log.feedback_export(options, settings)
    return OK


def _feedback_report(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import card_log

    card_log.feedback_report(options, settings)
    return OK


def _database(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import card_log

    card_log.database(options, settings)
    return OK


def _purge(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import card_log

    card_log.purge(options, settings)
    return OK


def _audit_verify(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import audit

    return OK if audit.verify(options.paths, options.head, settings) else SOME_UNUSABLE


def _canary(options: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli import canary

    caller = canary.Canary(
        options.url, options.within, options.issuer, options.key, options.fhir_server, options.ca_bundle
    )
    return OK if canary.run(caller, settings, options.textfile) else SOME_UNUSABLE


def _settings(_: argparse.Namespace) -> int:
    from cds_service.cli import settings_page

    sys.stdout.write(settings_page.page())
    return OK


def _examples(options: argparse.Namespace, settings: Settings) -> int:
    from rich.console import Console
    from rich.text import Text

    from cds_service.base.clock import site_clock
    from cds_service.cli import examples

    count = examples.write(options.folder, site_clock(settings.zone)().date())
    Console().print(Text(f"{count} invented patients written to {options.folder}, dated around today."))
    return OK


def _terminology(options: argparse.Namespace, settings: Settings) -> int:
    from rich.console import Console
    from rich.text import Text

    from cds_service.cli import evaluate

    count = evaluate.write_terminology(settings, options.folder)
    Console().print(Text(f"{count} terminology resources written to {options.folder}."))
    return OK


if __name__ == "__main__":
    sys.exit(main())
