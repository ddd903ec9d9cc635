"""The long lists of codes: ``cards/codes/*.tsv``, one row per code, in a form that a spreadsheet opens.

They are loaded at every start, so a row must be cheap: one split and two look-ups. Meanings repeat, and each different
meaning is checked only once.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import attrgetter
from typing import Any, NamedTuple, get_args

from cds_service.base.errors import Problem
from cds_service.clinical.content.coding.code_uses import CodeUse, LegSide, Relation, UseKind, UseStatus
from cds_service.clinical.content.coding.systems import System

FOLDER = "codes"
SUFFIX = ".tsv"
COLUMNS = (
    "system", "code", "to", "finding", "relation", "side", "status", "substance", "place", "display", "source",
)  # fmt: skip
_HEADER = "\t".join(COLUMNS)
_KEY = re.compile(r"[a-z][a-z0-9_]{0,59}")
_PLACES = range(len(COLUMNS))
_TABS = len(COLUMNS) - 1
_LINES_NAMED = 5


class Row(NamedTuple):
    """One row: a code, or with ``to`` every code from ``code`` to ``to``, in the system with this short name.

    ``plain`` and ``plain_to`` are the same codes, normalised for comparison.
    """

    system: str
    code: str
    to: str
    use: CodeUse
    display: str
    plain: str
    plain_to: str


_row: Callable[[type[Row], Iterable[object]], Row] = tuple.__new__
"""Like ``Row._make``, but without a Python-level call for each row."""


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One file. ``sources``: the number of rows seen in each project or package."""

    rows: tuple[Row, ...]
    sources: Mapping[str, int]


class Known(NamedTuple):
    """What rows may refer to. ``kind_of``: the kind of a key of the content; None for an unknown key."""

    systems: Mapping[str, System]
    kind_of: Callable[[str], UseKind | None]


def parse(name: str, text: str, known: Known) -> tuple[CodeTable, list[Problem]]:
    """Return the rows of file ``name`` and every mistake in it. If there is a mistake, no rows are returned."""
    lines = text.split("\n")
    if lines[0].rstrip("\r") != _HEADER:
        hint = "the first line names the columns, with one tab between two: " + " ".join(COLUMNS)
        return _EMPTY, [Problem(name, "line 1", "is not the header of a code table", hint)]
    reading = _Reading(name, known)
    table = reading.table([line.rstrip("\r") for line in lines] if "\r" in text else lines)
    return table, reading.problems


_EMPTY = CodeTable((), {})


class _Reading:
    """Reads one file column by column, which makes long lists cheap."""

    def __init__(self, name: str, known: Known) -> None:
        self._name = name
        self._known = known
        self.problems: list[Problem] = []

    def table(self, lines: list[str]) -> CodeTable:
        """Read ``lines`` including the header; line numbers start at 1."""
        numbers: Sequence[int] = range(2, len(lines) + 1)
        kept = lines[1:]
        while kept and not kept[-1]:
            kept.pop()
        if not all(kept):
            numbers = [number for number, line in zip(numbers, kept, strict=False) if line]
            kept = list(filter(None, kept))
        tabs = list(map(str.count, kept, repeat("\t")))
        if tabs.count(_TABS) != len(kept) or not kept:
            odd = (number for number, count in zip(numbers, tabs, strict=False) if count != _TABS)
            self._complain("does not have the same number of columns as the header", odd)
            return _EMPTY
        # All cells in one list, which avoids creating thousands of small lists.
        cells = "\t".join(kept).split("\t")
        systems, codes, ends, *meaning, displays, sources = (cells[place :: len(COLUMNS)] for place in _PLACES)
        uses = self._uses(list(zip(*meaning, strict=True)), numbers)
        plain, plain_ends = self._plain(systems, codes, ends, numbers)
        for column, what in ((displays, "display"), (sources, "source in which code and display were seen together")):
            if "" in column:
                empty = [number for number, cell in zip(numbers, column, strict=False) if not cell.strip()]
                self._complain(f"has no {what}", empty)
        if self.problems:
            return _EMPTY
        names = map(sys.intern, systems)
        rows = map(_row, repeat(Row), zip(names, codes, ends, uses, displays, plain, plain_ends, strict=True))
        return CodeTable(tuple(rows), _families(sources))

    def _complain(self, message: str, numbers: Iterable[int]) -> None:
        """Report one mistake of many rows once, with the lines."""
        lines = [str(number) for number in numbers]
        if lines:
            more = f" and {len(lines) - _LINES_NAMED} more" if len(lines) > _LINES_NAMED else ""
            place = f"line {', '.join(lines[:_LINES_NAMED])}{more}"
            self.problems.append(Problem(self._name, place, message))

    def _uses(self, meanings: list[tuple[str, ...]], numbers: Sequence[int]) -> list[CodeUse | None]:
        parsed: dict[tuple[str, ...], CodeUse | None] = {}
        for meaning in dict.fromkeys(meanings):
            try:
                parsed[meaning] = self._use(*meaning)
            except ValueError as error:
                parsed[meaning] = None
                wrong = (number for number, other in zip(numbers, meanings, strict=False) if other == meaning)
                self._complain(str(error), wrong)
        return list(map(parsed.__getitem__, meanings))

    def _use(self, key: str, relation: str, side: str, status: str, substance: str, place: str) -> CodeUse:
        """Return the meaning given by the columns from ``finding`` to ``place``.

        Raises:
            ValueError: names what is wrong.
        """
        kind = self._known.kind_of(key)
        if kind is None:
            raise ValueError(f"no finding, cause, measure or body site is called `{key}`")
        places = tuple(place.split())
        for value, allowed, what in (
            (relation, get_args(Relation), "relation"),
            (side, ("", *get_args(LegSide)), "side"),
            (status, get_args(UseStatus), "status"),
        ):
            if value not in allowed:
                choices = ", ".join(choice or "(empty)" for choice in allowed)
                raise ValueError(f"`{value}` is not a valid {what}: use one of {choices}")
        if (relation == "broader") != bool(places):
            raise ValueError(f"`{key}`: `place` is required for a broader code and not allowed for others")
        for site in places:
            if self._known.kind_of(site) != "site":
                raise ValueError(f"no body site is called `{site}`")
        if substance and not _KEY.fullmatch(substance):
            raise ValueError(f"`{substance}` is not a valid key of a substance")
        return CodeUse(
            kind,
            key,
            relation,  # type: ignore[arg-type]  # checked above
            side or None,  # type: ignore[arg-type]
            places,
            status=status,  # type: ignore[arg-type]
            substance=substance,
        )

    def _plain(
        self, names: Sequence[str], codes: Sequence[str], ends: Sequence[str], numbers: Sequence[int]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Return codes and ends of ranges, normalised for comparison."""
        of_system: dict[str, list[str]] = {}
        for name, code in zip(names, codes, strict=True):
            of_system.setdefault(name, []).append(code)
        normal: dict[str, Callable[[str], str]] = {}
        for name, mine in of_system.items():
            system = self._known.systems.get(name)
            if system is None:
                wrong = (number for number, other in zip(numbers, names, strict=False) if other == name)
                self._complain(f"no code system is called `{name}`: see vocabulary/systems.toml", wrong)
                continue
            normal[name] = system.normaliser
            if malformed := system.malformed(mine):
                lines = [number for number, other in zip(numbers, names, strict=False) if other == name]
                for place, why in malformed:
                    self._complain(why, [lines[place]])
        if len(normal) < len(of_system):
            return codes, ends
        plain = [normal[name](code) for name, code in zip(names, codes, strict=True)]
        if not any(ends):
            return plain, ends
        for number, name, code, end in zip(numbers, names, codes, ends, strict=False):
            if end and (why := _why_no_range(self._known.systems[name], code, end)):
                self._complain(why, [number])
        return plain, [normal[name](end) if end else "" for name, end in zip(names, ends, strict=True)]


def lines_by_code(text: str) -> dict[str, str]:
    """Return the lines of a table by what they are about, without validation, for finding differences.

    The key is system, code, end of the range and finding; in the short tables of words and names, the first two
    columns.
    """
    lines = {}
    for row in text.split("\n")[1:]:
        cells = row.rstrip("\r").split("\t")
        about = 4 if len(cells) > 4 else 2
        if len(cells) > about:
            lines[" ".join(filter(None, cells[:about]))] = " | ".join(cells[about:])
    return lines


def repeated(
    tables: Mapping[str, CodeTable],
    named: Iterable[tuple[str, str, Iterable[Any]]],
    systems: Mapping[str, System],
) -> Iterator[Problem]:
    """Yield codes with two rows about the same key.

    ``named``: (file, key, codes) of everything with codes in the TOML files.
    """
    entries = [(file, key, entry) for file, key, entries in named for entry in entries if entry.system in systems]
    once = {(entry.system, systems[entry.system].normal(entry.code), "", key) for _, key, entry in entries}
    count = len(once)
    for table in tables.values():
        count += len(table.rows)
        once.update(zip(*(map(get, table.rows) for get in _ABOUT), strict=True))
    if len(once) < count:
        # One route may make several substances act only locally: such rows differ by their substance.
        routes = [
            (tuple(get(row) for get in _ABOUT), row.use.substance)
            for table in tables.values()
            for row in table.rows
            if row.use.relation == "not" and _is_of_route(row)
        ]
        count -= len(set(routes)) - len({about for about, _ in routes})
    return _repeated(tables, entries, systems) if len(once) < count else iter(())


_ABOUT = tuple(map(attrgetter, ("system", "plain", "plain_to", "use.key")))
"""What one row of a table may say only once."""


def _is_of_route(row: Row) -> bool:
    """Whether the row says that a substance acts only locally if it is given by this route."""
    return row.use.relation == "not" and bool(row.use.substance)


def _repeated(
    tables: Mapping[str, CodeTable], entries: Iterable[tuple[str, str, Any]], systems: Mapping[str, System]
) -> Iterator[Problem]:
    """Do the same with the place of each; slow, so used only for wrong content."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    several: dict[tuple[str, str], set[str]] = {}
    for file, key, entry in entries:
        place = (entry.system, systems[entry.system].normal(entry.code))
        seen[place] = (key, file)
        several.setdefault(place, set()).add(key)
    for name, table in tables.items():
        for row in table.rows:
            place = (row.system, f"{row.plain}-{row.plain_to}" if row.plain_to else row.plain)
            key = f"{row.use.key} of {row.use.substance}" if _is_of_route(row) else row.use.key
            earlier = seen.setdefault(place, (key, name))
            if earlier[1] is name and earlier[0] is key and place not in several:
                several[place] = {key}
            elif key in several.setdefault(place, {earlier[0]}):
                words = f"its meaning for `{key}` is already given in {earlier[1]}"
                yield Problem(name, row.code, words, "keep one of the two")
            else:
                several[place].add(key)


def _why_no_range(system: System, code: str, to: str) -> str:
    first, last = system.normal(code), system.normal(to)
    if not system.is_tree:
        return f"codes of {system.key} have no order, so a range is not possible"
    if len(first) != len(last) or first >= last:
        return f"the range ends at `{to}`, which is not after its start"
    wrong = system.malformed([to])
    return wrong[0][1] if wrong else ""


def _families(sources: Sequence[str]) -> dict[str, int]:
    """Count the rows by project or package, which is the part before the file in a source."""
    counts: Counter[str] = Counter()
    for source, count in Counter(sources).items():
        first = source.split(" ", 1)[0]
        project, colon, _ = first.partition(":")
        counts[project if colon and "/" in project else first] += count
    return dict(counts.most_common())
