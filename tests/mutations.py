"""Charts damaged in every way that a sender, a converter or a network could think of.

Each mutation changes a patient-view call in place and says by its kind what may become of the judgement.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from random import Random
from typing import Any

import orjson
from hypothesis import note

from tests.charts import LEFT, LEFT_CALF, RIGHT, RIGHT_CALF, SIDE_LEFT, SIDE_RIGHT
from tests.conftest import shipped_service

Body = dict[str, Any]
Path = tuple[Any, ...]


class Kind(StrEnum):
    """What a mutation may do.

    SAME: nothing. NOISE: nothing, but it must be told. SHAPE: a value of the wrong JSON type or under a wrong name, so
    what is lost by it must be told. MEANING: it may change what the chart says.
    """

    SAME = "same"
    NOISE = "noise"
    SHAPE = "shape"
    MEANING = "meaning"


RAW = {
    b'"@huge@"': b"1e400",
    b'"@nan@"': b"NaN",
    b"@surrogate@": rb"\ud800",
    b"@pair@": rb"\ud83d\ude00",
    b"@nul@": rb"\u0000",
    b'"@twice@"': b'{"code":"a","code":"b"}',
}
"""What no JSON library writes: put in after writing."""
CLINICAL = (
    "Observation", "Condition", "Procedure", "MedicationRequest", "MedicationStatement", "ServiceRequest",
)  # fmt: skip
BUNDLES = ("observations", "conditions", "procedures", "medications", "orders")
_is_date = re.compile(r"\d{4}(-\d\d(-\d\d(T.*)?)?)?").fullmatch
_SEEN_BY = {
    "code", "coding", "system", "component", "contained", "category", "hasMember", "valueCodeableConcept",
    "medicationCodeableConcept", "medicationReference",
}  # fmt: skip
"""What is taken away here leaves a resource that says something else, lawfully."""
_CODES = sorted({(entry.system, entry.code) for _, _, entry in shipped_service().content.entries()})
_SIDES = (LEFT, RIGHT, LEFT_CALF, RIGHT_CALF, SIDE_LEFT, SIDE_RIGHT)


def nested(depth: int) -> Any:
    found: Any = []
    for _ in range(depth):
        found = [found]
    return found


_MILD: tuple[Any, ...] = (True, False, 0, 1, 20528, "", "no", "2026", [], {}, [None])
"""What a lenient reader might take for something."""
_WILD: tuple[Any, ...] = (
    -1, 1.5, 1e308, 2**53, "x", "NaN", "@surrogate@", "@huge@", "Patient/q", "x" * 3000, [[]], ["x"], {"x": 1},
    {"coding": []}, nested(20), nested(100),
)  # fmt: skip


def _junk(dice: Random) -> Any:
    return copy.deepcopy(dice.choice(dice.choice([_MILD, _WILD])))


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float) or value == "@huge@":
        return "number"
    return type(value).__name__


def written(body: Body) -> bytes:
    """The call as bytes, with what no library writes."""
    raw = orjson.dumps(body)
    for mark, meant in RAW.items():
        raw = raw.replace(mark, meant)
    return raw


def places(node: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every node below ``node``."""
    if isinstance(node, dict):
        for key, inner in node.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    elif isinstance(node, list):
        for index, inner in enumerate(node):
            yield (*path, index)
            yield from places(inner, (*path, index))


def _at(node: Any, path: Path) -> Any:
    for step in path:
        node = node[step]
    return node


def rows(body: Body) -> list[list[Any]]:
    """The entry lists of the chart."""
    found = []
    for value in body["prefetch"].values():
        entries = value.get("entry") if isinstance(value, dict) else None
        if isinstance(entries, list) and entries:
            found.append(entries)
    return found


def resources(body: Body) -> list[dict[str, Any]]:
    """The resources in the entries that have kept their kind."""
    return [
        row["resource"]
        for entries in rows(body)
        for row in entries
        if isinstance(row, dict)
        and isinstance(row.get("resource"), dict)
        and row["resource"].get("resourceType") in CLINICAL
    ]


def _some(dice: Random, body: Body, fits: Callable[[Any, Any], bool] = lambda _key, _value: True) -> Path | None:
    """The path of a node of the chart whose key and value fit; rare keys are as likely as frequent ones."""
    chart = body["prefetch"]
    found: dict[Any, list[Path]] = {}
    for path in places(chart):
        if fits(path[-1], _at(chart, path)):
            found.setdefault(path[-1], []).append(path)
    return dice.choice(found[dice.choice(sorted(found, key=str))]) if found else None


def _change(dice: Random, body: Body, fits: Callable[[Any, Any], bool], new: Callable[[Any], Any]) -> None:
    path = _some(dice, body, fits)
    if path is not None:
        holder = _at(body["prefetch"], path[:-1])
        holder[path[-1]] = new(holder[path[-1]])


def _grow(dice: Random, body: Body, row: Any) -> bool:
    """Another row in one of the lists of entries, if there is a list."""
    lists = rows(body)
    if lists:
        entries = dice.choice(lists)
        entries.insert(dice.randint(0, len(entries)), row)
    return bool(lists)


def retype(dice: Random, body: Body) -> Kind:
    """A value of another JSON type."""

    def other(value: Any) -> Any:
        junk = _junk(dice)
        return junk if _type(junk) != _type(value) else nested(3) if _type(value) != "list" else {"x": 1}

    _change(dice, body, lambda _, value: value is not None, other)
    return Kind.SHAPE


def delete(dice: Random, body: Body) -> Kind:
    path = _some(dice, body)
    if path is not None:
        del _at(body["prefetch"], path[:-1])[path[-1]]
    return Kind.MEANING


def rename(dice: Random, body: Body) -> Kind:
    path = _some(dice, body, lambda key, _: isinstance(key, str))
    if path is not None:
        holder = _at(body["prefetch"], path[:-1])
        holder[dice.choice([path[-1] + "X", path[-1].upper(), "_" + path[-1], "", "x"])] = holder.pop(path[-1])
    return Kind.MEANING


def misname(dice: Random, body: Body) -> Kind:
    """An element of a resource under a name that FHIR does not know; not one that the meaning is first seen by."""
    found = [path for path in places(body["prefetch"]) if "resource" in path[:-1] and not _SEEN_BY & {*path}]
    found = [path for path in found if isinstance(path[-1], str)]
    if found:
        path = dice.choice(found)
        holder = _at(body["prefetch"], path[:-1])
        holder[path[-1] + "X"] = holder.pop(path[-1])
    return Kind.SHAPE


def blank(dice: Random, body: Body) -> Kind:
    _change(dice, body, lambda *_: True, lambda _: None)
    return Kind.MEANING


def same_type(dice: Random, body: Body) -> Kind:
    """Nonsense of the right JSON type."""

    def other(value: Any) -> Any:
        junk = _junk(dice)
        return junk if _type(junk) == _type(value) else value

    _change(dice, body, lambda *_: True, other)
    return Kind.MEANING


def repeat_element(dice: Random, body: Body) -> Kind:
    _change(
        dice,
        body,
        lambda _, value: isinstance(value, list) and len(value) > 0,
        lambda value: value * dice.choice([2, 40]),
    )
    return Kind.MEANING


def swap(dice: Random, body: Body) -> Kind:
    """Two nodes of one name exchanged between resources."""
    first = _some(dice, body)
    if first is not None:
        second = _some(dice, body, lambda key, _: key == first[-1])
        if second is not None and first[: len(second)] != second and second[: len(first)] != first:
            left, right = _at(body["prefetch"], first[:-1]), _at(body["prefetch"], second[:-1])
            # Copies: what is repeated is one object under two names, and put into itself it would have no end.
            left[first[-1]], right[second[-1]] = copy.deepcopy(right[second[-1]]), copy.deepcopy(left[first[-1]])
    return Kind.MEANING


def date(dice: Random, body: Body) -> Kind:
    values = [
        "2031-01-01", "2026", "2026-03", "2026-13-01", "2026-02-30", "0000", "0000-00-00", "0001-01-01", "9999-12-31",
        "9999", "1e5", "2026-03-15T25:00:00Z", "2026-03-15T10:00:00+14:00", "2026-03-15T10:00:00-12:00", "2026-03-15T",
        "2026-03-15T10:00:00", "2026-03-16T23:59:60Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", " ",
    ]  # fmt: skip
    _change(
        dice,
        body,
        lambda _, value: isinstance(value, str) and bool(_is_date(value)),
        lambda _: dice.choice(values),
    )
    return Kind.MEANING


def status(dice: Random, body: Body) -> Kind:
    values = [
        "final", "entered-in-error", "cancelled", "preliminary", "registered", "unknown", "active", "completed",
        "draft", "revoked", "stopped", "not-taken", "FINAL", "refuted", "resolved", "unconfirmed", "inactive",
    ]  # fmt: skip
    holds = ("status", "intent")
    _change(
        dice, body,
        lambda key, value: key in holds or (key == "code" and isinstance(value, str)),
        lambda _: dice.choice(values),
    )  # fmt: skip
    return Kind.MEANING


def code(dice: Random, body: Body) -> Kind:
    system, known = dice.choice(_CODES)
    _change(
        dice, body, lambda _, value: isinstance(value, dict) and "system" in value,
        lambda value: {**value, "system": system, "code": known},
    )  # fmt: skip
    return Kind.MEANING


def side(dice: Random, body: Body) -> Kind:
    _change(dice, body, lambda _, value: value in _SIDES, lambda _: dice.choice(_SIDES))
    return Kind.MEANING


def quantity(dice: Random, body: Body) -> Kind:
    values = ["NaN", "-INF", "1e308", 1e308, -1, 0, 5e-324, 2**53, "@huge@", "@nan@", "38,5", "", 10**18]
    _change(dice, body, lambda key, value: key == "value" and _type(value) == "number", lambda _: dice.choice(values))
    units = ["[in_i]", "cm", "", "@surrogate@", "mg", "Cel", "[degF]", "1"]
    _change(dice, body, lambda key, _: key == "unit", lambda _: dice.choice(units))
    return Kind.MEANING


def age(dice: Random, body: Body) -> Kind:
    """An onset told as an age."""
    found = resources(body)
    if found:
        years = dice.choice([40, 0, -1, 900, 3e6, 1e308, None, "NaN", 62.5])
        condition = dice.choice(found)
        condition.pop("onsetDateTime", None)
        condition["onsetAge"] = {"value": years, "system": "http://unitsofmeasure.org", "code": "a"}
    return Kind.MEANING


def stranger(dice: Random, resource: dict[str, Any]) -> None:
    """``resource`` now says that it is about somebody or something else."""
    changes: list[dict[str, Any]] = [
        {"subject": {"reference": "Patient/somebody-else"}},
        {"subject": {"reference": "https://other.example/fhir/Patient/somebody-else"}},
        {"subject": {"reference": "Patient/somebody-else/_history/2", "type": "Patient"}},
        {"subject": {"reference": "somebody-else", "type": "Patient"}},
        {"subject": {"reference": "Group/1"}},
        {"subject": {"reference": "Device/1"}},
    ]
    resource.update(dice.choice(changes))


def nobodys(dice: Random, resource: dict[str, Any]) -> None:
    """``resource`` now says of nobody in particular that it is about them: neither ours nor surely another's."""
    contained = {"subject": {"reference": "#p"}, "contained": [{"resourceType": "Patient", "id": "p"}]}
    changes: list[dict[str, Any]] = [
        {"subject": {"reference": "urn:uuid:5a5a5a5a-0000-4000-8000-000000000001"}},
        {"subject": {"reference": "Patient/"}},
        {"subject": {"reference": ""}},
        {"subject": {"identifier": {"system": "urn:x", "value": "1"}}},
        {"subject": {"display": "somebody"}},
        {"subject": {}},
        {"subject": None},
        contained,
    ]
    resource.update(dice.choice(changes))


def to_stranger(dice: Random, body: Body) -> Kind:
    found = resources(body)
    if found:
        dice.choice([stranger, nobodys])(dice, dice.choice(found))
    return Kind.MEANING


def contain(dice: Random, body: Body) -> Kind:
    """One resource moved into another."""
    found = resources(body)
    if len(found) > 1:
        outer, inner = dice.sample(found, 2)
        moved = dict(inner)
        inner.clear()
        outer["contained"] = [moved]
    return Kind.MEANING


def part(dice: Random, body: Body) -> Kind:
    """A whole prefetch key that came otherwise."""
    chart = body["prefetch"]
    key = dice.choice(BUNDLES)
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
    how = dice.choice(["gone", "null", "failed", "page", "bare", "moved"])
    if how == "gone":
        chart.pop(key, None)
    elif how == "moved":
        other = dice.choice(BUNDLES)
        chart[key], chart[other] = chart.get(other), chart.get(key)
    elif how in ("page", "total") and isinstance(chart.get(key), dict):
        chart[key] |= (
            {"link": [{"relation": "next", "url": dice.choice(["x", None])}]} if how == "page" else {"total": 99}
        )
    else:
        chart[key] = {"null": None, "bare": {"resourceType": "Bundle"}}.get(how, failed)
    return Kind.MEANING


def context(dice: Random, body: Body) -> Kind:
    """The call around the chart."""
    path = dice.choice(list(places({key: body[key] for key in ("hook", "hookInstance", "context")})))
    _at(body, path[:-1])[path[-1]] = dice.choice([_junk(dice), "Patient/x", "other", "fhirServer"])
    return Kind.MEANING


def modifier(dice: Random, body: Body) -> Kind:
    """An extension that may turn the meaning round."""
    found = resources(body)
    if not found:
        return Kind.SAME
    dice.choice(found)["modifierExtension"] = [{"url": "https://x.example/not", "valueBoolean": True}]
    return Kind.SHAPE


def noise(dice: Random, body: Body) -> Kind:
    """A row that is no resource, or hides some."""
    inner = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": dict(resource)} for resource in resources(body)],
    }
    row: Any = dice.choice(
        [None, "x", 7, [], {}, {"resource": None}, {"resource": "x"}, {"resource": []}, {"resource": {}},
         {"fullUrl": "urn:uuid:1"}, {"resource": {"resourceType": 5}},
         {"resource": inner}]
    )  # fmt: skip
    return Kind.NOISE if _grow(dice, body, row) else Kind.SAME


def others(dice: Random, body: Body) -> Kind:
    """What stands in real answers beside what was asked for."""
    warning = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
    practitioner = {"resourceType": "Practitioner", "id": "p"}
    row = {"resource": dice.choice([warning, practitioner]), "search": {"mode": dice.choice(["include", "outcome"])}}
    _grow(dice, body, row)
    return Kind.SAME


def shuffle(dice: Random, body: Body) -> Kind:
    for entries in rows(body):
        dice.shuffle(entries)
    return Kind.SAME


def repeat(dice: Random, body: Body) -> Kind:
    """The same entry many times."""
    lists = rows(body)
    if lists:
        entries = dice.choice(lists)
        entries += [dice.choice(entries)] * dice.choice([1, 5, 300])
    return Kind.SAME


def versioned(dice: Random, body: Body) -> Kind:
    """References to the same patient in other words. The call names no server, so they name none either."""
    around = body["context"]
    own = f"Patient/{around.get('patientId') if isinstance(around, dict) else None}"
    for resource in resources(body):
        subject = resource.get("subject")
        if isinstance(subject, dict) and subject.get("reference") == own:
            resource["subject"] = {**subject, "reference": f"{own}/_history/{dice.randint(1, 9)}"}
    return Kind.SAME


def text(dice: Random, body: Body) -> Kind:
    """Other words where only people read."""
    words = dice.choice(["x" * 20_000, "@pair@", "<b>&amp;\u202e", "| a | b |\n|---|"])
    _change(dice, body, lambda key, value: key == "display" and isinstance(value, str), lambda _: words)
    return Kind.SAME


Mutation = Callable[[Random, Body], Kind]
HARMLESS: tuple[Mutation, ...] = (shuffle, repeat, versioned, text, others)
FAULTS: tuple[Mutation, ...] = (*[retype] * 6, *[misname] * 2, noise, modifier)
VALUES: tuple[Mutation, ...] = (date, status, code, side, quantity, age, to_stranger)
ANYTHING: tuple[Mutation, ...] = (
    delete, rename, blank, same_type, repeat_element, swap, contain, part, context, *VALUES,
)  # fmt: skip


def mutate(dice: Random, body: Body, mutations: tuple[Mutation, ...], most: int) -> set[Kind]:
    """One to ``most`` of ``mutations``; their kinds."""
    chosen = [dice.choice(mutations) for _ in range(dice.randint(1, most))]
    note(", ".join(mutation.__name__ for mutation in chosen))
    return {mutation(dice, body) for mutation in chosen}
