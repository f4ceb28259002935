"""A request that may be sent twice acts once."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from backend.accounts.actions import once
from backend.accounts.models import IdempotencyKey, Organisation, User
from backend.core.errors import Invalid, Refused, refuse
from tests.factories import make_enterprise, make_user
from tests.parallel import at_once


def act() -> tuple[int, dict[str, Any]]:
    """Something that can be counted afterwards."""
    return 201, {"id": make_enterprise().pk}


def ask(user: User, key: str = "k1", body: object = None, route: str = "bookings") -> tuple[int, dict[str, Any]]:
    return once(user=user, route=route, key=key, body=body or {"start": 1}, act=act)


def test_the_same_key_gives_the_same_answer(db: None) -> None:
    user = make_user()

    assert ask(user) == ask(user)
    assert Organisation.objects.count() == 1


def test_the_order_of_fields_does_not_matter(db: None) -> None:
    user = make_user()

    assert ask(user, body={"a": 1, "b": 2}) == ask(user, body={"b": 2, "a": 1})


def test_the_same_key_for_another_body_is_invalid(db: None) -> None:
    user = make_user()
    ask(user)

    with pytest.raises(Invalid) as caught:
        ask(user, body={"start": 2})

    assert caught.value.refusals[0].field == "Idempotency-Key"
    assert Organisation.objects.count() == 1


def test_keys_belong_to_a_person_and_a_route(db: None) -> None:
    one, two = make_user(), make_user()

    answers = [ask(one), ask(two), ask(one, route="usage"), ask(one, key="k2")]

    assert len({answer[1]["id"] for answer in answers}) == 4


def test_without_a_key_each_request_acts(db: None) -> None:
    user = make_user()

    assert ask(user, key="") != ask(user, key="")
    assert not IdempotencyKey.objects.exists()


def test_a_key_that_is_too_long_is_invalid(db: None) -> None:
    with pytest.raises(Invalid):
        ask(make_user(), key="k" * 201)


def test_a_refused_act_may_be_tried_again(transactional_db: None) -> None:
    user = make_user()

    def refused() -> tuple[int, dict[str, Any]]:
        raise refuse("taken", "Taken.")

    with pytest.raises(Refused):
        once(user=user, route="bookings", key="k1", body={"start": 1}, act=refused)

    assert ask(user)[0] == 201


@pytest.mark.parallel
def test_fifty_claims_at_once_act_once(committed: None) -> None:
    user = make_user()

    outcome = at_once([partial(ask, user) for _ in range(50)])

    assert set(outcome.error_counts()) <= {"Busy"}
    assert len({answer[1]["id"] for answer in outcome.results}) == 1
    assert Organisation.objects.count() == 1
