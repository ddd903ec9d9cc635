"""Cases that are folded into one test fail like tests of their own."""

from __future__ import annotations

import pytest

from tests.cases import check_all


def test_every_case_is_tried_and_every_failure_named() -> None:
    tried = []

    def check(number: int) -> None:
        tried.append(number)
        assert 6 % number == 0

    with pytest.raises(ExceptionGroup, match=r"3 of 5 failed: 1\. 4, 4\. 0, 5\. 5") as error:
        check_all([4, 1, 2, 0, 5], check)
    assert tried == [4, 1, 2, 0, 5]
    assert [type(one) for one in error.value.exceptions] == [AssertionError, ZeroDivisionError, AssertionError]
    assert [one.__notes__ for one in error.value.exceptions] == [["case: 4"], ["case: 0"], ["case: 5"]]


def test_no_case_proves_nothing() -> None:
    with pytest.raises(AssertionError, match="no case"):
        check_all([], print)
    check_all([1], print)
