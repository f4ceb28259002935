"""The catalogue's next free time respects lead and grid of the rules."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import time_machine

from booking.actions.policies import save_policy
from booking.models import Layer, Policy
from booking.queries.first_start import first_starts
from booking.rules.presets import Answers, apply_presets
from tests.conftest import ApiClient
from tests.factories import at, make_instrument, make_manager, make_price_list

NOW = at(9, 10, day=date(2026, 12, 1))

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def test_lead_and_grid_of_all_layers_in_two_queries(django_assert_num_queries: Any) -> None:
    free, strict = make_instrument(), make_instrument()
    document = apply_presets({}, Answers(lead_hours=3, step=20))
    save_policy(instrument=strict, document=document, by=make_manager(strict.institution))
    Policy.objects.create(
        layer=Layer.NETWORK, version=1, valid_from=date(2026, 1, 1),
        document={"rules": [{"kind": "deadline", "latest": "start -60min"}]},
    )  # fmt: skip

    with django_assert_num_queries(2):
        found = first_starts([free.pk, strict.pk], NOW)

    assert found == {free.pk: (at(10, 10), 0), strict.pk: (at(12, 10), 20)}


def test_next_free_of_the_catalogue_can_be_booked() -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    document = apply_presets({}, Answers(lead_hours=1, step=30))
    save_policy(instrument=instrument, document=document, by=make_manager(instrument.institution))

    shown = ApiClient().get_api("/instruments").json()["items"][0]["next_free"]

    assert "10:30" in str(shown)
