"""Facts about qualifications: what rules are told, when it ends, and who is reminded of that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import User
from backend.outbox.models import Channel, Message
from booking.actions.courses import create_course
from booking.actions.qualifying import grant_qualification, remind_due, remind_of_qualifications, revoke_qualification
from booking.models import Qualification, Usage, UsageState
from booking.queries.qualified import FACTS, qualification_facts
from instruments.models import InstrumentGroup
from tests.booking.lab import NOW
from tests.booking.training import School
from tests.factories import at, make_instrument

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        cache.delete("qualifications-reminded")
        yield traveller


def facts(school: School, now: datetime = NOW, **more: Any) -> dict[str, object]:
    return qualification_facts(school.engineer, school.instrument, now, **more)


def give(school: School, **fields: Any) -> Qualification:
    if not fields.get("instrument"):
        fields.setdefault("course", school.course)
    return grant_qualification(user=school.engineer, by=school.manager, reason="Known", **fields)


def use(school: School, start: datetime, user: User | None = None, hours: int = 2) -> None:
    Usage.objects.create(
        source_ref=f"{start}", instrument=school.instrument, organisation=school.enterprise,
        user=user or school.engineer, state=UsageState.SUBMITTED, start=start, end=start + timedelta(hours=hours),
        recorded_by=school.manager,
    )  # fmt: skip


def test_without_a_qualification_there_is_no_level() -> None:
    found = facts(School())

    assert {f"person.{name}" for name in found} == FACTS
    assert (found["level"], found["levels"], found["trained"], found["hours"]) == (None, [], False, 0)


def test_a_qualification_gives_the_level_until_its_last_day() -> None:
    school = School()
    made = give(school)
    assert made.valid_until == at(24, day=date(2027, 11, 24))

    last = made.valid_until - timedelta(seconds=1)
    assert facts(school)["level"] == facts(school, last)["level"] == "A"
    assert facts(school)["qualified_until"] == made.valid_until
    assert facts(school, made.valid_until)["level"] is None


def test_what_ends_before_the_use_does_not_count() -> None:
    school = School()
    made = give(school, valid_until=NOW + timedelta(days=5))

    assert facts(school, at=made.valid_until - timedelta(minutes=1))["level"] == "A"
    assert facts(school, at=made.valid_until)["level"] is None


def test_a_revoked_one_does_not_count() -> None:
    school = School()
    made = give(school)

    revoke_qualification(qualification=made, by=school.manager, reason="Careless")

    assert facts(school)["trained"] is False


def test_the_highest_rank_counts() -> None:
    school = School()
    better = create_course(
        institution=school.institution, by=school.manager, instruments=[school.instrument], name="Night", level="S",
        rank=5, hours="any",
    )  # fmt: skip
    give(school)
    give(school, course=better)
    give(school, instrument=school.instrument, level="guest")

    found = facts(school)
    assert found["level"] == "S"
    assert found["levels"] == ["S", "guest", "A"] or found["levels"] == ["S", "A", "guest"]


def test_a_training_of_the_group_covers_its_instruments() -> None:
    school = School()
    group = InstrumentGroup.objects.create(institution=school.institution, name="Microscopes")
    course = create_course(institution=school.institution, by=school.manager, name="All", level="G", group=group)
    give(school, course=course)
    assert facts(school)["level"] is None

    school.instrument.group = group
    school.instrument.save()

    assert facts(school)["level"] == "G"
    assert qualification_facts(school.engineer, make_instrument(school.institution), NOW)["level"] is None


def test_the_narrower_hours_hold_only_without_wider_ones() -> None:
    school = School(hours="business")
    give(school)
    assert facts(school)["hours_allowed"] == "business"

    give(school, instrument=school.instrument, level="B")

    assert facts(school)["hours_allowed"] == "any"


def test_use_keeps_a_qualification_from_lapsing() -> None:
    school = School(disuse_months=3, validity_months=None)
    give(school)
    lapses = at(24, day=date(2027, 2, 24))
    assert facts(school, lapses - timedelta(seconds=1))["level"] == "A"
    assert facts(school, lapses)["level"] is None

    use(school, at(9, day=date(2027, 1, 10)))

    assert facts(school, lapses)["level"] == "A"
    assert facts(school, at(24, day=date(2027, 4, 10)))["level"] is None
    assert facts(school, lapses)["last_used"] == at(9, day=date(2027, 1, 10))
    assert facts(school, lapses)["hours"] == 2


def test_a_strangers_use_counts_for_nobody_else() -> None:
    school = School(disuse_months=3)
    give(school)

    use(school, at(9, day=date(2027, 1, 10)), user=school.boss)

    assert facts(school, at(24, day=date(2027, 2, 24)))["level"] is None


def test_renewing_in_time_does_not_begin_anew(clock: Any) -> None:
    school = School()
    give(school)
    clock.shift(timedelta(days=300))
    give(school)
    assert facts(school, NOW + timedelta(days=301))["qualified_since"] == NOW

    clock.shift(timedelta(days=700))
    give(school)

    assert facts(school, NOW + timedelta(days=1001))["qualified_since"] == NOW + timedelta(days=1000)


def test_facts_take_two_queries() -> None:
    school = School()
    for number in range(5):
        give(school, instrument=school.instrument, level=f"L{number}")
    give(school)

    with CaptureQueriesContext(connection) as caught:
        facts(school)

    assert len(caught) == 2


# --- reminders ------------------------------------------------------------------------------------------------------


def reminded(kind: str = "qualification_expiring") -> int:
    return Message.objects.filter(kind=kind, channel=Channel.IN_APP).count()


def test_one_is_reminded_thirty_and_seven_days_before_the_end(clock: Any) -> None:
    school = School()
    made = give(school)
    end = made.valid_until
    assert end is not None
    found = []
    for days, seconds in ((30, 1), (30, 0), (20, 0), (7, 1), (7, 0), (1, 0), (0, 0)):
        clock.move_to(end - timedelta(days=days, seconds=seconds))
        remind_due(now=end - timedelta(days=days, seconds=seconds))
        found.append(reminded())

    assert found == [0, 1, 1, 1, 2, 2, 2]


def test_a_renewed_one_is_not_reminded_of(clock: Any) -> None:
    school = School()
    end = give(school).valid_until
    assert end is not None
    clock.move_to(end - timedelta(days=10))
    give(school)

    assert remind_due(now=end - timedelta(days=10)) == 0


def test_one_is_warned_before_a_lapse_and_again_after_a_use(clock: Any) -> None:
    school = School(disuse_months=3, validity_months=None)
    give(school)
    found = []
    for day in (date(2027, 1, 25), date(2027, 1, 26), date(2027, 2, 20)):
        clock.move_to(at(0, day=day))
        remind_due(now=at(0, day=day))
        found.append(reminded("qualification_disuse"))
    use(school, at(9, day=date(2027, 2, 21)))
    for day in (date(2027, 2, 22), date(2027, 5, 10)):
        clock.move_to(at(0, day=day))
        remind_due(now=at(0, day=day))
        found.append(reminded("qualification_disuse"))

    assert found == [0, 1, 1, 1, 2]


def test_the_hourly_job_runs_once_an_hour(clock: Any) -> None:
    school = School()
    end = give(school).valid_until
    assert end is not None
    clock.move_to(end - timedelta(days=10))

    assert (remind_of_qualifications(), remind_of_qualifications()) == (1, 0)
