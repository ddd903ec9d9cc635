"""Requests, bytes and the longest query for one chart of 3,000 Observations, read from a FHIR server in each style.

A FHIR server on loopback holds ten years of an invented patient: mostly vital signs and laboratory results, a few
answers of the present visit. Prints one line a style; nothing here passes or fails.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any, get_args
from uuid import uuid4

from cds_service.adapters.fhir_reader.reader import FhirReader
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.protocol.queries import Style, plan_of
from tests import fhir_server as fhir
from tests.charts import LOINC, concept, observation
from tests.conftest import NOW, shipped_service

ROWS = 3_000
_VITALS = ("8867-4", "8480-6", "8462-4", "9279-1", "59408-5", "8310-5")
_RESULTS = ("2160-0", "718-7", "2951-2", "2823-3", "6690-2", "777-3")


def chart() -> list[dict[str, Any]]:
    """Two thirds vital signs, a third results, over ten years; 20 answers of this visit."""
    rows = [observation(key, site="32153003") for key in ("pain_calf", "calf_swelling") for _ in range(10)]
    for number in range(ROWS - len(rows)):
        vital = number % 3 != 0
        codes = _VITALS if vital else _RESULTS
        category = concept(
            (
                "http://terminology.hl7.org/CodeSystem/observation-category",
                "vital-signs" if vital else "laboratory",
            )
        )
        rows.append(
            observation(
                concept((LOINC, codes[number % len(codes)])),
                ago=number * 3_650 / ROWS,
                category=[category],
                valueQuantity={"value": 70 + number % 9, "unit": "1"},
            )
        )
    for row in rows[:20]:
        row["category"] = [concept(("http://terminology.hl7.org/CodeSystem/observation-category", "exam"))]
    assert (NOW.date() - timedelta(days=1)).isoformat() == rows[0]["effectiveDateTime"]
    return [{"resourceType": "Patient", "id": "p", "birthDate": "1960-01-01"}, *rows]


def main() -> None:
    """Measure and print."""
    resources = chart()
    print(f"{'style':<12} {'requests':>8} {'KB read':>8} {'rows':>6} {'longest query':>14} {'ms':>6}")
    for style in get_args(Style):
        with fhir.running() as ehr:
            ehr.charts = fhir.Charts(resources, strict=style != "all", most=500)
            plan = plan_of(shipped_service().content, style)
            request = HookRequest.model_validate(
                {
                    "hook": "patient-view",
                    "hookInstance": str(uuid4()),
                    "context": {"userId": "Practitioner/p", "patientId": "p"},
                    "fhirServer": ehr.url,
                }
            )
            reader = FhirReader((ehr.url,), deadline=60)
            began = time.perf_counter()
            found = asyncio.run(reader.complete(request, gather(None, plan), without_token=True, today=NOW.date()))
            took = (time.perf_counter() - began) * 1000
            reader.close()
            longest = max(len(one.template.partition("?")[2]) for one in plan.searches)
            print(
                f"{style:<12} {len(ehr.asked):>8} {ehr.charts.sent / 1000:>8.0f} {len(found.entries):>6} "
                f"{longest:>14} {took:>6.0f}"
            )


if __name__ == "__main__":
    main()
