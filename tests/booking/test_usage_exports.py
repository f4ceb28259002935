"""The usage log and the quarterly service records as tables."""

from __future__ import annotations

import csv
import io
from datetime import date
from typing import Any

import pytest
import time_machine
from openpyxl import load_workbook

from backend.accounts.models import Agreement, Role, User
from booking.actions.correcting import correct_usage
from booking.actions.using import finish_booking, record_usage, verify_usage
from booking.models import Booking, Usage
from booking.rules.reporting import SERVICE_RECORD, days_of, quarter_of
from instruments.models import Mode
from tests.booking.lab import TODAY, Lab, browser
from tests.conftest import ApiClient
from tests.factories import DAY, at, make_institution, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(at(9, day=TODAY), tick=False) as traveller:
        yield traveller


def verified(
    lab: Lab, clock: Any, start: int = 9, end: int = 12, *, day: date = DAY, user: User | None = None
) -> Usage:
    booking = lab.book(start, end, day=day, user=user)
    clock.move_to(at(21, day=day))
    usage = verify_usage(usage=finish_booking(booking=booking, by=booking.user), by=lab.manager)
    clock.move_to(at(9, day=TODAY))
    return usage


def table(response: Any) -> list[dict[str, str]]:
    assert response.status_code == 200, response
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def correct(usage: Usage, lab: Lab, clock: Any, end: Any) -> Usage:
    clock.move_to(at(22))
    return correct_usage(
        usage=usage, by=lab.manager, start=usage.start, end=end, samples=None, parameters={}, reason="=device"
    )


def test_a_row_says_what_was_booked_used_quoted_and_charged(clock: Any) -> None:
    lab = Lab()
    verified(lab, clock)

    row = table(ApiClient(lab.manager).get_api("/exports/usage.csv", period="2026-12"))[0]

    assert (row["Instrument"], row["Customer"], row["Mode"]) == (lab.instrument.name, "示例新材料", "Self-operated")
    assert (row["Booked from"], row["Used to"], row["Hours"]) == ("2026-12-01 09:00", "2026-12-01 12:00", "3.00")
    assert (row["Quoted"], row["Charge"], row["Currency"]) == ("300.00", "300.00", "CNY")


def test_a_correction_is_counted_once_and_its_reason_is_no_formula(clock: Any) -> None:
    lab = Lab()
    old = verified(lab, clock)
    correct(old, lab, clock, at(11))
    client = ApiClient(lab.manager)

    rows, reported = table(client.get_api("/exports/usage.csv")), table(client.get_api("/exports/service-records.csv"))

    assert [(row["Hours"], row["Reason of the correction"]) for row in rows] == [("2.00", "'=device")]
    # What was reported before is replaced under its number.
    assert [(row["recordInnerId"], row["serviceAmount"]) for row in reported] == [(str(old.uid), "2.0")]


def test_money_is_empty_before_the_record_is_verified(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(21))
    finish_booking(booking=booking, by=booking.user)
    client = ApiClient(lab.manager)

    row = table(client.get_api("/exports/usage.csv"))[0]

    assert (row["Status"], row["Quoted"], row["Charge"]) == ("To be verified", "300.00", "")
    assert table(client.get_api("/exports/service-records.csv")) == []


def test_the_service_record_has_the_fields_of_the_national_interface(clock: Any) -> None:
    lab = Lab()
    Agreement.objects.create(
        institution=lab.institution, customer=lab.enterprise, number="A1", valid_from=date(2026, 1, 1)
    )
    outside = verified(lab, clock)
    inside = make_member(lab.institution)
    clock.move_to(at(21))
    own = record_usage(
        by=lab.manager, source_ref="d/1", instrument=lab.instrument, user=inside, organisation=lab.institution,
        start=at(13), end=at(14, 20), comment="Calibration",
    )  # fmt: skip
    verify_usage(usage=own, by=lab.manager)

    first, second = table(ApiClient(lab.manager).get_api("/exports/service-records.csv", period="2026Q4"))

    assert list(first) == list(SERVICE_RECORD)
    expected = {
        "recordInnerId": str(outside.uid), "innerId": lab.instrument.local_no, "amounts": "300.00",
        "serviceAmount": "3.0", "serviceTime": "2026-12-01 09:00", "endTime": "2026-12-01 12:00",
        "serviceContent": "Fracture surfaces", "serviceWay": "占用共享", "serviceType": "130",
        "applicant": lab.engineer.name, "unit": "示例新材料", "signAgreement": "是",
        "serviceDirection": "", "subjectName": "", "subjectIncome": "", "subjectArea": "", "comment": "",
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    assert (second["serviceType"], second["serviceAmount"], second["signAgreement"]) == ("120", "1.3", "否")


def test_samples_are_counted_where_samples_were_sent(clock: Any) -> None:
    lab = Lab()
    usage = verified(lab, clock)
    Booking.objects.filter(pk=usage.booking_id).update(mode=Mode.SAMPLE)

    row = table(ApiClient(lab.manager).get_api("/exports/service-records.csv"))[0]

    assert (row["serviceWay"], row["serviceAmount"]) == ("委托共享", "")


def test_months_and_quarters_are_those_of_the_institution(clock: Any) -> None:
    lab = Lab()
    verified(lab, clock, 8, 9, day=date(2026, 12, 31))
    verified(lab, clock, 8, 9, day=date(2027, 1, 1))
    client = ApiClient(lab.manager)

    def days(period: str) -> list[str]:
        query = {"period": period, "institution": lab.institution.pk}
        return [row["Used from"][:10] for row in table(client.get_api("/exports/usage.csv", **query))]

    assert days("2026-12") == days("2026Q4") == ["2026-12-31"]
    assert days("2027-01") == days("2027Q1") == ["2027-01-01"]
    assert days("2026-11") == []


@pytest.mark.parametrize("period", ["2026-13", "2026Q5", "2026", "x", "2026-12-01"])
def test_a_period_that_is_none_is_refused(period: str) -> None:
    assert ApiClient(Lab().manager).get_api("/exports/usage.csv", period=period).status_code == 422


def test_who_may_export(clock: Any) -> None:
    lab, other = Lab(), Lab()
    verified(lab, clock)
    finance, head = make_member(lab.institution, Role.FINANCE), make_member(lab.institution, Role.ADMIN)
    member = make_member(lab.institution)
    mine = {"institution": lab.institution.pk}

    for kind in ("usage", "service-records"):
        path = f"/exports/{kind}.csv"
        assert [len(table(ApiClient(who).get_api(path, **mine))) for who in (finance, head, lab.manager)] == [1, 1, 1]
        assert [ApiClient(who).get_api(path).status_code for who in (member, lab.engineer, lab.boss)] == [403] * 3
        assert ApiClient(member).get_api(path, **mine).status_code == 403
        assert ApiClient(other.manager).get_api(path, **mine).status_code == 404
        assert ApiClient(other.manager).get_api(path, institution=10**9).status_code == 404
        assert table(ApiClient(other.manager).get_api(path)) == []
        assert ApiClient().get_api(path).status_code == 401


def test_a_manager_of_chosen_instruments_exports_only_these(clock: Any) -> None:
    lab = Lab()
    verified(lab, clock)
    chosen = make_member(lab.institution, Role.MANAGER, all_instruments=False)

    assert table(ApiClient(chosen).get_api("/exports/usage.csv")) == []


def test_the_page_exports_what_it_shows(clock: Any) -> None:
    lab = Lab()
    verified(lab, clock)
    verified(lab, clock, day=date(2026, 12, 2))
    clock.move_to(at(22, day=date(2026, 12, 2)))
    client = browser(lab.manager)

    one = table(client.get("/usage/export/usage.csv?day=2026-12-01"))
    both = table(client.get("/usage/export/usage.csv?period=2026-12"))
    book = load_workbook(io.BytesIO(client.get("/usage/export/service-records.xlsx?period=2026Q4").getvalue()))

    assert (len(one), len(both)) == (1, 2)
    assert [cell.value for cell in book.active[1]] == list(SERVICE_RECORD)
    assert [client.get(f"/usage/export/{name}").status_code for name in ("other.csv", "usage.pdf")] == [404, 404]
    assert browser(lab.engineer).get("/usage/export/usage.csv").status_code == 403


def test_an_export_of_many_rows_asks_no_more_often(clock: Any, django_assert_max_num_queries: Any) -> None:
    lab = Lab()
    for hour in range(8, 20, 2):
        verified(lab, clock, hour, hour + 1)
    client = ApiClient(lab.manager)

    with django_assert_max_num_queries(12):
        assert len(table(client.get_api("/exports/service-records.csv"))) == 6


def test_periods() -> None:
    assert days_of("2026-12") == (date(2026, 12, 1), date(2027, 1, 1))
    assert days_of("2026Q4") == (date(2026, 10, 1), date(2027, 1, 1))
    assert days_of("2026Q1") == (date(2026, 1, 1), date(2026, 4, 1))
    assert [quarter_of(date(2026, month, 1)) for month in (1, 3, 4, 12)] == ["2026Q1", "2026Q1", "2026Q2", "2026Q4"]
    with pytest.raises(ValueError, match="neither month nor quarter"):
        days_of("2026")


def test_a_foreign_institution_without_any_desk_is_absent() -> None:
    stranger = make_member(make_institution())

    assert ApiClient(stranger).get_api("/exports/usage.csv", institution=Lab().institution.pk).status_code == 404
