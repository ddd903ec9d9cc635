"""Validates data of a TOML file with a strict model. Every mistake is reported with its place and a hint."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cds_service.base.errors import Problem
from cds_service.base.field_errors import words

_Model = TypeVar("_Model", bound=BaseModel)


def validated(
    kind: type[_Model], file: str, data: Any, *, prefix: str, keys: Sequence[str], manual: str
) -> tuple[_Model | None, list[Problem]]:
    """Return the model, or None and the mistakes.

    The data is converted to JSON first, because strict models accept lists for tuples only in JSON.

    ``prefix``: put before the place of each mistake. ``keys``: all known keys, for hints. ``manual``: the document
    that explains the keys.
    """
    try:
        return kind.model_validate_json(json.dumps(data, default=str)), []
    except ValidationError as error:
        problems = []
        for mistake in error.errors(include_url=False):
            place = ".".join(part for part in (prefix, *map(str, mistake["loc"])) if part)
            message, hint = _in_plain_words(mistake["type"], mistake["loc"], mistake["msg"], keys, manual)
            problems.append(Problem(file, place, message, hint))
        return None, problems


def _in_plain_words(
    kind: str, loc: tuple[int | str, ...], message: str, keys: Sequence[str], manual: str
) -> tuple[str, str]:
    last = str(loc[-1]) if loc else ""
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(last, keys, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"{manual} lists the keys"
        return f"unknown key `{last}`", hint
    if kind == "missing":
        return f"the key `{last}` is missing", f"{manual} explains it"
    return words(kind, message), ""
