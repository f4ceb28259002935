"""Creating and changing instruments, and who may."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from backend.accounts.models import Role
from backend.accounts.queries import VISITOR, access_of
from backend.audit.models import Entry
from backend.core.errors import Forbidden, Invalid, NotFound, Refused, Stale
from instruments.actions.catalogue import create_instrument, update_instrument
from instruments.actions.reference import UNKNOWN, load_reference_data
from instruments.models import Category, Instrument, InstrumentGroup, Occupancy, Technique
from instruments.queries.catalogue import Filters, find_instruments
from instruments.queries.rights import (
    get_managed_instrument,
    get_visible_instrument,
    institution_to_manage,
    managed_instruments,
)
from instruments.queries.viewers import Viewer
from tests.factories import make_enterprise, make_institution, make_instrument, make_manager, make_member, make_user


def values(**more: Any) -> dict[str, Any]:
    Category.objects.get_or_create(code="0101", defaults={"name": "电子光学仪器", "name_en": "Electron optics"})
    return {"local_no": "A-1", "name": "扫描电子显微镜", "category_id": "0101", "mode_self": True, **more}


def codes(error: pytest.ExceptionInfo[Invalid]) -> dict[str, str]:
    return {refusal.field: refusal.code for refusal in error.value.refusals}


def test_reference_data_is_loaded_once_and_kept_up_to_date(db: None) -> None:
    Category.objects.create(code="0101", name="old", name_en="old")

    assert load_reference_data() == load_reference_data() == (90, 52)

    assert Category.objects.get(code="0101").name == "电子光学仪器"
    assert Category.objects.get(code="0101").parent_id == "01"
    assert Category.objects.get(code=UNKNOWN).name == "未分类"
    assert not Category.objects.filter(name_en="").exists()
    assert "电镜" in Technique.objects.get(key="SEM").aliases


def test_create_writes_the_instrument_its_index_and_one_audit_row(db: None) -> None:
    institution = make_institution(region="包头")
    manager = make_manager(institution)
    sem = Technique.objects.create(key="SEM", name="扫描电子显微镜", name_en="SEM", aliases=["扫描电镜"])

    made = create_instrument(institution=institution, by=manager, values=values(units=8), techniques=[sem])

    assert (made.region, made.timezone, made.units, made.modes) == ("包头", "Asia/Shanghai", 8, ["self"])
    assert find_instruments(Viewer(), Filters(q="smdj"), limit=1).count == 1
    entry = Entry.objects.get()
    assert (entry.action, entry.object_id, entry.actor_id) == ("instrument.create", str(made.pk), manager.pk)
    assert entry.after["techniques"] == ["SEM"]


def test_create_by_a_manager_of_chosen_instruments_names_them(db: None) -> None:
    institution = make_institution()
    manager = make_manager(institution, all_instruments=False)

    made = create_instrument(institution=institution, by=manager, values=values())

    assert list(made.managers.all()) == [manager]
    assert get_managed_instrument(access_of(manager), made.pk) == made


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": "x" * 121}, "name", "max_length"),
        ({"name": "a\x00b"}, "name", "control_characters"),
        ({"name": "a\x1bb"}, "name", "control_characters"),
        ({"technical": "x" * 20_001}, "technical", "too_long"),
        ({"units": 0}, "units", "min_value"),
        ({"units": 101}, "units", "max_value"),
        ({"worth": Decimal("1e11")}, "worth", "max_whole_digits"),
        ({"contact_email": "nobody"}, "contact_email", "invalid"),
        ({"timezone": "Mars/Phobos"}, "timezone", "unknown_zone"),
        ({"setup_minutes": 1441}, "setup_minutes", "too_long"),
        ({"cleaning_minutes": 99_999}, "cleaning_minutes", "too_long"),
        ({"condition": "on fire"}, "condition", "invalid_choice"),
        ({"category_id": "9999"}, "category", "unknown_category"),
        ({"category_id": "\x00"}, "category", "unknown_category"),
        ({"group_id": 999}, "group", "unknown_group"),
        ({"institution_id": 1}, "institution_id", "unknown_field"),
    ],
)
def test_create_refuses_what_is_wrong(db: None, wrong: dict[str, Any], field: str, code: str) -> None:
    institution = make_institution()

    with pytest.raises(Invalid) as error:
        create_instrument(institution=institution, by=make_manager(institution), values=values(**wrong))

    assert codes(error)[field] == code
    assert not Instrument.objects.exists()


def test_create_tells_all_problems_at_once(db: None) -> None:
    institution = make_institution()

    with pytest.raises(Invalid) as error:
        create_instrument(
            institution=institution,
            by=make_manager(institution),
            values=values(name="", units=0, timezone="x", category_id="no"),
        )

    assert set(codes(error)) == {"name", "units", "timezone", "category"}


def test_create_takes_emoji_as_text(db: None) -> None:
    institution = make_institution()

    made = create_instrument(institution=institution, by=make_manager(institution), values=values(name="显微镜 😀"))

    made.refresh_from_db()
    assert made.name == "显微镜 😀"


def test_numbers_are_unique_in_an_institution_only(db: None) -> None:
    institution, other = make_institution(), make_institution()
    create_instrument(institution=institution, by=make_manager(institution), values=values())
    create_instrument(institution=other, by=make_manager(other), values=values())

    with pytest.raises(Invalid) as error:
        create_instrument(institution=institution, by=make_manager(institution), values=values())

    assert codes(error) == {"local_no": "local_no_taken"}


def test_groups_of_other_institutions_are_unknown(db: None) -> None:
    instrument = make_instrument()
    group = InstrumentGroup.objects.create(institution=make_institution(), name="EM")

    with pytest.raises(Invalid) as error:
        update_instrument(instrument=instrument, by=make_manager(instrument.institution), values={"group_id": group.pk})

    assert codes(error) == {"group": "unknown_group"}


def test_only_managers_of_the_institution_can_be_named(db: None) -> None:
    instrument = make_instrument()

    with pytest.raises(Invalid) as error:
        update_instrument(
            instrument=instrument, by=make_manager(instrument.institution), values={}, managers=[make_user()]
        )

    assert codes(error) == {"managers": "not_a_manager"}


def test_update_records_only_what_changed(db: None) -> None:
    instrument = make_instrument(name="old", model="A")
    manager = make_manager(instrument.institution)

    changed = update_instrument(instrument=instrument, by=manager, values={"name": "new", "model": "A"})

    assert changed.name == "new"
    entry = Entry.objects.get()
    assert (entry.action, entry.before) == ("instrument.update", {"name": "old"})
    assert entry.after == {"name": "new", "version": 2}


def test_update_without_change_writes_nothing(db: None) -> None:
    instrument = make_instrument()

    update_instrument(instrument=instrument, by=make_manager(instrument.institution), values={"name": instrument.name})

    assert not Entry.objects.exists()
    instrument.refresh_from_db()
    assert instrument.updated_at == Instrument.objects.get().updated_at


def test_update_refuses_when_somebody_was_faster_and_names_what_changed(db: None) -> None:
    instrument = make_instrument()
    manager = make_manager(instrument.institution)
    update_instrument(instrument=instrument, by=manager, values={"name": "first", "region": "包头"}, version=1)

    with pytest.raises(Stale) as error:
        update_instrument(instrument=instrument, by=manager, values={"fee": "second"}, version=1)

    instrument.refresh_from_db()
    assert (instrument.name, instrument.fee, instrument.version) == ("first", "", 2)
    assert error.value.refusals[0].params == {"fields": ["name", "region"], "version": 2}
    assert str(error.value.detail) == "Somebody changed this instrument meanwhile: name, region."


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"kind": "magic"}, "invalid_choice"),
        ({"belongs_type": "ship"}, "invalid_choice"),
        ({"service_url": "javascript:alert(1)"}, "invalid"),
        ({"service_url": "ftp://example.org"}, "invalid"),
        ({"postcode": "01002"}, "invalid"),
        ({"postcode": "01002x"}, "invalid"),
        ({"run_hours": Decimal("8784.1")}, "too_many_hours"),
        ({"run_hours": Decimal("-1")}, "min_value"),
        ({"run_hours": Decimal("10"), "service_hours": Decimal("10.1")}, "too_many_hours"),
        ({"begin_date": date(2999, 1, 1)}, "in_future"),
        ({"declaration_date": date(2999, 1, 1)}, "in_future"),
        ({"subjects": ["x"] * 11}, "too_long"),
        ({"subjects": ["x" * 61]}, "too_long"),
        ({"subjects": "chemistry"}, "invalid"),
        ({"subjects": [""]}, "invalid"),
        ({"subjects": ["a\x00"]}, "control_characters"),
        ({"fee": "x" * 20_001}, "too_long"),
    ],
)
def test_update_refuses_what_the_record_cannot_say(db: None, values: dict[str, Any], code: str) -> None:
    instrument = make_instrument()

    with pytest.raises(Invalid) as error:
        update_instrument(instrument=instrument, by=make_manager(instrument.institution), values=values)

    assert [refusal.code for refusal in error.value.refusals] == [code]
    instrument.refresh_from_db()
    assert instrument.version == 1


def test_eight_units_run_eight_times_as_long(db: None) -> None:
    instrument = make_instrument(units=8)

    changed = update_instrument(
        instrument=instrument,
        by=make_manager(instrument.institution),
        values={"run_hours": Decimal("70000.5"), "service_hours": Decimal("70000")},
    )

    assert changed.run_hours == Decimal("70000.5")


def test_units_in_use_cannot_go_away(db: None) -> None:
    instrument = make_instrument(units=8)
    manager = make_manager(instrument.institution)
    start = timezone.now() + timedelta(days=1)
    row = Occupancy.objects.create(
        instrument=instrument, unit=6, start=start, end=start + timedelta(hours=1), kind="booking"
    )

    update_instrument(instrument=instrument, by=manager, values={"units": 6})
    with pytest.raises(Refused) as error:
        update_instrument(instrument=instrument, by=manager, values={"units": 5})

    assert error.value.refusals[0].code == "units_taken"
    row.delete()
    assert update_instrument(instrument=instrument, by=manager, values={"units": 1}).units == 1


def test_managed_instruments_follow_the_roles(db: None) -> None:
    institution = make_institution()
    mine, other = make_instrument(institution), make_instrument(institution)
    foreign = make_instrument()
    chosen = make_manager(institution, all_instruments=False)
    mine.managers.add(chosen)

    def managed(*people: Any) -> list[set[int]]:
        return [set(managed_instruments(access_of(one)).values_list("pk", flat=True)) for one in people]

    everybody = managed(
        make_member(institution, Role.ADMIN),
        make_manager(institution),
        chosen,
        make_member(institution),
        make_member(institution, Role.FINANCE),
        make_manager(foreign.institution),
        make_member(make_enterprise(), Role.ADMIN),
    )

    both = {mine.pk, other.pk}
    assert everybody == [both, both, {mine.pk}, set(), set(), {foreign.pk}, set()]
    assert not managed_instruments(VISITOR).exists()


def test_strangers_get_not_found(db: None) -> None:
    instrument = make_instrument(sharing="none")

    for access in (VISITOR, access_of(make_manager(make_institution())), access_of(make_member(make_enterprise()))):
        for pk in (instrument.pk, 10**6, 0, -1, 10**30):
            with pytest.raises(NotFound):
                get_managed_instrument(access, pk)
            with pytest.raises(NotFound):
                get_visible_instrument(access, pk)


def test_a_person_of_two_institutions_must_say_where(db: None) -> None:
    one, two, foreign = make_institution(), make_institution(), make_institution()
    person = make_manager(one)
    assert institution_to_manage(access_of(person), None) == one
    make_member(two, Role.ADMIN, user=person)

    assert institution_to_manage(access_of(person), two.pk) == two
    with pytest.raises(Invalid):
        institution_to_manage(access_of(person), None)
    with pytest.raises(NotFound):
        institution_to_manage(access_of(person), foreign.pk)
    with pytest.raises(Forbidden):
        institution_to_manage(access_of(make_member(one)), None)


def test_an_instrument_that_is_shared_needs_a_mode(db: None) -> None:
    instrument = make_instrument()
    by = make_manager(instrument.institution)
    none = {"mode_self": False, "mode_operator": False, "mode_sample": False}

    with pytest.raises(Invalid) as refused:
        update_instrument(instrument=instrument, by=by, values=none)
    hidden = update_instrument(instrument=instrument, by=by, values={**none, "sharing": "none"})
    with pytest.raises(Invalid):
        update_instrument(instrument=instrument, by=by, values={"sharing": "external"})

    assert [(one.field, one.code) for one in refused.value.refusals] == [("modes", "no_mode")]
    assert hidden.modes == []
