"""Turn the entries of ``vocabulary/systems.toml`` into ``Systems`` and check them against each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from cds_service.base.errors import Problem
from cds_service.clinical.content.coding.codes import URI
from cds_service.clinical.content.coding.systems import System, Systems, plain_address
from cds_service.clinical.content.models import SystemEntry

SYSTEMS_FILE = "vocabulary/systems.toml"


def systems_of(entries: Mapping[str, SystemEntry], named: frozenset[str]) -> tuple[Systems, list[Problem]]:
    """Return the systems, and every mistake in them. ``named``: every heading of the file, including broken entries."""
    problems = [*_twice(entries), *_wrong_relations(entries), *_missing(entries, named)]
    made = Systems((_system(key, entry, entries), (*entry.aliases, *entry.oids)) for key, entry in entries.items())
    return made, problems


def _system(key: str, entry: SystemEntry, entries: Mapping[str, SystemEntry]) -> System:
    plain = System(key, entry.uri, entry.notation)
    return System(
        key=key,
        uri=entry.uri,
        notation=entry.notation,
        shape=re.compile(entry.shape) if entry.shape else None,
        base=entry.base if entry.base in entries else "",
        unlike_base=frozenset(plain.normal(code) for code in entry.unlike_base),
        lender=entry.lender if entry.lender in entries else "",
        own=frozenset(plain.normal(code) for code in entry.own),
        holds_none=entry.holds_none,
        medicines=entry.medicines,
        in_part=entry.in_part,
        clusters=entry.clusters,
        neutral_attributes=frozenset(entry.neutral_attributes),
    )


def _twice(entries: Mapping[str, SystemEntry]) -> Iterator[Problem]:
    addresses: dict[str, str] = {}
    for key, entry in entries.items():
        for address in (entry.uri, *entry.aliases, *entry.oids):
            other = addresses.setdefault(plain_address(address), key)
            if other != key:
                words = f"`{address}` is also an address of `{other}`"
                yield Problem(SYSTEMS_FILE, key, words, "an address names one system")


def _wrong_relations(entries: Mapping[str, SystemEntry]) -> Iterator[Problem]:
    for key, entry in entries.items():
        for place, other in (("base", entry.base), ("lender", entry.lender)):
            if other and other not in entries:
                yield Problem(SYSTEMS_FILE, f"{key}.{place}", f"no code system is called `{other}`")
            elif other and (entries[other].notation != "tree" or entries[other].base):
                yield Problem(SYSTEMS_FILE, f"{key}.{place}", f"`{other}` is not an independent hierarchy")


def _missing(entries: Mapping[str, SystemEntry], named: frozenset[str]) -> Iterator[Problem]:
    hint = "restore it from the last release"
    for name, uri in URI.items():
        if name not in named:
            yield Problem(SYSTEMS_FILE, name, f"the code needs the code system `{name}`", hint)
        elif name in entries and entries[name].uri != uri:
            yield Problem(SYSTEMS_FILE, f"{name}.uri", f"the code needs `{uri}`", hint)
