"""What the content knows about medicines beyond the relevant codes: names, classes, and codes listed as irrelevant."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.clinical.content.coding.code_tables import CodeTable
from cds_service.clinical.content.coding.code_uses import CodeUse
from cds_service.clinical.content.coding.medicine_names import MedicineName, MedicineNames
from cds_service.clinical.content.coding.systems import System, Systems
from cds_service.clinical.content.names import ANTICOAGULANT

_WHOLE_CODE = 7
_CLASS_OF_SUBSTANCES = 5
"""Length of an ATC code that names a substance, and of the class that contains it."""


class Formulary:
    """One per content."""

    def __init__(self, systems: Systems, tables: Iterable[CodeTable], names: Iterable[MedicineName]) -> None:
        self.names = MedicineNames(names)
        self._systems = systems
        self._told_apart: set[tuple[str, str]] = set()
        self._local: set[tuple[str, str, str, str]] = set()
        self._above: set[tuple[str, str]] = set()
        for table in tables:
            for row in table.rows:
                system = systems.by_key[row.system]
                plain = row.plain
                is_not = row.use.relation == "not"
                if is_not and row.use.substance:
                    self._local.add((system.key, plain, row.use.key, row.use.substance))
                elif row.use.key == ANTICOAGULANT and is_not:
                    self._told_apart.add((system.key, plain))
                elif row.use.key == ANTICOAGULANT and _is_classification(system):
                    self._above.update((system.key, plain[:length]) for length in range(1, len(plain)))

    def findings_named_in(self, text: str) -> frozenset[str]:
        """Return what taking the medicines named in ``text`` would show."""
        return self.names.findings_in(text, in_medicine=True)

    def is_told_apart(self, address: str, code: str) -> bool:
        """Whether the code is listed as irrelevant, although its words or its class resemble a relevant one."""
        system = self._systems.of(address)
        if system is None:
            return False
        plain = system.normal(code)
        lengths = range(1, len(plain) + 1) if system.is_tree else (len(plain),)
        return any((system.key, plain[:length]) in self._told_apart for length in lengths)

    def is_local(self, use: CodeUse, routes: Iterable[Iterable[tuple[str, str]]]) -> bool:
        """Whether a drug given by ``routes`` (system, code) acts only where it is given, like an eye drop."""
        listed = [[(self._systems.of(address), code) for address, code in route] for route in routes]
        return bool(use.substance and listed) and all(
            any(
                system is not None and (system.key, system.normal(code), use.key, use.substance) in self._local
                for system, code in route
            )
            for route in listed
        )

    def is_wide_class(self, address: str, code: str) -> bool:
        """Whether the code names a class with both relevant and other medicines: all antithrombotic agents."""
        system = self._systems.of(address)
        return system is not None and (system.key, system.normal(code)) in self._above

    def is_class(self, address: str, code: str) -> bool:
        """Whether the code alone identifies the medicine: a full code of a classification, or a vaccine code.

        In a class with relevant medicines, an unlisted code does not identify one.
        """
        system = self._systems.of(address)
        if system is None or not system.medicines:
            return False
        if not _is_classification(system):
            return system.holds_none
        plain = system.normal(code)
        is_valid = system.shape is not None and bool(system.shape.fullmatch(plain))
        is_mixed = len(plain) == _WHOLE_CODE and (system.key, plain[:_CLASS_OF_SUBSTANCES]) in self._above
        return is_valid and not is_mixed

    def knows(self, address: str) -> bool:
        """Whether the codes of this system are medicines, so that the words beside a code name the medicine."""
        system = self._systems.of(address)
        return system is not None and system.medicines


def _is_classification(system: System) -> bool:
    """Whether the first characters of a code give the kind of medicine."""
    return system.medicines and system.notation == "tree"
