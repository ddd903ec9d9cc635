"""The chart that a card's link carries to the assessment page: as it was read, without the patient's identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.record import Record, RowState, Side

_RECORD = TypeAdapter(Record)


@dataclass(frozen=True, slots=True)
class AssessDraft:
    """An assessment that has not begun.

    Attributes:
        rule: rule of the card, or its first cause; empty if the page was opened without a card.
        side: the leg.
        record: everything that the chart says, without the patient's id and without counts of rows that no card names.
        client: the client whose language and settings apply; empty for the default client.
    """

    rule: str
    side: Side
    record: Record
    client: str = ""

    @classmethod
    def of(cls, rule: str, side: Side, assessment: Assessment) -> AssessDraft:
        """Build the draft from the chart of ``assessment``."""
        return cls.of_record(rule, side, assessment.record)

    @classmethod
    def of_record(cls, rule: str, side: Side, record: Record) -> AssessDraft:
        """Build the draft from the parts of ``record`` that a judgement or a card uses."""
        nobody = replace(record.patient, id="")
        named = tuple(line for line in record.ledger if line.state is RowState.ANOTHER_PATIENT)
        return cls(rule, side, replace(record, patient=nobody, ledger=named, set_aside=()))

    def as_json(self) -> dict[str, Any]:
        """Return the draft as JSON for a sealed text."""
        record = _RECORD.dump_python(self.record, mode="json", exclude_defaults=True)
        return {"rule": self.rule, "side": self.side.value, "record": record, "client": self.client}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> AssessDraft:
        """Read the result of ``as_json``.

        Raises:
            KeyError, ValueError: another version of this service wrote it.
        """
        record = _RECORD.validate_python(value["record"])
        return cls(str(value["rule"]), Side(value["side"]), record, str(value["client"]))
