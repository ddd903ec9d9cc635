"""The detail of a card: what must be said stays, whole items of the rest as far as there is room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cds_service.rendering.layout import Item, Part, detail_of, fitted, part, word_count

TEXTS = st.lists(st.sampled_from(["leg", "two words", "a third of them", "12 Mar", "**bold**"]), min_size=0, max_size=4)
PARTS = st.lists(
    st.builds(
        lambda lead, texts, ranks: part(lead, *(Item(t, r) for t, r in zip(texts, ranks, strict=False))),
        st.sampled_from(["", "Because", "Avoid"]),
        TEXTS,
        st.lists(st.integers(0, 5), min_size=4, max_size=4),
    ),
    max_size=6,
)


@given(PARTS, st.integers(1, 40))
def test_what_has_rank_0_always_stays_and_the_rest_is_within_the_limit(parts: list[Part], words: int) -> None:
    found = fitted(parts, words)
    kept = [item for one in found for item in one.items]
    must = [item for one in parts for item in one.items if item.rank == 0]
    assert [item for item in kept if item.rank == 0] == must
    bare = [Part(one.lead, tuple(item for item in one.items if item.rank == 0)) for one in parts]
    assert word_count(detail_of(found)) <= max(words, word_count(detail_of(bare)))


@given(PARTS, st.integers(1, 40))
def test_no_item_shows_without_the_lower_ranks_of_its_part(parts: list[Part], words: int) -> None:
    filled = [one for one in parts if one.items]
    for before, after in zip(filled, fitted(parts, words), strict=True):
        shown = {id(item) for item in after.items}
        for item in after.items:
            assert all(id(other) in shown for other in before.items if other.rank < item.rank)
        assert after.left_out == len(before.items) - len(after.items)


@given(PARTS)
def test_with_room_for_all_nothing_is_left_out(parts: list[Part]) -> None:
    assert detail_of(fitted(parts, 1_000, 10_000)) == detail_of(parts)


@given(
    st.lists(st.sampled_from(["leg", "two words", "12 Mar", "**bold**", "\u2212", "(a)", "."]), max_size=4),
    st.sampled_from(["", "Because", "Is it so?"]),
    st.sampled_from([" ", "; ", ", ", "", "/"]),
    st.sampled_from(["", ".", " end"]),
    st.booleans(),
    st.booleans(),
    st.sets(st.integers(0, 3)),
    st.integers(0, 3),
)
def test_the_size_of_some_items_is_that_of_their_text(
    texts: list[str], lead: str, between: str, end: str, told: bool, grouped: bool, some: set[int], left: int
) -> None:
    """Sizes are added up where they can be; the text is the measure."""
    paragraph = Part(
        lead,
        tuple(Item(text, of=text[:1]) for text in texts),
        between,
        end,
        (lambda count: f"{count} more") if told else None,
        (lambda facts, of: f"{facts} ({of})") if grouped else None,
        left,
    )
    places = {place for place in some if place < len(texts)}
    text = paragraph.text_of([paragraph.items[place] for place in sorted(places)], left)
    assert paragraph.size_of(places, left) == (word_count(text), len(text))
    assert paragraph.size == (word_count(paragraph.text), len(paragraph.text))


def test_the_lower_rank_comes_first_and_what_still_fits_is_taken() -> None:
    parts = [
        part("", Item("one two three", 2), Item("four five six seven", 1)),
        part("Avoid", Item("eight", 3)),
    ]
    assert detail_of(fitted(parts, 5)) == "four five six seven"
    assert detail_of(fitted(parts, 6)) == "four five six seven\n\n**Avoid:** eight"


def test_how_many_items_were_left_out_is_said() -> None:
    items = part(
        "Because",
        Item("calf swelling"),
        Item("warm leg", 1),
        Item("pain", 1),
        between=", ",
        end=".",
        more=lambda count: f"{count} more",
    )
    assert detail_of(fitted([items], 3)) == "**Because:** calf swelling, 2 more."


def test_items_of_one_day_say_it_once() -> None:
    items = [Item("warmth", of="14 Mar"), Item("bed rest", of="11 Mar"), Item("redness", of="14 Mar"), Item("over 50")]
    said = part("Because", *items, between="; ", end=".", grouped=lambda facts, day: f"{facts} ({day})")
    assert said.text == "**Because:** warmth, redness (14 Mar); bed rest (11 Mar); over 50."


def test_a_question_as_a_lead_has_no_colon() -> None:
    assert part("DVT suspected?", Item("Wells first.")).text == "**DVT suspected?** Wells first."


def test_dashes_and_dots_are_no_words() -> None:
    assert word_count("Chart read 28 Nov 06:47 GMT \u00b7 RF01 \u00b7 Not a diagnosis. \u2013") == 10
