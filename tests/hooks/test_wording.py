"""Fitting a detail into its limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cds_service.hooks.wording import fit, whole

WORDS = st.lists(st.sampled_from(["leg", "**bold name here**", "swelling", "12 Mar"]), min_size=1, max_size=40)


@given(WORDS, st.integers(60, 200))
def test_what_is_cut_stays_within_the_limit_and_closes_its_bold_type(words: list[str], limit: int) -> None:
    found = fit([(0, "first"), (0, " ".join(words)), (0, "closing line.")], limit)
    assert len(found) <= limit
    assert found.count("**") % 2 == 0
    assert found.endswith("closing line.")


def test_the_fullest_sentence_that_fits() -> None:
    assert whole(["a long one.", "short."], 8) == "short."
    assert whole(["a long one.", "short."], 20) == "a long one."
