"""An invented population as a Bulk Data export, of which every opening and every DVT card is known beforehand.

Each patient lives one of a few stories. Findings are written down a quarter of an hour after a visit begins, so that
they are first seen when the chart is opened for the next one. ``python -m tests.population FOLDER PATIENTS
[ROWS [EXAMPLES]]`` writes one, with so many further rows for each patient, and so many patients more that are like the
shipped examples.
"""

from __future__ import annotations

import gzip
import random
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, cast

import orjson

from cds_service.service.examples import moved
from tests.bench.bodies import chart_rows
from tests.charts import ICD10CM, LEFT_CALF, RIGHT_CALF, RXNORM, SNOMED
from tests.conftest import NOW, bundle, stories

START = datetime(2025, 1, 6, 8, tzinfo=UTC)
DAYS = 420
END = START + timedelta(days=DAYS + 120)
"""After everything that happens."""
_TERMS = "http://terminology.hl7.org/CodeSystem"
PAIN, SWELLING, ACHE = "300954003", "281792000", "27635008"
APIXABAN, DVT_LEG = "1364430", "I82.401"
DVT_WORDS = "Acute embolism and thrombosis of unspecified deep veins of right lower extremity"

STORIES = {
    "well": 60,
    "suspected": 12,
    "clot": 4,
    "missed": 2,
    "treated": 4,
    "cancelled": 3,
    "child": 2,
}
"""How many of each, relative to all.

well: visits, nothing about a leg. suspected: a painful swollen calf, and nothing follows. clot: the same, and a DVT is
coded and treated three days later. missed: a DVT without a word before. treated: an anticoagulant already taken.
cancelled: the swelling was entered in error. child: under 18.
"""
Resource = dict[str, Any]


@dataclass
class Truth:
    """What a replay at each encounter must find."""

    patients: int = 0
    openings: int = 0
    dvt_cards: int = 0
    clots: int = 0
    clots_with_card: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    stories: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Person:
    """One invented patient."""

    id: str
    story: str
    resources: tuple[Resource, ...]
    openings: int
    dvt_cards: int


def people(count: int, seed: int = 1, padding: int = 0) -> Iterator[Person]:
    """So many patients. ``padding``: further rows for each, of vital signs and laboratory results.

    They were all recorded before the first visit, so that each opening has them.
    """
    chance = random.Random(seed)
    names = list(STORIES)
    for number in range(count):
        story = chance.choices(names, list(STORIES.values()))[0]
        yield _person(number, story, chance, padding)


def like_examples(count: int, seed: int = 1) -> Iterator[tuple[Resource, ...]]:
    """So many patients who have what an example has, on some day of their lives: for a report to look at."""
    chance = random.Random(seed)
    shown = [(name, orjson.dumps(moved(bundle(name), 0))) for name in sorted(stories())]
    for number in range(count):
        name, text = chance.choice(shown)
        days = chance.randrange(DAYS) - (NOW - START).days
        who = f"x{number:06d}"
        chart = moved(orjson.loads(text.replace(f"{name}-".encode(), f"{who}-".encode())), days)
        rows = [entry["resource"] for entry in chart["entry"]]
        for row in rows:
            row |= {"id": who} if row["resourceType"] == "Patient" else {"subject": {"reference": f"Patient/{who}"}}
        visits = [_encounter(who, n, NOW + timedelta(days=days, hours=n), chance) for n in (0, 1)]
        yield (*(row for row in rows if row["resourceType"] != "Encounter"), *visits)


def export(folder: Path, count: int, *, seed: int = 1, padding: int = 0, files: int = 1, packed: bool = False) -> Truth:
    """Write an export: NDJSON for each type in so many ``files``, ``packed`` with gzip or not."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = Truth()
    with ExitStack() as opened:
        streams: dict[tuple[str, int], IO[bytes]] = {}
        for number, person in enumerate(people(count, seed, padding)):
            _tell(truth, person)
            for resource in person.resources:
                name = (resource["resourceType"], number % files)
                if name not in streams:
                    path = folder / f"{name[0]}.{name[1]:03d}.ndjson{'.gz' if packed else ''}"
                    streams[name] = opened.enter_context(_stream(path))
                streams[name].write(orjson.dumps(resource) + b"\n")
    return truth


def _stream(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(path, "wb", 1)) if path.suffix == ".gz" else path.open("wb")


def bundles(folder: Path, count: int, *, seed: int = 1) -> Truth:
    """Write the same people as one Bundle each."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = Truth()
    for person in people(count, seed):
        _tell(truth, person)
        bundle = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": resource} for resource in person.resources],
        }
        (folder / f"{person.id}.json").write_bytes(orjson.dumps(bundle))
    return truth


def _tell(truth: Truth, person: Person) -> None:
    truth.patients += 1
    truth.openings += person.openings
    truth.dvt_cards += person.dvt_cards
    truth.clots += person.story in ("clot", "missed")
    truth.clots_with_card += person.story == "clot"
    truth.stories[person.story] += 1
    truth.rows.update(resource["resourceType"] for resource in person.resources)


def _person(number: int, story: str, chance: random.Random, padding: int) -> Person:
    who = f"p{number:06d}"
    first = START + timedelta(days=chance.randrange(DAYS), minutes=15 * chance.randrange(32))
    age = chance.randrange(4, 15) if story == "child" else chance.randrange(20, 90)
    born = date(first.year - age, chance.randrange(1, 13), chance.randrange(1, 28))
    rows: list[Resource] = [
        {
            "resourceType": "Patient",
            "id": who,
            "name": [{"family": "Invented", "given": [f"Person{number}"]}],
            "gender": chance.choice(("female", "male")),
            "birthDate": born.isoformat(),
        }
    ]
    # The second visit is on the day after the first, the third when everything is long over.
    visits = [first, first + timedelta(days=1), first + timedelta(days=100)]
    rows += [_encounter(who, n, at, chance) for n, at in enumerate(visits)]
    leg = chance.choice((LEFT_CALF, RIGHT_CALF))
    seen = first + timedelta(minutes=15)
    if story not in ("well", "missed"):
        rows.append(_finding(who, "pain", PAIN, "Pain in calf (finding)", leg, seen))
        swelling = _finding(who, "swelling", SWELLING, "Swelling of calf", leg, seen)
        rows.append(swelling | ({"status": "entered-in-error"} if story == "cancelled" else {}))
    if story == "treated":
        rows.append(_anticoagulant(who, first - timedelta(days=200)))
    if story in ("clot", "missed"):
        coded = first + timedelta(days=3)
        rows += [_dvt(who, coded), _anticoagulant(who, coded)]
    if padding:
        rows += chart_rows(padding, number, who, first.date())
    return Person(who, story, tuple(rows), len(visits), int(story in ("suspected", "clot", "treated")))


def _about(kind: str, who: str, name: str) -> Resource:
    return {"resourceType": kind, "id": f"{who}-{name}", "subject": {"reference": f"Patient/{who}"}}


def _concept(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _encounter(who: str, number: int, at: datetime, chance: random.Random) -> Resource:
    kind = chance.choice(("AMB", "AMB", "AMB", "EMER"))
    return _about("Encounter", who, f"e{number}") | {
        "status": "finished",
        "class": {"system": f"{_TERMS}/v3-ActCode", "code": kind},
        "period": {"start": at.isoformat(), "end": (at + timedelta(minutes=30)).isoformat()},
        "serviceProvider": {"reference": f"Organization/site-{chance.randrange(3)}"},
        "participant": [{"individual": {"reference": f"Practitioner/d{chance.randrange(12)}"}}],
    }


def _finding(who: str, name: str, code: str, display: str, leg: str, at: datetime) -> Resource:
    return _about("Observation", who, name) | {
        "status": "final",
        "code": _concept(SNOMED, code, display),
        "valueBoolean": True,
        "bodySite": {"coding": [{"system": SNOMED, "code": leg}]},
        "effectiveDateTime": at.isoformat(),
        "issued": at.isoformat(),
    }


def _dvt(who: str, at: datetime) -> Resource:
    return _about("Condition", who, "dvt") | {
        "code": _concept(ICD10CM, DVT_LEG, DVT_WORDS),
        "clinicalStatus": _concept(f"{_TERMS}/condition-clinical", "active", "Active"),
        "verificationStatus": _concept(f"{_TERMS}/condition-ver-status", "confirmed", "Confirmed"),
        "onsetDateTime": at.isoformat(),
        "recordedDate": at.isoformat(),
    }


def _anticoagulant(who: str, at: datetime) -> Resource:
    return _about("MedicationRequest", who, "apixaban") | {
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _concept(RXNORM, APIXABAN, "apixaban"),
        "authoredOn": at.isoformat(),
    }


def _add_examples(folder: Path, count: int) -> None:
    """More patients, of whom nothing is known beforehand, in a file of their own."""
    with (folder / "examples.ndjson").open("wb") as stream:
        for resources in like_examples(count):
            stream.writelines(orjson.dumps(resource) + b"\n" for resource in resources)


if __name__ == "__main__":
    folder, patients, more, examples = (
        Path(sys.argv[1]),
        *(int(argument) for argument in [*sys.argv[2:], "0", "0"][:3]),
    )
    sys.stdout.write(f"{export(folder, patients, padding=more)}\n")
    _add_examples(folder, examples)
