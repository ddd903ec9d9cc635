"""Look up what a code means here, in its own system or dialect, with the codes above it in a hierarchy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from cds_service.clinical.content.coding.code_uses import CodeMeaning, CodeUse, UseKind
from cds_service.clinical.content.coding.codes import FINDING_SYSTEM
from cds_service.clinical.content.coding.expressions import Expression
from cds_service.clinical.content.coding.systems import System, Systems
from cds_service.clinical.content.names import DVT

_CODES_REMEMBERED = 32_768
_HL7_SYSTEMS = (
    "http://terminology.hl7.org/CodeSystem/",
    "http://hl7.org/fhir/observation-",
    "http://hl7.org/fhir/condition-",
)
_MAX_WHO_LENGTH = 5
_JOINED = "&/"
"""Characters that join codes into a cluster."""
_SHORTEST_GROUP = 3
"""Length of the shortest code that names a group of diagnoses: I80."""
_SEQUELA = 7
"""Length of an ICD-10-CM code with its seventh character, which is S for a late effect of an old injury."""


@dataclass(slots=True)
class _Table:
    """The codes of one system, normalised."""

    codes: dict[str, tuple[CodeUse, ...]] = field(default_factory=dict)
    ranges: list[tuple[str, str, CodeUse]] = field(default_factory=list)
    is_tree: bool = False

    def add(self, code: str, use: CodeUse) -> None:
        earlier = self.codes.get(code)
        self.codes[code] = (use,) if earlier is None else (*earlier, use)

    def uses(self, code: str) -> Iterator[CodeUse]:
        """Yield the meanings of ``code``, the closest first."""
        if not self.is_tree:
            yield from self.codes.get(code, ())
            return
        for length in range(len(code), 0, -1):
            stem = code[:length]
            for use in self.codes.get(stem, ()):
                yield use.of_longer(code)
            for first, last, use in self.ranges:
                if len(first) == length and first <= stem <= last:
                    yield use

    def clots_below(self, group: str) -> Iterator[CodeUse]:
        """Yield the DVT meanings of the codes below a group that is not listed itself."""
        for code, uses in self.codes.items() if self.is_tree and len(group) >= _SHORTEST_GROUP else ():
            if code.startswith(group):
                yield from (use for use in uses if use.key == DVT and use.is_of_concern)

    def stems_of_concern(self) -> Iterator[str]:
        """Return the relevant codes. Meanings are shared by thousands of codes, so each is checked once."""
        shared = {id(uses): uses for uses in self.codes.values()}
        of_concern = {identity for identity, uses in shared.items() if any(use.is_of_concern for use in uses)}
        return (code for code, uses in self.codes.items() if id(uses) in of_concern)


class CodeIndex:
    """All codes of the content. Results are cached, because charts repeat a few hundred codes."""

    def __init__(
        self,
        systems: Systems,
        meanings: Iterable[CodeMeaning],
        rows: Iterable[tuple[str, str, str, CodeUse]] = (),
        others: Collection[tuple[str, str]] = (),
    ) -> None:
        """Build the tables.

        ``rows``: short name of the system, code and end of a range (both normalised), and meaning.
        ``others``: address and code of the codes that a site maps to something else.
        """
        self._systems = systems
        self._others = frozenset(others)
        self._addresses_of_others = frozenset(address for address, _ in others)
        self._tables: dict[str, _Table] = {}
        for meaning in meanings:
            self._table(meaning.address, systems.of(meaning.address)).add(meaning.code, meaning.use)
        self._add_rows(rows)
        # Most codes of a chart are irrelevant in every system; these sets decide that with one look-up.
        flat = [table for table in self._tables.values() if not table.is_tree]
        trees = [table for table in self._tables.values() if table.is_tree]
        self._tree_notations = tuple(
            {system.notation: system for system in systems.by_key.values() if system.is_tree}.values()
        )
        self._flat = frozenset(code for table in flat for code in table.stems_of_concern())
        self._stems = frozenset(code for table in trees for code in table.stems_of_concern())
        self._ranges = tuple((first, last) for table in trees for first, last, use in table.ranges if use.is_of_concern)
        self._groups = frozenset(
            code[:length]
            for table in trees
            for code, uses in table.codes.items()
            if any(use.key == DVT and use.is_of_concern for use in uses)
            for length in range(_SHORTEST_GROUP, len(code))
        )
        self.find = lru_cache(maxsize=_CODES_REMEMBERED)(self._find)
        self.find_current = lru_cache(maxsize=_CODES_REMEMBERED)(self._find_current)
        self.concerns = lru_cache(maxsize=_CODES_REMEMBERED)(self._concerns)
        self.may_concern = lru_cache(maxsize=_CODES_REMEMBERED)(self._may_concern)
        self.identifies = lru_cache(maxsize=_CODES_REMEMBERED)(self._identifies)
        self.knows_system = lru_cache(maxsize=_CODES_REMEMBERED // 32)(self._knows_system)

    def _add_rows(self, rows: Iterable[tuple[str, str, str, CodeUse]]) -> None:
        by_key: dict[str, _Table] = {}
        alone: dict[int, tuple[CodeUse]] = {}
        for name, code, to, use in rows:
            table = by_key.get(name)
            if table is None:
                system = self._systems.by_key[name]
                table = by_key[name] = self._table(system.uri, system)
            if to:
                table.ranges.append((code, to, use))
            elif code in table.codes:
                table.add(code, use)
            else:
                # Thousands of codes have this single meaning, so they share one tuple.
                table.codes[code] = alone.get(id(use)) or alone.setdefault(id(use), (use,))

    def _table(self, address: str, system: System | None) -> _Table:
        is_tree = system is not None and system.is_tree
        return self._tables.setdefault(address, _Table(is_tree=is_tree))

    def is_sequela(self, address: str, code: str) -> bool:
        """Whether the code has ICD-10-CM's 7th character S, also under WHO's address: a late effect of an injury."""
        system = self._systems.of(address)
        if system is None or "icd10cm" not in (system.key, system.lender):
            return False
        plain = system.normal(code)
        return len(plain) == _SEQUELA and plain.endswith("S")

    def find_anywhere(self, code: str) -> tuple[CodeUse, ...]:
        """Return what ``code`` means in any known system, for a code whose own system is unknown."""
        places = [address for address in self._tables if self._may_hold(address, code)]
        return tuple(dict.fromkeys(use for address in places for use in self._find(address, code)))

    def _may_hold(self, address: str, code: str) -> bool:
        system = self._systems.of(address)
        return system is None or system.may_be_of_it(code)

    def is_whole(self, address: str, code: str) -> bool:
        """Whether the meaning of a known code is completely covered here.

        It is not for a cluster with unknown parts, a code without a system, or a system that is known only in part.
        Their codes may raise urgency but prove nothing.
        """
        system = self._systems.of(address)
        if system is None:
            return self.knows_system(address)
        stems = system.cluster(code)
        return not system.in_part and len(stems) == 1 and all(self.find(address, part) for part in stems[0])

    def lists_all(self, address: str) -> bool:
        """Whether the content covers this system from the top of its hierarchy, or it contains none of our findings."""
        system = self._systems.of(address)
        return system is not None and (system.holds_none or (system.is_tree and self.knows_system(address)))

    def _find_current(self, address: str, code: str) -> tuple[CodeUse, ...]:
        return () if self.is_sequela(address, code) else self.find(address, code)

    def _concerns(self, address: str, code: str) -> bool:
        return any(use.is_of_concern for use in self.named(address, code))

    def named(self, address: str, code: str) -> tuple[CodeUse, ...]:
        """Return what ``code`` names, even if it is not understood as a whole.

        This includes every concept of an expression, the clots below a group such as "I80" that is recorded without
        more detail, and the clots that the code means in another edition under this address.
        """
        uses = self.find(address, code)
        if uses:
            return uses
        if Expression.is_simple(code):
            return self._clots_below(address, code) or self._clots_of_another_edition(address, code)
        concepts = Expression.parse(code).concepts
        return tuple(dict.fromkeys(use for concept in concepts for use in self.find(address, concept)))

    def _clots_below(self, address: str, code: str) -> tuple[CodeUse, ...]:
        system = self._systems.of(address)
        plain = system.normal(code) if system is not None and system.is_tree else ""
        if system is None or plain not in self._groups:
            return ()
        tables = [self._tables.get(line.uri) for line in self._lines(system)]
        clots = (use for table in tables if table is not None for use in table.clots_below(plain))
        return tuple(dict.fromkeys(clots))

    def _clots_of_another_edition(self, address: str, code: str) -> tuple[CodeUse, ...]:
        """Return the clots that a code names in another edition whose codes are often sent under this address."""
        system = self._systems.of(address)
        return tuple(use for use in self._in_another_edition(system, code) if use.key == DVT) if system else ()

    def _in_another_edition(self, system: System, code: str) -> tuple[CodeUse, ...]:
        """Return what ``code`` means in the edition that lends its codes to the base of ``system``."""
        base = self._systems.by_key[system.base] if system.base else None
        lender = self._systems.by_key[base.lender] if base is not None and base.lender else None
        if lender is None or lender.key == system.key:
            return ()
        return tuple(use for use in self._in_tree(lender, lender.normal(code)).values() if use.is_of_concern)

    def _lines(self, system: System) -> list[System]:
        """Return the system itself and the systems whose codes or meanings it may contain."""
        lines = [system, *(self._systems.by_key[key] for key in (system.lender, system.base) if key)]
        return lines + [self._systems.by_key[line.lender] for line in lines[1:] if line.lender]

    def _may_concern(self, code: str) -> bool:
        plain = code.strip()
        if plain in self._flat or not Expression.is_simple(plain) or any(mark in plain for mark in _JOINED):
            return True
        forms = {system.normal(plain) for system in self._tree_notations}
        return any(form in self._groups or self._is_below_one(form) for form in forms)

    def _is_below_one(self, code: str) -> bool:
        stems = [code[:length] for length in range(1, len(code) + 1)]
        if not self._stems.isdisjoint(stems):
            return True
        return any(first <= code[: len(first)] <= last for first, last in self._ranges if len(code) >= len(first))

    def _knows_system(self, address: str) -> bool:
        """Whether it can be decided that a code of this system is used here or not.

        HL7's own systems contain categories, statuses and answers, but no findings.
        """
        system = self._systems.of(address)
        if system is None:
            is_mapped = address in self._tables or address in self._addresses_of_others
            return is_mapped or address.startswith(_HL7_SYSTEMS)
        has_codes = system.uri in self._tables or bool(system.base)
        return system.holds_none or (has_codes and not system.in_part)

    def _identifies(self, address: str, code: str) -> bool:
        """Whether an unused code shows that the resource is about something else.

        The code must be valid in its system. Our own system is closed, so an unknown code in it is a mistake. An
        unlisted HL7 address may be another address of a listed system, so a known code under it does not count as
        something else.
        """
        place = self._systems.code(address, code)
        if (place.system, place.code) in self._others:
            return True
        if not self.knows_system(address):
            return False
        system = self._systems.of(address)
        if system is None:
            return not any(use.is_of_concern for use in self.find_anywhere(code))
        if system.uri == FINDING_SYSTEM:
            return False
        if system.base and not system.may_be_of_it(code) and self._in_another_edition(system, code):
            return False
        return any(line.can_be_code(code) for line in self._lines(system))

    def _find(self, address: str, code: str) -> tuple[CodeUse, ...]:
        if not address:
            return self._without_system(code)
        system = self._systems.of(address)
        if system is None:
            return tuple(self._uses_in(address, code.strip()))
        if system.notation == "snomed" and not Expression.is_simple(code):
            return self._of_expression(system, Expression.parse(code))
        if system.clusters and len(parts := [part for stem in system.cluster(code) for part in stem]) > 1:
            return tuple(dict.fromkeys(use for part in parts for use in self.find(address, part)))
        plain = system.normal(code)
        if not system.is_tree:
            return tuple(use for use in self._uses_in(system.uri, plain) if use.relation != "not")
        uses = self._in_tree(system, plain)
        if system.lender and not is_at_or_below(plain, system.own):
            lent = self._in_tree(self._systems.by_key[system.lender], plain)
            if len(plain) > _MAX_WHO_LENGTH or not uses:
                uses = lent or uses
            else:
                # A code that only the lender has, below one of the system's own, may name the leg.
                uses |= {
                    about: lent[about] for about, use in uses.items() if not use.side and _names_a_leg(lent, about)
                }
        return tuple(use for use in uses.values() if use.relation != "not")

    def _without_system(self, code: str) -> tuple[CodeUse, ...]:
        """Return the meanings of a code without a system, only if it fits exactly one system."""
        shaped = [
            system for system in self._systems.by_key.values() if system.shape is not None and system.may_be_of_it(code)
        ]
        if len(shaped) != 1 or shaped[0].malformed([code.strip()]):
            return ()
        return tuple(use for use in self.find(shaped[0].uri, code) if use.is_of_concern)

    def _in_tree(self, system: System, plain: str) -> dict[tuple[UseKind, str], CodeUse]:
        """Return for each key the closest use in the system itself, otherwise in its base system."""
        closest: dict[tuple[UseKind, str], CodeUse] = {}
        for use in self._uses_in(system.uri, plain):
            closest.setdefault((use.kind, use.key), use)
        if system.base and not is_at_or_below(plain, system.unlike_base):
            for use in self._uses_in(self._systems.by_key[system.base].uri, plain):
                closest.setdefault((use.kind, use.key), use)
        return closest

    def _uses_in(self, uri: str, plain: str) -> Iterator[CodeUse]:
        table = self._tables.get(uri)
        return table.uses(plain) if table is not None else iter(())

    def _of_expression(self, system: System, expression: Expression) -> tuple[CodeUse, ...]:
        """Return the meanings of an expression: its focus concepts at the places and sides of its refinements.

        Empty if a part is unknown, because it may reverse the meaning of the others.
        """
        result: list[CodeUse] = []
        for concept in expression.focus:
            uses = self.find(system.uri, concept)
            if not uses:
                return ()
            result += uses
        for attribute, value in expression.refinements:
            if attribute in system.neutral_attributes:
                continue
            places = [use for use in self.find(system.uri, value) if use.kind == "site"]
            if not places:
                return ()
            result += places
        return tuple(result) if expression.is_whole else ()


def _names_a_leg(uses: Mapping[tuple[UseKind, str], CodeUse], about: tuple[UseKind, str]) -> bool:
    return about in uses and bool(uses[about].side)


def is_at_or_below(code: str, stems: frozenset[str]) -> bool:
    """Whether ``code`` is one of ``stems`` or begins with one."""
    return any(code[:length] in stems for length in range(1, len(code) + 1))
