"""What the link of an urgent card carries to the assessment page: the chart as it was read, without whose it is."""

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
    """An assessment that nobody has begun.

    Attributes:
        rule: of the card, or its first cause; empty if the page was opened without one. side: the leg.
        record: everything that the chart says, but for the patient's id and for counts of rows that no card names.
        client: whose words and choices its cards have; empty for the default client.
    """

    rule: str
    side: Side
    record: Record
    client: str = ""

    @classmethod
    def of(cls, rule: str, side: Side, assessment: Assessment) -> AssessDraft:
        """The chart behind ``assessment``."""
        return cls.of_record(rule, side, assessment.record)

    @classmethod
    def of_record(cls, rule: str, side: Side, record: Record) -> AssessDraft:
        """What of ``record`` has a say in a judgement."""
        nobody = replace(record.patient, id="")
        named = tuple(line for line in record.ledger if line.state is RowState.ANOTHER_PATIENT)
        return cls(rule, side, replace(record, patient=nobody, ledger=named, set_aside=()))

    def as_json(self) -> dict[str, Any]:
        """For a sealed text."""
        record = _RECORD.dump_python(self.record, mode="json", exclude_defaults=True)
        return {"rule": self.rule, "side": self.side.value, "record": record, "client": self.client}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> AssessDraft:
        """Read what ``as_json`` wrote.

        Raises:
            KeyError, ValueError: another version of this service wrote it.
        """
        record = _RECORD.validate_python(value["record"])
        return cls(str(value["rule"]), Side(value["side"]), record, str(value["client"]))
