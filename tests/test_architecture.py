"""The architecture: imports go downwards only, and each outside library is imported by as few files as possible."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.cases import check_all

PACKAGE = Path(__file__).resolve().parent.parent / "cds_service"
ALLOWED = {
    "fastapi": {"web", "cli/serve.py"},
    "starlette": {"web"},
    "uvicorn": {"cli/serve.py", "web/security/connection.py"},
    "jinja2": {"web/pages/layout.py"},
    "markdown_it": {"web/pages/markdown.py"},
    "authlib": {"service/smart"},
    "joserfc": {
        "adapters/clients/jwks.py",
        "adapters/clients/signing.py",
        "adapters/sealed_text.py",
        "service/smart",
        "web/security/tokens.py",
    },
    "limits": {"web/security/rate_limits.py"},
    "rich": {"cli"},
    "requests": {"adapters/http_client.py", "cli/canary.py"},
    "urllib3": {"adapters/http_client.py"},
    "fhir": {"clinical/reading/resources.py", "rendering/orders/valid.py"},
    "tomli": {
        "clinical/content/loading/languages.py",
        "clinical/content/loading/load.py",
        "adapters/clients/loading.py",
        "service/examples.py",
        "cli/safety.py",
    },
    "orjson": {
        "base/logs.py",
        "base/strict_json.py",
        "web",
        "cli",
        "replay",
        "service/examples.py",
        "adapters/store",
        "adapters/clients",
        "adapters/audit",
        "adapters/sealed_text.py",
        "service/smart",
    },
    "msgspec": {
        "clinical/reading/heads.py",
        "clinical/reading/common_shapes.py",
        "protocol/body.py",
        "protocol/bundle_rows.py",
        "rendering/orders/valid.py",
        "replay",
    },
    "duckdb": {"replay/grouping.py", "replay/numbers.py"},
    "pyarrow": {"replay/staging.py", "replay/verdicts.py", "replay/spark.py"},
    "fsspec": {"replay/input.py"},
    "pyspark": {"replay/spark.py"},
    "sqlalchemy": {"adapters/store"},
    "alembic": {"adapters/store"},
    "prometheus_client": {"web/metrics.py"},
    "opentelemetry": {"web/tracing.py"},
    "pydantic_settings": {"base/settings.py"},
    # An archive only if an operator names it, and of one kind: a wheel to compare with. Never what a caller sends.
    "zipfile": {"replay/wheel_content.py"},
}
BANNED = {
    # XML and archives have a history of holes; unpickling runs code; no language model takes part in a judgement.
    "xml", "lxml", "defusedxml", "tarfile", "pickle", "marshal", "shelve", "subprocess", "ctypes",
    "openai", "anthropic", "litellm", "langchain", "transformers", "torch", "llama_cpp", "google",
}  # fmt: skip
IMPURE = {"os", "socket", "subprocess", "pathlib", "random", "time", "logging", "urllib", "http", "tempfile", "io"}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """The syntax of a file."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def calls(path: Path) -> set[str]:
    """Every function that ``path`` calls, as it is written there."""
    return {ast.unparse(node.func) for node in nodes(path) if isinstance(node, ast.Call)}


def imports(path: Path) -> Iterator[str]:
    """Every module that ``path`` imports, absolute."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


FILES = sorted(path for path in PACKAGE.rglob("*.py") if len(path.relative_to(PACKAGE).parts) > 1)


def called_one(path: Path) -> list[int]:
    """The lines of ``path`` on which a variable or a parameter is called ``one``."""
    return sorted(
        {
            node.lineno
            for node in nodes(path)
            if (isinstance(node, ast.arg) and node.arg == "one")
            or (isinstance(node, ast.Name) and node.id == "one" and isinstance(node.ctx, ast.Store))
            or (isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name == "one")
            or (isinstance(node, ast.MatchMapping) and node.rest == "one")
        }
    )


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_imports_run_down_and_in_no_circle() -> None:
    """The contracts are in ``pyproject.toml``; imports for type checking count too.

    In a process of its own: import-linter sets up logging anew, which switches off the loggers that other tests read.
    """
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_outside_libraries_are_known_by_few() -> None:
    def check(path: Path) -> None:
        for module in imports(path):
            places = ALLOWED.get(module.split(".")[0])
            if places is not None:
                here = name(path)
                assert any(here == place or here.startswith(place + "/") for place in places), f"{here} knows {module}"

    check_all(FILES, check, name)


def test_clinical_floor_is_pure() -> None:
    def check(path: Path) -> None:
        roots = {module.split(".")[0] for module in imports(path)}
        assert not roots & IMPURE - ({"pathlib"} if path.name == "load.py" else set())
        assert not calls(path) & {"open", "print", "date.today", "datetime.now", "datetime.utcnow", "datetime.today"}

    check_all([path for path in FILES if name(path).startswith("clinical/")], check, name)


def test_what_must_never_come_in() -> None:
    def check(path: Path) -> None:
        assert not {module.split(".")[0] for module in imports(path)} & BANNED
        assert not calls(path) & {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}

    check_all(FILES, check, name)


def test_no_file_goes_by_an_empty_name() -> None:
    names = {part for path in FILES for part in (path.stem, path.parent.name)}
    assert not names & {"utils", "util", "common", "helpers", "helper", "processor", "misc", "manager"}


def test_no_variable_is_called_one() -> None:
    """A variable has the name of what it holds: ``rule``, ``issue``, ``interval``."""
    found = [f"{name(path)}:{line}" for path in sorted(PACKAGE.rglob("*.py")) for line in called_one(path)]
    assert not found, "Name what it holds: " + ", ".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "one = 1",
        "one: int = 1",
        "one, other = pair",
        "[one.key for one in rules]",
        "{key: one for key, one in rules.items()}",
        "for one in rules: pass",
        "sorted(rules, key=lambda one: one.key)",
        "def words(one): pass",
        "def words(*, one=None): pass",
        "def words(*one): pass",
        "async def words(one, /): pass",
        "with opened() as one: pass",
        "(one := 1)",
        "try: pass\nexcept OSError as one: pass",
        "match rule:\n    case [one, *_]: pass",
        "match rule:\n    case [_, *one]: pass",
        "match rule:\n    case {**one}: pass",
    ],
)
def test_a_variable_called_one_is_noticed(tmp_path: Path, code: str) -> None:
    (tmp_path / "bad.py").write_text(f"# none here\n{code}\n")
    assert called_one(tmp_path / "bad.py") in ([2], [3])


def test_other_uses_of_the_word_pass(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text('one_of = "one"\nfound = rows.one()  # one row\nsay(text, one=1)\n')
    assert not called_one(tmp_path / "good.py")


def test_the_rules_would_notice(tmp_path: Path) -> None:
    upward = tmp_path / "bad.py"
    upward.write_text("from cds_service.web import app\nimport fastapi\n")
    assert list(imports(upward)) == ["cds_service.web", "fastapi"]
