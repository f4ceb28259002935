"""The pages of opening hours and special days."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backend.core.periods import local_day
from instruments.models import Instrument, Occupancy
from instruments.queries.free import availability
from tests.factories import (
    at,
    make_instrument,
    make_manager,
)
from tests.instruments.clients import client_of, text


def test_special_days_address_leads_to_the_hours(db: None) -> None:
    instrument = make_instrument()

    answer = client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/special-days/")

    assert (answer.status_code, answer["Location"]) == (302, f"/manage/instruments/{instrument.pk}/hours/")


def week(**more: Any) -> dict[str, Any]:
    return {"sets": "1", "opens-0-1": ["08:00", "13:00"], "closes-0-1": ["12:00", "17:00"], **more}


def test_hours_page_saves_several_windows_a_day(db: None) -> None:
    instrument = make_instrument()
    path = f"/manage/instruments/{instrument.pk}/hours/"

    answer = client_of(make_manager(instrument.institution)).post(
        path,
        week(
            **{"opens-0-7": "22:00", "closes-0-7": "24:00", "opens-0-3": "", "closes-0-3": "", "open_on_holidays": "on"}
        ),
    )

    assert answer.status_code == 302
    assert list(instrument.opening_hours.values_list("weekday", "opens", "closes")) == [
        (1, time(8), time(12)),
        (1, time(13), time(17)),
        (7, time(22), time(0)),
    ]
    instrument.refresh_from_db()
    assert instrument.open_on_holidays


def test_hours_page_shows_what_is_stored_in_parts(db: None) -> None:
    instrument = make_instrument()
    instrument.opening_hours.create(weekday=6, opens=time(9), closes=time(11), valid_from=date(2026, 7, 1))

    page = text(client_of(make_manager(instrument.institution)).get(f"/manage/instruments/{instrument.pk}/hours/"))

    assert page.count('value="08:00"') == 7
    assert 'name="from-1" value="2026-07-01"' in page
    assert 'name="sets" value="2"' in page


@pytest.mark.parametrize(
    ("button", "expected"),
    [
        ("add-0-1", 'name="opens-0-1" value=""'),
        ("copy-0", 'name="opens-0-5" value="13:00"'),
        ("season", 'name="from-1" value=""'),
        ("remove-0-1-0", 'name="sets" value="1"'),
        ("drop-0", 'name="opens-0-1" value="13:00"'),
        ("nonsense-9-9-9", 'name="opens-0-1" value="13:00"'),
    ],
)
def test_hours_page_rearranges_without_saving(db: None, button: str, expected: str) -> None:
    instrument = make_instrument(hours=False)
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})

    answer = client.post(f"/manage/instruments/{instrument.pk}/hours/", week(do=button))

    assert answer.status_code == 200
    assert expected in text(answer)
    assert not instrument.opening_hours.exists()


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"opens-0-2": "08:00", "closes-0-2": ""}, "field-error"),
        ({"opens-0-2": "25:00", "closes-0-2": "26:00"}, "field-error"),
        ({"opens-0-2": "a\x00", "closes-0-2": "09:00"}, "field-error"),
        ({"from-0": "soon"}, "field-error"),
        ({"from-0": "9999-01-01"}, "field-error"),
        ({"opens-0-1": ["08:00", "09:00"], "closes-0-1": ["12:00", "10:00"]}, "overlap"),
        ({"from-0": "2026-02-01", "to-0": "2026-01-01"}, "before the first"),
    ],
)
def test_hours_page_names_what_is_wrong(db: None, wrong: dict[str, Any], where: str) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})

    answer = client.post(f"/manage/instruments/{instrument.pk}/hours/", week(**wrong))

    assert answer.status_code == 422
    assert where in text(answer)
    assert instrument.opening_hours.count() == 7


def test_hours_page_warns_of_bookings_left_outside(db: None) -> None:
    instrument = make_instrument(open_on_holidays=True)
    day = timezone.localdate() + timedelta(days=1)
    Occupancy.objects.create(instrument=instrument, unit=1, start=at(18, 0, day), end=at(19, 0, day), kind="booking")

    answer = client_of(make_manager(instrument.institution)).post(
        f"/manage/instruments/{instrument.pk}/hours/", week(open_on_holidays="on"), follow=True
    )

    assert "1 booking now lies outside the opening hours" in text(answer)
    assert "1 booking lies outside the opening hours" in text(answer)
    assert "18:00–19:00" in text(answer)


def test_special_days_page(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})
    path = f"/manage/instruments/{instrument.pk}/special-days/"
    rows = {
        "day": ["2026-12-24", "2026-12-25", ""],
        "opens": ["", "09:00", ""],
        "closes": ["", "12:00", ""],
        "note": ["检修", "", ""],
    }

    more = client.post(path, {**rows, "do": "add"})
    fewer = client.post(path, {**rows, "do": "remove-0"})
    wrong = client.post(path, {**rows, "day": ["2026-12-24", "", "2026-12-26"]})
    twice = client.post(path, {**rows, "day": ["2026-12-24", "2026-12-24", ""]})
    saved = client.post(path, rows)

    assert (text(more).count('name="day"'), text(fewer).count('name="day"')) == (4, 2)
    assert (wrong.status_code, twice.status_code, saved.status_code) == (422, 422, 204)
    assert saved["HX-Redirect"] == f"/manage/instruments/{instrument.pk}/hours/"
    assert list(instrument.special_days.values_list("day", "opens", "note")) == [
        (date(2026, 12, 24), None, "检修"),
        (date(2026, 12, 25), time(9), ""),
    ]


def free_on(instrument: Instrument, day: date) -> list[tuple[str, str, int]]:
    """Free stretches of a local day, as wall time."""
    zone = instrument.zone
    whole = local_day(day, zone)
    found = availability([instrument], whole.start, whole.end)[0].free
    return [(f"{p.start.astimezone(zone):%H:%M}", f"{p.end.astimezone(zone):%H:%M}", p.units) for p in found]


def save(instrument: Instrument, **sent: Any) -> None:
    answer = client_of(make_manager(instrument.institution)).post(
        f"/manage/instruments/{instrument.pk}/hours/", {"sets": "1", **sent}
    )
    assert answer.status_code == 302, answer.content.decode()
    instrument.refresh_from_db()


def test_hours_with_validity_dates_hold_between_them_only(db: None) -> None:
    instrument = make_instrument(hours=False)

    save(
        instrument,
        **{
            "sets": "2",
            "opens-0-2": "08:00", "closes-0-2": "12:00", "to-0": "2026-12-01",
            "opens-1-2": ["09:00", "14:00"], "closes-1-2": ["11:00", "15:00"],
            "from-1": "2026-12-02", "to-1": "2026-12-08",
        },
    )  # fmt: skip

    assert free_on(instrument, date(2026, 12, 1)) == [("08:00", "12:00", 1)]
    assert free_on(instrument, date(2026, 12, 8)) == [("09:00", "11:00", 1), ("14:00", "15:00", 1)]
    assert free_on(instrument, date(2026, 12, 15)) == []


def test_hours_over_midnight_reach_into_the_next_day_and_the_next_week(db: None) -> None:
    instrument = make_instrument(hours=False)

    save(instrument, **{"opens-0-7": "22:00", "closes-0-7": "02:00"})

    assert free_on(instrument, date(2026, 12, 6)) == [("22:00", "00:00", 1)]
    assert free_on(instrument, date(2026, 12, 7)) == [("00:00", "02:00", 1)]


def test_units_set_up_and_cleaning_shape_what_is_free(db: None) -> None:
    instrument = make_instrument(hours=False, units=2, setup_minutes=30, cleaning_minutes=15)
    save(instrument, **{"opens-0-2": "08:00", "closes-0-2": "12:00"})

    Occupancy.objects.create(instrument=instrument, unit=1, start=at(9, 30), end=at(10, 30), kind="booking")

    assert free_on(instrument, date(2026, 12, 1)) == [
        ("08:00", "09:15", 2),
        ("09:15", "11:00", 1),
        ("11:00", "12:00", 2),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "expected", "hours"),
    [
        ("Asia/Shanghai", date(2026, 12, 1), [("00:00", "06:00", 1)], 6),
        ("Asia/Urumqi", date(2026, 12, 1), [("00:00", "06:00", 1)], 6),
        # Clocks go from 02:00 to 03:00, and from 03:00 back to 02:00.
        ("Europe/Berlin", date(2026, 3, 29), [("00:00", "06:00", 1)], 5),
        ("Europe/Berlin", date(2026, 10, 25), [("00:00", "06:00", 1)], 7),
        ("Australia/Lord_Howe", date(2026, 10, 4), [("00:00", "06:00", 1)], 5.5),
    ],
)
def test_hours_are_wall_time_of_the_instruments_zone(
    db: None, zone: str, day: date, expected: list[tuple[str, str, int]], hours: float
) -> None:
    instrument = make_instrument(hours=False, timezone=zone, open_on_holidays=True)
    night = {f"opens-0-{n}": "00:00" for n in range(1, 8)} | {f"closes-0-{n}": "06:00" for n in range(1, 8)}
    save(instrument, **night, open_on_holidays="on")

    assert free_on(instrument, day) == expected
    whole = local_day(day, instrument.zone)
    free = availability([instrument], whole.start, whole.end)[0].free
    assert sum((one.end - one.start).total_seconds() for one in free) == hours * 3600


def test_a_window_that_begins_in_a_gap_begins_after_it(db: None) -> None:
    instrument = make_instrument(hours=False, timezone="Europe/Berlin")

    save(instrument, **{"opens-0-7": "02:30", "closes-0-7": "05:00"})

    assert free_on(instrument, date(2026, 3, 29)) == [("03:00", "05:00", 1)]


def test_closed_and_specially_opened_days_go_before_the_week_and_holidays(db: None) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))
    rows = {"day": ["2026-12-01", "2026-10-01"], "opens": ["", "10:00"], "closes": ["", "11:00"], "note": ["", ""]}

    client.post(f"/manage/instruments/{instrument.pk}/special-days/", rows)

    assert free_on(instrument, date(2026, 12, 1)) == []
    assert free_on(instrument, date(2026, 10, 1)) == [("10:00", "11:00", 1)]
    assert free_on(instrument, date(2026, 10, 2)) == []


def test_changing_the_holidays_flag_makes_a_new_version(db: None) -> None:
    instrument = make_instrument(hours=False)

    save(instrument, open_on_holidays="on")
    assert instrument.version == 2
    save(instrument, **{"opens-0-1": "08:00", "closes-0-1": "09:00", "open_on_holidays": "on"})

    assert instrument.version == 2
