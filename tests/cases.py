"""Many cases of one kind in one test: each is tried, and all that fail are named together.

A test of its own for each takes pytest longer than most such cases take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Case = TypeVar("Case")
_SHOWN = 5


def check_all(cases: Iterable[Case], check: Callable[[Case], None], name: Callable[[Case], str] = str) -> None:
    """Call ``check`` with each of ``cases``, also after a failure.

    Raises:
        ExceptionGroup: some checks failed. It names every case that failed and holds the first failures.
        AssertionError: there was no case.
    """
    failed: dict[str, Exception] = {}
    tried = 0
    for case in cases:
        tried += 1
        try:
            check(case)
        except Exception as error:  # noqa: BLE001 - a case may fail in any way, and the next is tried all the same
            error.add_note(f"case: {name(case)}")
            failed[f"{tried}. {name(case)}"] = error
    assert tried, "there was no case"
    if failed:
        message = f"{len(failed)} of {tried} failed: {', '.join(failed)}"
        raise ExceptionGroup(message, list(failed.values())[:_SHOWN])
