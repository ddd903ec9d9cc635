"""Check a site's own codes against the shipped codes. New codes may be added; shipped meanings may not be changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cds_service.base.errors import ContentError, Problem
from cds_service.clinical.content.catalogue import Content
from cds_service.clinical.content.coding.code_uses import CodeMeaning
from cds_service.clinical.content.coding.codes import Code
from cds_service.clinical.content.models import LocalCode, StandardCode

FILE = "local codes"
_CLOSED = frozenset({"finding", "interpretation", "data-absent-reason", "null-flavor", "v2-yes-no"})
"""Systems of which all codes are shipped: this project's own system, and HL7's answers."""


def added(shipped: Content, local_codes: tuple[LocalCode, ...]) -> Content:
    """Return ``shipped`` with a site's own codes added.

    Raises:
        ContentError: lists every entry that would change a meaning or is not a valid code.
    """
    if wrong := tuple(problems(local_codes, shipped)):
        raise ContentError(wrong)
    if not local_codes:
        return shipped
    translated: list[CodeMeaning] = []
    others: set[tuple[str, str]] = set()
    for local in local_codes:
        if local.same_as is None:
            continue
        place = shipped.systems.code(local.system, local.code)
        uses = shipped.uses(local.same_as.system, local.same_as.code)
        translated += [CodeMeaning(place.system, place.code, use) for use in uses]
        if not uses:
            others.add((place.system, place.code))
    return replace(shipped, local_codes=local_codes, translated=tuple(translated), others=frozenset(others))


def problems(local_codes: Iterable[LocalCode], shipped: Content) -> Iterator[Problem]:
    """Yield what is wrong with a site's entries, beyond their form."""
    seen: dict[Code, LocalCode] = {}
    for local in local_codes:
        code = shipped.systems.code(local.system, local.code)
        system = shipped.systems.of(local.system)
        earlier = seen.setdefault(code, local)
        if _mapping(earlier) != _mapping(local):
            message = f"means {_target(earlier)} and {_target(local)}"
            yield Problem(FILE, local.code, message, "a code has one meaning; keep one of the two")
        if system is not None and system.key in _CLOSED:
            hint = "use your own URI" if system.key == "finding" else "cards/vocabulary/answers.toml holds the answers"
            yield Problem(FILE, local.code, f"{code.system} cannot be added to", hint)
        elif system is not None and (wrong := system.malformed([local.code])):
            yield Problem(FILE, local.code, f"is not a code of {code.system}: {wrong[0][1]}", "copy it from the record")
        elif local.same_as is not None and not _is_understood(local.same_as, shipped):
            message = f"stands for {_target(local)}, which is not a code that this service knows"
            yield Problem(FILE, local.code, message, "name a code of SNOMED CT, ICD-10, LOINC, RxNorm or ATC")
        elif other := _meant_otherwise(local, shipped):
            message = f"already means {other} here; this file says {_target(local)}"
            yield Problem(FILE, local.code, message, "a shipped meaning cannot be changed; delete the entry")


def _mapping(local: LocalCode) -> tuple[object, ...]:
    return local.finding, local.same_as, local.side


def _is_understood(standard: StandardCode, shipped: Content) -> bool:
    """Whether the code is used here, or is known to be about something else."""
    system, code = standard.system, standard.code
    is_medicine = shipped.formulary.is_class(system, code) or shipped.formulary.is_told_apart(system, code)
    return bool(shipped.uses(system, code)) or is_medicine or shipped.identifies(system, code)


def _meant_otherwise(local: LocalCode, shipped: Content) -> str:
    """Return the shipped meaning of the code in words; empty if it has none or has the same meaning."""
    uses = shipped.uses(local.system, local.code)
    if not uses:
        return ""
    if local.same_as is not None:
        same = set(uses) == set(shipped.uses(local.same_as.system, local.same_as.code))
    else:
        same = any(use.kind == "finding" and use.key == local.finding and use.side == local.side for use in uses)
    return "" if same else " and ".join(dict.fromkeys(_meaning(use.key or use.kind, use.side) for use in uses))


def _target(local: LocalCode) -> str:
    if local.same_as is not None:
        return f"{local.same_as.code} of {local.same_as.system}"
    return _meaning(local.finding or "", local.side)


def _meaning(key: str, side: str | None) -> str:
    return f"`{key}` ({side})" if side else f"`{key}`"
