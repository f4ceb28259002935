"""Opening hours and special days."""

from __future__ import annotations

from datetime import date, time

import pytest

from backend.audit.models import Entry
from backend.core.errors import Invalid
from instruments.actions.hours import NamedDay, set_opening_hours, set_special_days
from instruments.models import Instrument
from instruments.rules import Hours
from tests.factories import make_instrument, make_manager


def stored(instrument: Instrument) -> list[tuple[int, str, str]]:
    return [(row.weekday, f"{row.opens:%H:%M}", f"{row.closes:%H:%M}") for row in instrument.opening_hours.all()]


def save(instrument: Instrument, *hours: Hours) -> None:
    set_opening_hours(instrument=instrument, by=make_manager(instrument.institution), hours=hours)


def test_hours_replace_those_before(db: None) -> None:
    instrument = make_instrument()

    save(instrument, Hours(1, time(13), time(17)), Hours(1, time(8), time(12)), Hours(6, time(22), time(2)))

    assert stored(instrument) == [(1, "08:00", "12:00"), (1, "13:00", "17:00"), (6, "22:00", "02:00")]
    entry = Entry.objects.get()
    assert entry.action == "instrument.hours"
    assert entry.after["rows"] == ["1 08:00–12:00", "1 13:00–17:00", "6 22:00–02:00"]


def test_hours_saved_again_change_nothing(db: None) -> None:
    instrument = make_instrument()
    save(instrument, Hours(1, time(8), time(12)))

    save(instrument, Hours(1, time(8), time(12)))

    assert Entry.objects.count() == 1


def test_hours_and_holidays_are_one_change(db: None) -> None:
    instrument = make_instrument(hours=False)

    changed = set_opening_hours(
        instrument=instrument, by=make_manager(instrument.institution), hours=[], open_on_holidays=True
    )

    assert changed.open_on_holidays
    assert Entry.objects.get().after == {"rows": [], "open_on_holidays": True}


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([Hours(1, time(8), time(12)), Hours(1, time(11), time(13))], "overlap"),
        ([Hours(1, time(22), time(3)), Hours(2, time(2), time(5))], "overlap"),
        ([Hours(7, time(22), time(3)), Hours(1, time(2), time(5))], "overlap"),
        ([Hours(1, time(0), time(0)), Hours(1, time(8), time(9))], "overlap"),
        ([Hours(8, time(8), time(12))], "weekday"),
        ([Hours(1, time(8), time(12), date(2026, 2, 1), date(2026, 1, 1))], "validity"),
        ([Hours(1 + n % 7, time(n // 60, n % 60), time(n // 60, n % 60, 30)) for n in range(201)], "too_many"),
    ],
)
def test_hours_refuse_what_is_wrong(db: None, rows: list[Hours], code: str) -> None:
    instrument = make_instrument()
    before = stored(instrument)

    with pytest.raises(Invalid) as error:
        save(instrument, *rows)

    assert error.value.refusals[0].code == code
    assert stored(instrument) == before


@pytest.mark.parametrize(
    "rows",
    [
        [Hours(1, time(8), time(12)), Hours(1, time(12), time(13))],
        [Hours(1, time(22), time(2)), Hours(2, time(2), time(5))],
        [Hours(n, time(0), time(0)) for n in range(1, 8)],
        [
            Hours(1, time(8), time(12), None, date(2026, 6, 30)),
            Hours(1, time(9), time(13), date(2026, 7, 1), None),
        ],
    ],
)
def test_hours_may_touch_and_may_overlap_on_other_dates(db: None, rows: list[Hours]) -> None:
    instrument = make_instrument(hours=False)

    save(instrument, *rows)

    assert len(stored(instrument)) == len(rows)


def test_special_days_are_closed_or_have_their_own_hours(db: None) -> None:
    instrument = make_instrument()
    days = [NamedDay(date(2026, 12, 2), time(9), time(12), "盘点"), NamedDay(date(2026, 12, 1))]

    set_special_days(instrument=instrument, by=make_manager(instrument.institution), days=days)

    assert list(instrument.special_days.values_list("day", "opens", "closes", "note")) == [
        (date(2026, 12, 1), None, None, ""),
        (date(2026, 12, 2), time(9), time(12), "盘点"),
    ]
    assert Entry.objects.get().after["rows"] == ["2026-12-01 closed", "2026-12-02 09:00–12:00 盘点"]


@pytest.mark.parametrize(
    ("days", "code"),
    [
        ([NamedDay(date(2026, 12, 1)), NamedDay(date(2026, 12, 1))], "day_twice"),
        ([NamedDay(date(2026, 12, 1), time(9), None)], "both_times"),
        ([NamedDay(date(2026, 12, 1), None, None, "x" * 101)], "note"),
        ([NamedDay(date(2026, 12, 1), None, None, "a\x00")], "note"),
        ([NamedDay(date.fromordinal(740_000 + n)) for n in range(401)], "too_many"),
    ],
)
def test_special_days_refuse_what_is_wrong(db: None, days: list[NamedDay], code: str) -> None:
    instrument = make_instrument()

    with pytest.raises(Invalid) as error:
        set_special_days(instrument=instrument, by=make_manager(instrument.institution), days=days)

    assert error.value.refusals[0].code == code
    assert not instrument.special_days.exists()
