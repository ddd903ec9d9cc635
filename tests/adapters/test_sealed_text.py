"""Sealed texts: opened unchanged by whoever may, and by nobody else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.adapters.sealed_text import NotSealed, Seal, TooLong

SEAL = Seal("a key of the site")
VALUES = st.dictionaries(
    st.text(max_size=10), st.text(max_size=30) | st.integers(-(2**53), 2**53) | st.none(), max_size=5
)


@given(VALUES, st.text(max_size=20))
def test_what_was_sealed_is_opened(value: dict[str, object], secret: str) -> None:
    sealed = SEAL.close("a", value, until=10, secret=secret)
    assert Seal("a key of the site").open("a", sealed, now=10, secret=secret) == value
    assert sealed.isascii()
    assert not set(sealed) & set("+/=&? ")


@given(VALUES, st.data())
def test_no_changed_text_is_opened(value: dict[str, object], data: st.DataObject) -> None:
    sealed = SEAL.close("a", value, until=10)
    place = data.draw(st.integers(0, len(sealed) - 1))
    letter = data.draw(st.characters(codec="ascii"))
    changed = sealed[:place] + letter + sealed[place + 1 :]
    try:
        opened = SEAL.open("a", changed, now=5)
    except NotSealed:
        return
    assert opened == value  # the last bits of a Base64 text may be spelt in several ways


@pytest.mark.parametrize(
    ("seal", "purpose", "secret", "late"),
    [
        (SEAL, "b", "", False),
        (SEAL, "a", "s", False),
        (Seal("another key here"), "a", "", False),
        (Seal(None), "a", "", False),
        (SEAL, "a", "", True),
    ],
)
def test_others_purposes_secrets_keys_and_times(seal: Seal, purpose: str, secret: str, late: bool) -> None:
    sealed = SEAL.close("a", {"x": 1}, until=10)
    with pytest.raises(NotSealed) as refused:
        seal.open(purpose, sealed, now=10.1 if late else 5, secret=secret)
    assert refused.value.late is late


def test_purpose_and_secret_are_not_run_together() -> None:
    sealed = SEAL.close("ab", {"x": 1}, until=10, secret="c")
    with pytest.raises(NotSealed):
        SEAL.open("a", sealed, now=5, secret="bc")


def test_without_a_key_of_the_site_each_process_has_its_own() -> None:
    one = Seal(None)
    assert one.open("a", one.close("a", {"x": 1}, until=10), now=5) == {"x": 1}
    assert one.close("a", {"x": 1}, until=10) != one.close("a", {"x": 1}, until=10)


@pytest.mark.parametrize("letters", ["a", "random"])
def test_what_is_sealed_can_be_opened_however_long_it_is(letters: str) -> None:
    """Much text that packs well, and text that does not: refused when it is sealed, or opened."""
    opened = 0
    for length in (1_000, 10_000, 11_500, 15_000, 190_000, 200_000, 255_000, 300_000):
        text = "a" * length if letters == "a" else random.Random(length).randbytes(length).hex()[:length]
        try:
            sealed = SEAL.close("a", {"x": text}, until=10)
        except TooLong:
            continue
        assert SEAL.open("a", sealed, now=5) == {"x": text}
        opened += 1
    assert opened >= 2
