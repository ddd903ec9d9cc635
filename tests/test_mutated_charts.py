"""Twenty thousand damaged charts: no fault of ours, no hang, no silence after a fault, nothing of another patient."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.base.settings import Settings
from cds_service.base.strict_json import JsonLimits
from cds_service.clinical.reading import ChartEntry
from cds_service.clinical.reading.heads import Look
from cds_service.clinical.record import Diagnosis, Fact, PlacedOrder
from cds_service.protocol.body import read_call_body
from cds_service.protocol.messages import HookRequest
from cds_service.protocol.prefetch import gather
from cds_service.protocol.services import POSTERIOR_KNEE_PAIN
from cds_service.service.examples import as_request
from cds_service.web.app import create_app
from tests.conftest import NOW, bundle, shipped_service, stories
from tests.leaks import Watched
from tests.mutations import (
    ANYTHING,
    CLINICAL,
    FAULTS,
    HARMLESS,
    VALUES,
    Kind,
    mutate,
    nobodys,
    resources,
    rows,
    stranger,
    written,
)

NAMES = sorted(stories())
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
SHARDS = 40
"""Of the long run, 500 charts each."""
MAX_SECONDS = 20
REFUSALS = {400, 412, 413}
CARD = {
    "uuid", "summary", "detail", "indicator", "source", "suggestions", "selectionBehavior", "overrideReasons", "links",
}  # fmt: skip
dices = st.randoms(use_true_random=True)  # even odds find more here than values that shrink well
names = st.sampled_from(NAMES)


class Hang(BaseException):
    """Raised into whatever is still running; no handler of ours takes it for a fault."""


def _hang(*_: object) -> None:
    raise Hang


class Direct:
    """The whole application without sockets."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.app = Watched(app)
        self.loop = loop

    def call(self, raw: bytes) -> tuple[int, dict[str, Any]]:
        """Status and body of a hook call. Raises Hang if there is no answer."""
        path = POSTERIOR_KNEE_PAIN.path
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "server": ("cds", 80),
            "client": ("test", 1), "headers": [(b"host", b"cds"), (b"content-type", b"application/json")],
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
        try:
            self.loop.run_until_complete(self.app(scope, receive, send))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return sent[0]["status"], orjson.loads(b"".join(message.get("body", b"") for message in sent[1:]))


@contextmanager
def _alarm() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, _hang)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Direct]:
    """The shipped application, started."""
    url = f"sqlite:///{tmp_path_factory.mktemp('mutated')}/cards.db"
    app = create_app(Settings(auth="open", quiet=False, database_url=url), clock=lambda: NOW)
    loop = asyncio.new_event_loop()
    lifespan = app.router.lifespan_context(app)
    loop.run_until_complete(lifespan.__aenter__())
    with _alarm():
        yield Direct(app, loop)
    loop.run_until_complete(lifespan.__aexit__(None, None, None))
    loop.close()


@cache
def _request(name: str) -> bytes:
    return orjson.dumps(as_request(bundle(name), INSTANCE))


def request(name: str) -> dict[str, Any]:
    """A fresh call for an example."""
    body: dict[str, Any] = orjson.loads(_request(name))
    return body


def said(raw: bytes) -> tuple[Any, ...]:
    """What a chart says, whatever its resources are called."""
    call = HookRequest.model_validate(read_call_body(raw, JsonLimits(64, 10_000)))
    prefetched = gather(call.prefetch)
    record = shipped_service().judge(call.context.patientId, prefetched.entries, NOW).record
    every: tuple[Fact | Diagnosis | PlacedOrder, ...] = (*record.facts, *record.diagnoses, *record.orders)
    return (*sorted({repr(replace(one, source="")) for one in every}), record.patient.birth, record.patient.deceased)


@cache
def said_by(name: str) -> tuple[Any, ...]:
    return said(_request(name))


def told(answer: dict[str, Any]) -> bool:
    """Whether the answer says that something did not come or could not be read."""
    (about,) = answer.get("extension", {"": {}}).values()
    return bool({"unread", "notAvailable", "parts"} & about.keys())


def check_lawful(status: int, answer: dict[str, Any]) -> None:
    if status != 200:
        assert status in REFUSALS, answer
        assert answer["resourceType"] == "OperationOutcome"
        return
    assert set(answer) <= {"cards", "extension"}
    assert len(answer["cards"]) <= 3
    for card in answer["cards"]:
        assert {"uuid", "summary", "detail", "indicator", "source"} <= card.keys() <= CARD
        assert 0 < len(card["summary"]) < 140
        assert 0 < len(card["detail"]) <= 1200
        assert card["indicator"] in ("info", "warning", "critical")
        assert card["source"]["label"]
        assert all(suggestion["label"] and suggestion["actions"] for suggestion in card.get("suggestions", ()))


def check_any(direct: Direct, name: str, dice: Random) -> None:
    """Whatever is done to a chart, the answer is lawful and in time."""
    body = request(name)
    mutate(dice, body, (*ANYTHING, *FAULTS, *HARMLESS), 8)
    check_lawful(*direct.call(written(body)))


def check_faults(direct: Direct, name: str, dice: Random) -> None:
    """What a fault takes away is told; what is none takes nothing away."""
    body = request(name)
    # One fault only: a second one could give a value its type back, emptied.
    kinds = mutate(dice, body, FAULTS, 1) | mutate(dice, body, HARMLESS, 3)
    raw = written(body)
    status, answer = direct.call(raw)
    check_lawful(status, answer)
    if status != 200:
        # Of repeated entries there may be too many; a silence that stray rows put in doubt is no answer.
        assert Kind.SHAPE in kinds or status == 413 or (Kind.NOISE in kinds and status == 412)
        assert status != 412 or Kind.NOISE not in kinds or Kind.SHAPE in kinds or not untouched(direct, name)["cards"]
        return
    if Kind.SHAPE not in kinds:
        assert told(answer) == (Kind.NOISE in kinds or told(untouched(direct, name)))
    if Kind.SHAPE not in kinds or not told(answer):
        assert said(raw) == said_by(name)
        before = urgent(untouched(direct, name))
        # A row that is not understood forbids to close a suspicion or to wait for a second scan, so it may bring a
        # card or change what is to be done; it takes none away.
        assert urgent(answer) == before or (Kind.NOISE in kinds and heads(before) <= heads(urgent(answer)))
        if Kind.NOISE not in kinds:  # a part with stray rows is not whole, which cards say
            assert differences(answer, untouched(direct, name)) == []


_untouched: dict[str, dict[str, Any]] = {}


def untouched(direct: Direct, name: str) -> dict[str, Any]:
    """The answer to an example as it is."""
    if name not in _untouched:
        status, _untouched[name] = direct.call(_request(name))
        assert status == 200
    return _untouched[name]


_STRANGERS = re.compile(r" ?\d+ entr(y|ies) not about this patient left out\.")
_FRESH = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=\?draft=)[\w.\-]+")


def plain(answer: dict[str, Any]) -> Any:
    """The cards without what is always new and what is said of strangers, and without details cut to make room."""
    cards = orjson.loads(_FRESH.sub("fresh", _STRANGERS.sub("", orjson.dumps(answer["cards"]).decode())))
    return [{key: value for key, value in card.items() if key != "detail"} for card in cards]


def urgent(answer: dict[str, Any]) -> list[str]:
    """What the urgent cards say in one sentence."""
    return [card["summary"] for card in answer["cards"] if card["indicator"] == "critical"]


def heads(summaries: list[str]) -> set[str]:
    """What they are about, without what is to be done."""
    return {summary.split(":")[0] for summary in summaries}


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[Any]:
    """Where two answers differ, for a short report."""
    first, second = plain(one), plain(other)
    if len(first) != len(second):
        return [[card["summary"] for card in cards] for cards in (first, second)]
    return [
        (key, ours[key], theirs.get(key))
        for ours, theirs in zip(first, second, strict=True)
        for key in ours
        if ours[key] != theirs.get(key)
    ]


def check_strangers(direct: Direct, name: str, dice: Random) -> None:
    """What belongs to somebody else is as good as not there."""
    body = request(name)
    mutate(dice, body, (*VALUES, *HARMLESS), 3)
    reassigned = [one for one in resources(body) if dice.random() < 0.4]
    without = orjson.loads(orjson.dumps(body))
    for ours, theirs in zip(rows(body), rows(without), strict=True):
        gone = [any(row.get("resource") is one for one in reassigned) for row in ours]
        theirs[:] = [row for row, is_gone in zip(theirs, gone, strict=True) if not is_gone]
    for one in reassigned:
        stranger(dice, one)
    for entries in rows(body):
        for row in list(entries):
            if row["resource"].get("resourceType") in CLINICAL and dice.random() < 0.2:
                copies = [orjson.loads(orjson.dumps(row)) for _ in range(dice.randint(1, 3))]
                for copy in copies:
                    stranger(dice, copy["resource"])
                    entries.insert(dice.randint(0, len(entries)), copy)
    with_them, without_them = (direct.call(written(one)) for one in (body, without))
    check_lawful(*with_them)
    if with_them[0] == 412 and without_them[0] == 200:  # all that is of concern is somebody else's
        assert "somebody else" in str(with_them[1])
        return
    if with_them[0] != 400:  # some of what no library writes was in them
        assert with_them[0] == without_them[0]
    if with_them[0] == 200:
        assert differences(with_them[1], without_them[1]) == []


def check_nobodys(direct: Direct, name: str, dice: Random) -> None:
    """What does not say whose it is gives nothing, and is never passed over."""
    body = request(name)
    found = resources(body)
    if not found:
        return
    chosen = dice.choice(found)
    nobodys(dice, chosen)
    concerns = ChartEntry(chosen).head
    status, answer = direct.call(written(body))
    check_lawful(status, answer)
    if status == 200 and concerns is not None and concerns.look(shipped_service().content) is not Look.IDENTIFIED:
        (about,) = answer["extension"].values()
        assert about["unread"]["subject"] >= 1


CHECKS = st.sampled_from([check_any, check_faults, check_faults, check_strangers, check_nobodys])


@given(check=CHECKS, name=names, dice=dices)
@settings(max_examples=200)
def test_damaged_charts(direct: Direct, check: Any, name: str, dice: Random) -> None:
    check(direct, name, dice)


@pytest.mark.long
@pytest.mark.parametrize("shard", range(SHARDS))
@given(check=CHECKS, name=names, dice=dices)
@settings(max_examples=500)
def test_many_more_damaged_charts(direct: Direct, shard: int, check: Any, name: str, dice: Random) -> None:
    check(direct, name, dice)
