"""Public holidays: what comes with the product, what the operator imports, and what opens by it."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from time_machine import travel

from backend.accounts.models import Organisation, OrganisationKind, Role, User
from backend.audit.models import Entry
from backend.core.errors import Invalid
from backend.core.memo import forget, once, remembering
from backend.core.periods import Period
from booking.actions.policies import save_policy
from booking.queries.facts import layers_of
from booking.rules.layers import merge_layers
from instruments.actions.calendar import import_announcement, read_announcement
from instruments.models import CalendarDay
from instruments.queries.calendar import days_of, known_years, policy_days
from instruments.queries.free import availability
from instruments.rules import Announced, Hours, PublicDays, open_periods, public_days
from tests.factories import at, make_institution, make_instrument, make_manager, make_member
from tests.instruments.clients import client_of, text

NOTICE = """
2027-01-01..2027-01-03 元旦 休
2027-02-05..2027-02-12 春节 休
2027-01-31 春节 班
2027-02-14,春节,班
"""


def make_operator() -> tuple[Organisation, User]:
    network = Organisation.objects.create(kind=OrganisationKind.NETWORK, code="net", name="Network")
    return network, make_member(network, Role.OPERATOR)


def announce(text_: str = NOTICE, year: int = 2027) -> None:
    network, operator = make_operator()
    import_announcement(network=network, by=operator, text=text_, year=year)


def test_known_years_come_with_the_product() -> None:
    days = public_days(2026, 2027)

    assert date(2026, 10, 1) in days.holidays
    assert date(2026, 10, 10) in days.make_up
    assert date(2026, 10, 11) not in days.make_up | days.holidays
    assert days.unknown == {2027}


def test_an_announced_year_replaces_the_built_in_one_and_may_reach_into_its_neighbour() -> None:
    announced = frozenset(
        {
            Announced(2027, date(2026, 12, 31), True),
            Announced(2027, date(2027, 1, 2), False),
            Announced(2026, date(2026, 3, 3), True),
        }
    )

    days = public_days(2026, 2027, announced)

    assert days == PublicDays(
        frozenset({date(2026, 3, 3), date(2026, 12, 31)}), frozenset({date(2027, 1, 2)}), frozenset()
    )


def test_a_newer_announcement_makes_a_holiday_of_a_worked_day() -> None:
    # 2026-02-14 is worked for the Spring Festival in the product's data.
    days = public_days(
        2026, 2026, frozenset({Announced(2025, date(2026, 2, 14), True), Announced(2025, date(2026, 1, 1), False)})
    )

    assert date(2026, 2, 14) in days.holidays - days.make_up
    assert date(2026, 1, 1) in days.make_up - days.holidays


def test_hours_follow_the_public_days_that_are_given() -> None:
    hours = [Hours(day, time(8), time(9)) for day in range(1, 6)]
    public = PublicDays(frozenset({date(2026, 12, 1)}), frozenset({date(2026, 12, 5)}))
    week: dict[str, Any] = {"zone": ZoneInfo("Asia/Shanghai"), "start": at(0), "end": at(24 * 6), "public": public}

    closed = open_periods(hours, **week)
    open_ = open_periods(hours, open_on_holidays=True, **week)

    opens = Period(at(8), at(9))
    days = [Period(at(8 + 24 * n), at(9 + 24 * n)) for n in (1, 2, 3, 4)]
    assert closed == days
    assert open_ == [opens, *days]


@pytest.mark.parametrize(
    "line",
    [
        "2027-05-01 劳动节 休",
        "2027/5/1,holiday,劳动节",
        "2027年5月1日\t劳动节\t放假",
        "2027-05-01 off",
        "2027.05.01；休；劳动节",
    ],
)
def test_every_usual_way_to_write_a_day(db: None, line: str) -> None:
    found = read_announcement(line, 2027)

    assert [(one.day, one.kind) for one in found.days] == [(date(2027, 5, 1), "holiday")]


def test_an_announcement_is_grouped_with_its_worked_weekends(db: None) -> None:
    found = read_announcement("日期,名称,安排\n" + NOTICE.strip(), 2027)

    assert [(one.name, one.first, one.length) for one in found.holidays] == [
        ("元旦", date(2027, 1, 1), 3),
        ("春节", date(2027, 2, 5), 8),
    ]
    assert found.holidays[1].make_up == (date(2027, 1, 31), date(2027, 2, 14))
    assert found.conflicts == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("soon 元旦 休", "is no date"),
        ("2027-02-30 x 休", "is no date"),
        ("2027-01-01 元旦", "Say 休"),
        ("2027-01-01 休 班", "Say 休"),
        ("2027-01-05..2027-01-01 休", "The range ends before it begins"),
        ("2027-01-01..2027-12-01 休", "longer than a month"),
        ("2026-11-30 休", "does not belong to 2027"),
        ("2028-02-01 休", "does not belong to 2027"),
        (f"2027-01-01 {'x' * 41} 休", "at most 40 characters"),
        ("2027-01-01 休\n2027-01-01 班", "is there twice"),
        ("a\x00", "plain characters"),
        ("x" * 20_001, "plain characters"),
        ("\n\n# nothing", "no day in it"),
        ("\n".join(f"{date(2027, 1, 1) + timedelta(n)} 休" for n in range(121)), "At most 120 days"),
    ],
)
def test_what_cannot_be_read_is_named(db: None, line: str, reason: str) -> None:
    with pytest.raises(Invalid) as error:
        read_announcement(line, 2027)

    assert reason in " ".join(str(refusal.detail) for refusal in error.value.refusals)


@travel(at(10), tick=False)
def test_the_operator_reads_confirms_and_takes_back(db: None) -> None:
    _network, operator = make_operator()
    client = client_of(operator)
    path = "/network/holidays/"

    before = text(client.get(path))
    preview = client.post(path, {"year": "2027", "text": NOTICE, "source": "国办发明电"})
    assert not CalendarDay.objects.exists()
    seen = preview.context["found"].seen
    stored = client.post(path, {"year": "2027", "text": NOTICE, "source": "国办发明电", "seen": seen, "do": "import"})
    after = text(client.get(path))

    assert "The public holidays of 2027 are not announced yet" in before
    assert "Spring Festival" in text(preview)
    assert stored.status_code == 302
    assert "not announced yet" not in after
    assert "国办发明电" in after
    assert CalendarDay.objects.count() == 13
    assert days_of(date(2027, 1, 1), date(2027, 1, 1)).unknown == frozenset()
    deleted = client.post(f"{path}2027/delete/")
    assert deleted.status_code == 302
    assert days_of(date(2027, 1, 1), date(2027, 1, 1)).unknown == {2027}
    assert list(Entry.objects.order_by("pk").values_list("action", flat=True)) == ["calendar.import", "calendar.delete"]
    assert client.post(f"{path}2027/delete/").status_code == 404


def test_a_preview_that_is_no_longer_true_is_refused(db: None) -> None:
    _network, operator = make_operator()
    client = client_of(operator)
    sent = {"year": "2027", "text": NOTICE}
    seen = client.post("/network/holidays/", sent).context["found"].seen
    CalendarDay.objects.create(day=date(2027, 1, 1), year=2027, kind="workday")

    answer = client.post("/network/holidays/", {**sent, "seen": seen, "do": "import"})

    assert answer.status_code == 412
    assert CalendarDay.objects.count() == 1


def test_differences_to_what_is_known_are_named(db: None) -> None:
    found = read_announcement("2026-01-02 元旦 班", 2026)

    assert "2026-01-02: so far holiday, now working day" in found.conflicts
    assert "2026-10-01: so far holiday, now ordinary day" in found.conflicts


@pytest.mark.parametrize(
    "sent",
    [
        {"year": "2027"},
        {"year": "x", "text": NOTICE},
        {"year": "1800", "text": NOTICE},
        {"year": "2027", "text": "nonsense"},
    ],
)
def test_the_page_refuses_what_it_cannot_read(db: None, sent: dict[str, str]) -> None:
    _network, operator = make_operator()

    assert client_of(operator).post("/network/holidays/", sent).status_code == 422


def test_holidays_come_as_a_file_too(db: None) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile  # only this test uploads

    _network, operator = make_operator()
    file = SimpleUploadedFile("notice.csv", NOTICE.encode("gb18030"))

    answer = client_of(operator).post("/network/holidays/", {"year": "2027", "file": file})

    assert len(answer.context["found"].days) == 13


def test_the_page_is_the_operators_only(db: None) -> None:
    for person in (make_member(make_institution(), Role.ADMIN), make_manager(make_institution())):
        assert client_of(person).get("/network/holidays/").status_code == 404
        assert client_of(person).post("/network/holidays/", {"year": "2027", "text": NOTICE}).status_code == 404
        assert client_of(person).post("/network/holidays/2027/delete/").status_code == 404
    assert client_of().get("/network/holidays/").status_code == 302


def test_an_import_closes_instruments_and_opens_worked_weekends(db: None) -> None:
    instrument = make_instrument()
    instrument.opening_hours.filter(weekday__gt=5).delete()
    new_year, sunday = date(2027, 1, 1), date(2027, 2, 14)
    window = (at(0, 0, new_year), at(24, 0, new_year))

    before = availability([instrument], *window)[0].free
    announce()

    assert len(before) == 1
    assert availability([instrument], *window)[0].free == []
    assert len(availability([instrument], at(0, 0, sunday), at(24, 0, sunday))[0].free) == 1


def test_rules_count_working_days_by_the_same_calendar(db: None) -> None:
    announce()
    instrument = make_instrument()
    save_policy(
        instrument=instrument,
        document={"rules": []},
        by=make_manager(instrument.institution),
        valid_from=date(2026, 1, 1),
    )

    calendar = merge_layers(layers_of(instrument, at(8)), tz="Asia/Shanghai").calendar

    assert not calendar.is_workday(date(2027, 2, 8))
    assert calendar.is_workday(date(2027, 2, 14))
    assert not calendar.is_workday(date(2026, 10, 1))


def test_policy_days_are_ranges(db: None) -> None:
    days = policy_days(date(2026, 1, 1), date(2026, 12, 31))

    assert "2026-10-01..2026-10-07" in days["holidays"]
    assert "2026-10-10" in days["workdays"]


def test_known_years_are_told(db: None, api: Any) -> None:
    announce()

    assert [(one.year, one.imported) for one in known_years(2026, 2028)] == [(2026, False), (2027, True)]
    told = api().get_api("/holidays", year=2027).json()
    assert (told["known"], len(told["days"])) == (True, 13)
    assert told["days"][0] == {"day": "2027-01-01", "kind": "holiday", "name": "元旦"}
    built_in = api().get_api("/holidays", year=2026).json()
    assert {"day": "2026-10-10", "kind": "workday", "name": "国庆节"} in built_in["days"]
    assert api().get_api("/holidays", year=2029).json() == {"year": 2029, "known": False, "days": []}
    assert api().get_api("/holidays", year="x").status_code == 422
    assert api().get_api("/holidays").status_code == 422


def test_what_is_remembered_lasts_for_one_request_and_can_be_forgotten() -> None:
    numbers = iter(range(10))

    def read() -> int:
        return next(numbers)

    assert [once("n", read), once("n", read)] == [0, 1]
    with remembering():
        assert [once("n", read), once("n", read)] == [2, 2]
        forget("n")
        assert once("n", read) == 3
    assert once("n", read) == 4
    forget("n")
