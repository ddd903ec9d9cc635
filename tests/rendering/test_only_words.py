"""A replay composes only what the cards say: which cards there are and their words do not depend on the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from cds_service.protocol.bundles import one_chart
from cds_service.rendering.call import Call
from cds_service.rendering.compose import compose
from cds_service.service.evaluate import Service
from tests.conftest import NOW, bundle, stories
from tests.replay.sharing import said

Layout = Literal["differential", "per_cause"]
LAYOUTS: tuple[Layout, ...] = ("differential", "per_cause")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("supports_all", [True, False])
def test_the_cards_of_every_example_say_the_same(service: Service, layout: Layout, *, supports_all: bool) -> None:
    supported = None if supports_all else frozenset(sorted(service.content.orders)[::2])
    cards = drafts = 0
    for name in stories():
        chart = one_chart(bundle(name), "Practitioner/1")
        assessment = service.judge(chart.context.patientId, chart.entries, NOW)
        call = Call(
            service.content, assessment, chart.context, NOW, "https://cds.example", None, layout,
            supported_orders=supported,
        )  # fmt: skip
        whole, words = compose(call), compose(replace(call, only_words=True))
        assert [said(card) for card in words] == [said(card) for card in whole], name
        assert not any(card.links or card.override_reasons or card.uuid for card in words)
        assert not any(suggestion.resource for card in words for suggestion in card.suggestions)
        cards += len(whole)
        drafts += sum(len(card.suggestions) for card in whole)
    assert cards > 100
    assert drafts > 50
