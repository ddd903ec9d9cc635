"""``knee-cds``: the entry point."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from cds_service import __version__
from cds_service.cli import evaluate, examples
from cds_service.ground.errors import ContentError, KneeCdsError
from cds_service.ground.settings import Settings
from cds_service.hooks.service import load_content

OK, SOME_UNUSABLE, WRONG_USE, URGENT_FOUND = 0, 1, 2, 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0 (done), 1 (some input unusable), 2 (wrong use or content), 10 (urgent)."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        settings = Settings()
        return int(options.run(options, settings))
    except ContentError as error:
        console.print(Text(f"The content cannot be used: {len(error.problems)} mistake(s)."), style="bold red")
        for problem in error.problems:
            console.print(Text(f"- {problem}"), soft_wrap=True)
        return WRONG_USE
    except ValidationError as error:
        for mistake in error.errors(include_url=False):
            name = "KNEE_CDS_" + "_".join(str(part) for part in mistake["loc"]).upper()
            console.print(Text(f"{name}: {mistake['msg']}"), style="red")
        return WRONG_USE
    except (KneeCdsError, OSError) as error:
        console.print(Text(str(error)), style="red")
        return WRONG_USE
    except BrokenPipeError:
        sys.stderr.close()
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="knee-cds", description="Decision support for pain behind the knee.")
    parser.add_argument("--version", action="version", version=f"knee-cds {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the CDS Hooks service")
    serve.set_defaults(run=_serve)

    judge = commands.add_parser("evaluate", help="judge a Bundle, an NDJSON of Bundles or a hook request")
    judge.add_argument("file", help="a file, or - for standard input")
    judge.add_argument("--json", action="store_true", help="one JSON line per input")
    judge.add_argument("--explain", action="store_true", help="the whole reasoning")
    judge.add_argument("--now", type=_moment, default=None, metavar="DATE", help="judge as on this day (ISO 8601)")
    judge.add_argument("--fail-on-urgent", action="store_true", help="exit with 10 if any urgent card is shown")
    judge.set_defaults(run=_evaluate)

    check = commands.add_parser("check", help="say in plain words what is wrong with the content")
    check.set_defaults(run=_check)

    patients = commands.add_parser("examples", help="write the invented patients, moved to today, into a folder")
    patients.add_argument("folder", type=Path)
    patients.set_defaults(run=_examples)

    terms = commands.add_parser("terminology", help="write the code system and value sets into a folder")
    terms.add_argument("folder", type=Path)
    terms.set_defaults(run=_terminology)
    return parser


def _moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _serve(_: argparse.Namespace, settings: Settings) -> int:
    from cds_service.cli.serve import serve  # the web floor is loaded only when it is served

    return serve(settings)


def _evaluate(options: argparse.Namespace, settings: Settings) -> int:
    tally = evaluate.run(
        options.file,
        settings,
        options.now or datetime.now(UTC),
        as_json=options.json,
        with_reasons=options.explain,
    )
    if tally.unusable:
        return SOME_UNUSABLE
    return URGENT_FOUND if options.fail_on_urgent and tally.urgent else OK


def _check(_: argparse.Namespace, settings: Settings) -> int:
    for pathway in ("uk_ng158", "us_ash2018"):
        content = load_content(settings.model_copy(update={"pathway": pathway}))
        sizes = (
            f"{len(content.causes)} causes, {len(content.findings)} findings, {len(content.red_flags)} red flags, "
            f"{len(content.orders)} orders"
        )
        Console().print(Text(f"{pathway}: {sizes}; content {content.version} is in order."))
    return OK


def _examples(options: argparse.Namespace, _: Settings) -> int:
    count = examples.write(options.folder, date.today())  # noqa: DTZ011 - the reader's own today
    Console().print(Text(f"{count} invented patients written to {options.folder}, dated around today."))
    return OK


def _terminology(options: argparse.Namespace, settings: Settings) -> int:
    count = evaluate.write_terminology(settings, options.folder)
    Console().print(Text(f"{count} terminology resources written to {options.folder}."))
    return OK


if __name__ == "__main__":
    sys.exit(main())
