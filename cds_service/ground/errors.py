"""The errors this project raises on purpose. Each carries words a reader can act on."""

from __future__ import annotations

from dataclasses import dataclass


class KneeCdsError(Exception):
    """Base of every error raised on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the content, in plain words.

    Attributes:
        file: path below the content folder, as the author knows it.
        place: where in the file, such as ``codes[2].system``; empty for the whole file.
        message: what is wrong.
        hint: what to do about it; empty if nothing can be suggested.
    """

    file: str
    place: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.place}" if self.place else self.file
        return f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ContentError(KneeCdsError):
    """The clinical content cannot be used; ``problems`` lists every mistake of every file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(f"{len(problems)} mistake(s) in the content:\n" + "\n".join(str(p) for p in problems))


class UnusableInput(KneeCdsError):  # noqa: N818 - reads as the thing it is in the handlers
    """The input cannot be understood at all (HTTP 400)."""


class NothingToJudgeBy(KneeCdsError):  # noqa: N818
    """No part of the chart that a judgement needs is there (HTTP 412).

    Attributes:
        keys: the prefetch keys that were needed and could not be had.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        super().__init__("nothing to judge by: none of these prefetch keys could be had: " + ", ".join(keys))
