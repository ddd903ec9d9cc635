"""A site's own codes against the shipped ones: what is missing may be added, and no meaning may be changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cds_service.clinical.codes import Code
from cds_service.clinical.content import Content, LocalCode
from cds_service.ground.errors import ContentError, Problem

FILE = "local codes"
_CLOSED = frozenset({"finding", "interpretation", "data-absent-reason", "null-flavor", "v2-yes-no"})
"""Systems whose codes are all shipped: this project's own, and HL7's answers."""


def added(shipped: Content, local_codes: tuple[LocalCode, ...]) -> Content:
    """``shipped`` with a site's own codes.

    Raises:
        ContentError: with every entry that would change a meaning, or cannot be a code.
    """
    if wrong := tuple(problems(local_codes, shipped)):
        raise ContentError(wrong)
    return replace(shipped, local_codes=local_codes) if local_codes else shipped


def problems(local_codes: Iterable[LocalCode], shipped: Content) -> Iterator[Problem]:
    """What is wrong with a site's file, beyond its form."""
    seen: dict[Code, LocalCode] = {}
    for local in local_codes:
        code = shipped.systems.code(local.system, local.code)
        system = shipped.systems.of(local.system)
        earlier = seen.setdefault(code, local)
        if earlier.finding != local.finding or earlier.side != local.side:
            message = f"means {_said(earlier)} and {_said(local)}"
            yield Problem(FILE, local.code, message, "a code has one meaning; keep one of the two")
        if system is not None and system.key in _CLOSED:
            hint = "use your own URI" if system.key == "finding" else "cards/vocabulary/answers.toml holds the answers"
            yield Problem(FILE, local.code, f"{code.system} cannot be added to", hint)
        elif system is not None and (wrong := system.malformed([local.code])):
            yield Problem(FILE, local.code, f"is no code of {code.system}: {wrong[0][1]}", "copy it from the record")
        elif other := _meant_otherwise(local, shipped):
            message = f"already means {other} here; this file says {_said(local)}"
            yield Problem(FILE, local.code, message, "a shipped meaning cannot be changed; delete the entry")


def _meant_otherwise(local: LocalCode, shipped: Content) -> str:
    """What the code means as shipped, in words; empty if it is missing, or means the same."""
    uses = shipped.uses(local.system, local.code)
    same = any(use.kind == "finding" and use.key == local.finding and use.side == local.side for use in uses)
    if not uses or same:
        return ""
    return " and ".join(dict.fromkeys(_meaning(use.key or use.kind, use.side) for use in uses))


def _said(local: LocalCode) -> str:
    return _meaning(local.finding, local.side)


def _meaning(key: str, side: str | None) -> str:
    return f"`{key}` ({side})" if side else f"`{key}`"
