"""Data from a TOML file into a strict model; every mistake in plain words, with its place and a hint."""

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
    """The model, or the mistakes. ``keys``: every key known here, for hints. ``manual``: where the keys are explained.

    Through JSON, because strict models take lists for tuples only there.
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
        return f"the key `{last}` is missing", f"{manual} says what it holds"
    return words(kind, message), ""
