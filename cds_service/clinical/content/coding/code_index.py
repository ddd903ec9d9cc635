"""Looking a code up: what it means here, in its own system or dialect, with what stands above it in a hierarchy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
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
_LONGEST_OF_WHO = 5
_JOINED = "&/"
"""What joins codes to a cluster."""
_SHORTEST_GROUP = 3
"""Characters of the shortest code that names a group of diagnoses: I80."""
_SEQUELA = 7
"""Characters of an ICD-10-CM code with its seventh, which is S for a late effect of an old injury."""


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
        """What ``code`` says, the closest first."""
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
        """What the codes in a group, none of which is given, say of a DVT."""
        for code, uses in self.codes.items() if self.is_tree and len(group) >= _SHORTEST_GROUP else ():
            if code.startswith(group):
                yield from (use for use in uses if use.key == DVT and use.is_of_concern)

    def stems_of_concern(self) -> Iterator[str]:
        """Thousands of codes share what they say, so it is looked at once."""
        shared = {id(uses): uses for uses in self.codes.values()}
        of_concern = {one for one, uses in shared.items() if any(use.is_of_concern for use in uses)}
        return (code for code, uses in self.codes.items() if id(uses) in of_concern)


class CodeIndex:
    """All codes of the content. Answers are remembered: charts repeat the same few hundred codes."""

    def __init__(
        self,
        systems: Systems,
        meanings: Iterable[CodeMeaning],
        rows: Iterable[tuple[str, str, str, CodeUse]] = (),
        others: Collection[tuple[str, str]] = (),
    ) -> None:
        """``rows``: system by its short name, code and end of a range, both normalised, and meaning.

        ``others``: address and code of what a site says to be about something else.
        """
        self._systems = systems
        self._others = frozenset(others)
        self._addresses_of_others = frozenset(address for address, _ in others)
        self._tables: dict[str, _Table] = {}
        for one in meanings:
            self._table(one.address, systems.of(one.address)).add(one.code, one.use)
        self._add_rows(rows)
        # Most codes of a chart are of no concern in any system: that is told by one look.
        flat = [table for table in self._tables.values() if not table.is_tree]
        trees = [table for table in self._tables.values() if table.is_tree]
        self._tree_notations = tuple({one.notation: one for one in systems.by_key.values() if one.is_tree}.values())
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
                # Thousands of codes mean the same and nothing else: they share what they say.
                table.codes[code] = alone.get(id(use)) or alone.setdefault(id(use), (use,))

    def _table(self, address: str, system: System | None) -> _Table:
        is_tree = system is not None and system.is_tree
        return self._tables.setdefault(address, _Table(is_tree=is_tree))

    def is_sequela(self, address: str, code: str) -> bool:
        """ICD-10-CM 7th character S, also under WHO's address: a late effect, not the current injury."""
        system = self._systems.of(address)
        if system is None or "icd10cm" not in (system.key, system.lender):
            return False
        plain = system.normal(code)
        return len(plain) == _SEQUELA and plain.endswith("S")

    def find_anywhere(self, code: str) -> tuple[CodeUse, ...]:
        """What ``code`` means in any of our systems, for a code whose own system is not known."""
        places = [address for address in self._tables if self._may_hold(address, code)]
        return tuple(dict.fromkeys(use for address in places for use in self._find(address, code)))

    def _may_hold(self, address: str, code: str) -> bool:
        system = self._systems.of(address)
        return system is None or system.may_be_of_it(code)

    def is_whole(self, address: str, code: str) -> bool:
        """Whether a code of ours says nothing beside what is ours.

        A cluster may, a code without a system may be another one, and of a system that is known in part, our few codes
        raise urgency but are no proof.
        """
        system = self._systems.of(address)
        if system is None:
            return self.knows_system(address)
        stems = system.cluster(code)
        return not system.in_part and len(stems) == 1 and all(self.find(address, part) for part in stems[0])

    def lists_all(self, address: str) -> bool:
        """Whether this system is a hierarchy that our content covers from above, or holds none of our findings."""
        system = self._systems.of(address)
        return system is not None and (system.holds_none or (system.is_tree and self.knows_system(address)))

    def _find_current(self, address: str, code: str) -> tuple[CodeUse, ...]:
        return () if self.is_sequela(address, code) else self.find(address, code)

    def _concerns(self, address: str, code: str) -> bool:
        return any(use.is_of_concern for use in self.named(address, code))

    def named(self, address: str, code: str) -> tuple[CodeUse, ...]:
        """What ``code`` names, also where it is not understood as a whole.

        That is every concept of an expression, the clots in a group ("I80") of which the record does not say more, and
        those of another edition's code under this address.
        """
        found = self.find(address, code)
        if found:
            return found
        if Expression.is_simple(code):
            return self._clots_below(address, code) or self._clots_of_another_edition(address, code)
        concepts = Expression.parse(code).concepts
        return tuple(dict.fromkeys(use for concept in concepts for use in self.find(address, concept)))

    def _clots_below(self, address: str, code: str) -> tuple[CodeUse, ...]:
        system = self._systems.of(address)
        plain = system.normal(code) if system is not None and system.is_tree else ""
        if system is None or plain not in self._groups:
            return ()
        tables = [self._tables.get(one.uri) for one in self._lines(system)]
        found = (use for table in tables if table is not None for use in table.clots_below(plain))
        return tuple(dict.fromkeys(found))

    def _clots_of_another_edition(self, address: str, code: str) -> tuple[CodeUse, ...]:
        """The clots that a code names in an edition whose codes records put under the address of this one."""
        system = self._systems.of(address)
        return tuple(use for use in self._in_another_edition(system, code) if use.key == DVT) if system else ()

    def _in_another_edition(self, system: System, code: str) -> tuple[CodeUse, ...]:
        """What ``code`` means in the edition that lends its codes to the one on which ``system`` rests."""
        base = self._systems.by_key[system.base] if system.base else None
        lender = self._systems.by_key[base.lender] if base is not None and base.lender else None
        if lender is None or lender.key == system.key:
            return ()
        return tuple(use for use in self._in_tree(lender, lender.normal(code)).values() if use.is_of_concern)

    def _lines(self, system: System) -> list[System]:
        """The system itself, and those whose codes or meanings it may hold."""
        lines = [system, *(self._systems.by_key[key] for key in (system.lender, system.base) if key)]
        return lines + [self._systems.by_key[one.lender] for one in lines[1:] if one.lender]

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
        """Whether a code of this system can be told to be ours or not: one of our codes, or one that holds none.

        HL7's own systems hold categories, statuses and answers, and no findings.
        """
        system = self._systems.of(address)
        if system is None:
            is_mapped = address in self._tables or address in self._addresses_of_others
            return is_mapped or address.startswith(_HL7_SYSTEMS)
        has_codes = system.uri in self._tables or bool(system.base)
        return system.holds_none or (has_codes and not system.in_part)

    def _identifies(self, address: str, code: str) -> bool:
        """Whether a code that is none of ours tells that it is about something else.

        It must be one that its system can hold. Our own system is closed: what it does not have is a mistake. An
        unlisted address of HL7 may be one more of a system that is listed: a code of ours is then not somebody else's.
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
        return any(one.can_be_code(code) for one in self._lines(system))

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
        found = self._in_tree(system, plain)
        if system.lender and not is_at_or_below(plain, system.own) and (len(plain) > _LONGEST_OF_WHO or not found):
            found = self._in_tree(self._systems.by_key[system.lender], plain) or found
        return tuple(use for use in found.values() if use.relation != "not")

    def _without_system(self, code: str) -> tuple[CodeUse, ...]:
        """What a code means that comes without its system: only if it can be a code of one system and of no other."""
        shaped = [one for one in self._systems.by_key.values() if one.shape is not None and one.may_be_of_it(code)]
        if len(shaped) != 1 or shaped[0].malformed([code.strip()]):
            return ()
        return tuple(use for use in self.find(shaped[0].uri, code) if use.is_of_concern)

    def _in_tree(self, system: System, plain: str) -> dict[tuple[UseKind, str], CodeUse]:
        """By what it is of: the closest use in the system itself, else in the system whose meanings it keeps."""
        found: dict[tuple[UseKind, str], CodeUse] = {}
        for use in self._uses_in(system.uri, plain):
            found.setdefault((use.kind, use.key), use)
        if system.base and not is_at_or_below(plain, system.unlike_base):
            for use in self._uses_in(self._systems.by_key[system.base].uri, plain):
                found.setdefault((use.kind, use.key), use)
        return found

    def _uses_in(self, uri: str, plain: str) -> Iterator[CodeUse]:
        table = self._tables.get(uri)
        return table.uses(plain) if table is not None else iter(())

    def _of_expression(self, system: System, expression: Expression) -> tuple[CodeUse, ...]:
        """What an expression says: its focus concepts at the places and sides of its refinements.

        Empty when a part of it is none of ours: it may turn round what the others say.
        """
        found: list[CodeUse] = []
        for concept in expression.focus:
            uses = self.find(system.uri, concept)
            if not uses:
                return ()
            found += uses
        for attribute, value in expression.refinements:
            if attribute in system.neutral_attributes:
                continue
            places = [use for use in self.find(system.uri, value) if use.kind == "site"]
            if not places:
                return ()
            found += places
        return tuple(found) if expression.is_whole else ()


def is_at_or_below(code: str, stems: frozenset[str]) -> bool:
    """Whether ``code`` is one of ``stems`` or begins with one."""
    return any(code[:length] in stems for length in range(1, len(code) + 1))
