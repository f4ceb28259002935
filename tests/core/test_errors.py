"""The family of errors carries what its readers need."""

from __future__ import annotations

import pytest

from backend.core import errors
from backend.core.errors import Busy, Invalid, Refusal, Refused, Throttled, YixiangError, invalid, refuse

FAMILY = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, YixiangError)]


def test_each_kind_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in FAMILY]

    assert len(codes) == len(set(codes)) == 9


def test_each_kind_has_the_status_of_the_contract() -> None:
    assert {kind.code: kind.status for kind in FAMILY} == {
        "error": 500,
        "unauthenticated": 401,
        "forbidden": 403,
        "not_found": 404,
        "refused": 409,
        "stale": 412,
        "invalid": 422,
        "throttled": 429,
        "busy": 503,
    }


def test_refuse_carries_one_reason() -> None:
    error = refuse("taken", "It is taken.", params={"units": 1})

    assert isinstance(error, Refused)
    assert error.refusals == (Refusal("taken", "It is taken.", params={"units": 1}),)
    assert error.detail == "It is taken."


def test_refused_keeps_every_reason_in_order() -> None:
    error = Refused.because([Refusal("a", "First."), Refusal("b", "Second.")])

    assert [refusal.code for refusal in error.refusals] == ["a", "b"]
    assert error.detail == "First."


def test_invalid_names_the_field() -> None:
    error = invalid("start", "Too early.")

    assert isinstance(error, Invalid)
    assert error.refusals[0].field == "start"


@pytest.mark.parametrize("error", [Throttled(7), Busy(7)])
def test_errors_of_load_say_when_to_come_back(error: Throttled | Busy) -> None:
    assert error.retry_after == 7
