"""The pages and the API of vouchers, from the scheme to the transfer."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from backend.accounts.models import Role, User
from backend.outbox.models import Message
from booking.models import Booking
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.voucher_grants import remind_of_ending_vouchers
from invoices.models import Invoice, VoucherGrant, VoucherPayout, VoucherScheme, VoucherUse
from tests.factories import (
    at,
    make_charge,
    make_enterprise,
    make_institution,
    make_instrument,
    make_line,
    make_member,
    make_price_list,
)
from tests.invoices.vouchers import choose, finalise, make_grant, make_scheme, quote, sums_agree

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path
    with time_machine.travel(at(9, day=date(2026, 11, 30)), tick=False):
        yield


@pytest.fixture
def operator() -> User:
    return make_member(make_institution(kind="network"), Role.OPERATOR)


def signed_in(user: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


SCHEME = {
    "code": "cx", "name": "创新券", "name_en": "Voucher", "currency": "CNY", "valid_from": "2026-01-01",
    "valid_to": "2026-12-31", "cap": "5000.00", "cap_by": "enterprise", "when_higher": "available", "open": "on",
    "documents": "Licence", "shares-TOTAL_FORMS": "2", "shares-INITIAL_FORMS": "0", "shares-0-percent": "60",
    "shares-0-types": ["micro", "tech"], "shares-1-percent": "40",
}  # fmt: skip


def test_a_scheme_is_written_on_its_page_and_says_what_it_does(operator: User) -> None:
    client = signed_in(operator)

    made = client.post("/vouchers/schemes/new/", SCHEME)
    scheme = VoucherScheme.objects.get()
    page = client.get(made["Location"]).content.decode()
    again = client.post(f"/vouchers/schemes/{scheme.pk}/edit/", {**SCHEME, "cap": "0", "version": scheme.version})
    stale = client.post(f"/vouchers/schemes/{scheme.pk}/edit/", {**SCHEME, "version": 99})

    assert [share["percent"] for share in scheme.shares] == ["60", "40"]
    assert "Covers 60 % of the cost for Small or micro enterprise, Technology-based SME." in page
    assert "Covers 40 % of the cost for every other enterprise." in page
    assert "At most ¥5,000.00 for each enterprise in a calendar year, at all institutions together." in page
    assert (again.status_code, stale.status_code) == (422, 412)
    scheme.refresh_from_db()
    assert scheme.cap == Decimal("5000.00")


def test_an_enterprise_applies_and_is_told_what_the_network_decides(operator: User) -> None:
    scheme = make_scheme(documents=["Licence"])
    enterprise = make_enterprise(uscc="91350100M000100Y43")
    admin = make_member(enterprise, Role.ADMIN)
    wish = {"enterprise_type": "tech", "requested": "900.00", "purpose": "Alloys", "declared": "on"}
    client = signed_in(admin)

    without = client.post(f"/vouchers/schemes/{scheme.pk}/apply/", wish)
    file = SimpleUploadedFile("licence.txt", b"licence")
    client.post(f"/vouchers/schemes/{scheme.pk}/apply/", {**wish, "files": file})
    grant = VoucherGrant.objects.get()
    twice = client.post(f"/vouchers/schemes/{scheme.pk}/apply/", {**wish, "files": SimpleUploadedFile("l.txt", b"l")})
    given = {"amount": "800.00", "enterprise_type": "tech", "reason": "Less than asked"}
    signed_in(operator).post(f"/vouchers/grants/{grant.pk}/grant/", given)

    assert (without.status_code, twice.status_code) == (422, 409)
    grant.refresh_from_db()
    assert (grant.state, grant.amount) == ("granted", Decimal("800.00"))
    assert {one.kind for one in Message.objects.filter(recipient=operator)} == {"voucher_applied"}
    assert {one.kind for one in Message.objects.filter(recipient=admin)} == {"voucher_granted"}
    page = client.get(f"/vouchers/grants/{grant.pk}/").content.decode()
    assert "¥800.00" in page
    assert "licence.txt" in page
    assert "Less than asked" in page
    assert remind_of_ending_vouchers(day=date(2026, 12, 1)) == 0


def test_who_has_no_credit_code_or_is_elsewhere_is_told_so(operator: User) -> None:
    scheme = make_scheme(region="山东省")
    enterprise = make_enterprise(region="北京市")
    wish = {"scheme": scheme.pk, "enterprise_type": "tech", "requested": "9.00", "purpose": "X", "declared": "true"}

    answer = signed_in(make_member(enterprise, Role.ADMIN)).post("/api/v1/vouchers", wish)

    assert answer.status_code == 409
    assert {one["code"] for one in answer.json()["errors"]} == {"no_uscc", "outside_region"}


def test_a_voucher_that_ends_soon_is_told_once() -> None:
    grant = make_grant(expires_on=date(2026, 12, 20))
    admin = make_member(grant.enterprise, Role.ADMIN)

    for _time in range(2):
        assert remind_of_ending_vouchers(day=date(2026, 11, 20)) == 1
    assert remind_of_ending_vouchers(day=date(2026, 11, 19)) == 0

    assert Message.objects.filter(recipient=admin, kind="voucher_ending", channel="in_app").count() == 1


def test_the_engineer_chooses_a_voucher_beside_the_price() -> None:
    instrument = make_instrument(sharing="external")
    make_price_list(instrument)
    grant = make_grant(amount="70.00")
    engineer = make_member(grant.enterprise)
    client = signed_in(engineer)
    wish = {"start": "2026-12-01T09:00", "end": "2026-12-01T10:00", "mode": "self", "purpose": "Alloys"}

    seen = client.post(f"/instruments/{instrument.pk}/check/", {**wish, "voucher": grant.pk}).content.decode()
    refused = client.post(f"/instruments/{instrument.pk}/book/", {**wish, "voucher": grant.pk})
    client.post(f"/instruments/{instrument.pk}/book/", {**wish, "voucher": grant.pk, "voucher_declared": "on"})

    assert "¥50.00" in seen
    assert refused.status_code == 409
    booking = Booking.objects.get()
    assert VoucherUse.objects.get().amount == Decimal("50.00")
    assert grant.number in client.get(f"/bookings/{booking.pk}/").content.decode()
    # The next hour gets what is left, and then there is a reason why not.
    later = {**wish, "start": "2026-12-01T11:00", "end": "2026-12-01T12:00", "voucher": grant.pk}
    client.post(f"/instruments/{instrument.pk}/book/", {**later, "voucher_declared": "on"})
    assert VoucherUse.objects.latest("pk").amount == Decimal("20.00")
    last = {**wish, "start": "2026-12-01T13:00", "end": "2026-12-01T14:00"}
    seen = client.post(f"/instruments/{instrument.pk}/check/", last).content.decode()
    assert "Nothing more is left of the voucher." in seen


def test_a_foreign_voucher_is_like_none() -> None:
    instrument = make_instrument(sharing="external")
    make_price_list(instrument)
    engineer = make_member(make_enterprise())
    slot = {
        "instrument": instrument.pk, "start": "2026-12-01T09:00:00+08:00", "end": "2026-12-01T10:00:00+08:00",
        "mode": "self", "purpose": "X", "voucher_declared": True,
    }  # fmt: skip

    answers = [
        signed_in(engineer).post("/api/v1/bookings", {**slot, "voucher": pk}, content_type="application/json")
        for pk in (make_grant().pk, 987654)
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert len({answer.json()["errors"][0]["code"] for answer in answers}) == 1
    assert not Booking.objects.exists()


def test_from_the_charge_to_the_transfer(operator: User) -> None:
    grant = make_grant(make_scheme(evidence=["fapiao"]))
    charge = quote(grant, "1000.00")
    engineer, finance = charge.user, make_member(charge.institution, Role.FINANCE)
    theirs = f"/api/v1/charges/{charge.pk}/voucher"

    [offer] = signed_in(engineer).get(f"{theirs}s").json()
    body = {"voucher": grant.pk, "voucher_declared": True}
    use = signed_in(engineer).post(theirs, body, content_type="application/json").json()
    finalise(charge, "800.00")
    by = {"institution_id": charge.institution_id, "customer_id": charge.customer_id, "by": finance}
    invoice = issue_invoice(invoice=draft_invoice(**by, period="2026-12"), by=finance)
    page = signed_in(finance).get(f"/invoices/{invoice.pk}/").content.decode()
    evidence = signed_in(finance).get(f"/api/v1/voucher-uses/{use['id']}/evidence").json()
    signed_in(finance).post(
        f"/invoices/{invoice.pk}/files/",
        {"kind": "fapiao", "files": SimpleUploadedFile("fapiao.pdf", b"%PDF-1.7 x")},
    )
    network = signed_in(operator)
    network.post("/vouchers/payouts/prepare/", {"institution": charge.institution_id, "scheme": grant.scheme_id})
    payout = VoucherPayout.objects.get()
    pack = b"".join(network.get(f"/vouchers/payouts/{payout.pk}/evidence.zip").streaming_content)  # type: ignore[attr-defined]
    network.post(f"/vouchers/payouts/{payout.pk}/paid/", {"paid_on": "2026-11-30", "reference": "Bank 9"})
    table = b"".join(network.get("/vouchers/uses.xlsx").streaming_content)  # type: ignore[attr-defined]

    assert (offer["covers"], offer["own_part"], use["covered"]) == ("500.00", "500.00", "500.00")
    assert "¥400.00" in page  # still to be paid
    assert [one["what"] for one in evidence["missing"]] == [
        "The number of the fapiao has not been noted.", "The fapiao has not been uploaded.",
    ]  # fmt: skip
    assert f"{invoice.number}/fapiao/fapiao.pdf" in zipfile.ZipFile(io.BytesIO(pack)).namelist()
    payout.refresh_from_db()
    assert (payout.state, payout.total) == ("paid", Decimal("400.00"))
    rows = list(openpyxl.load_workbook(io.BytesIO(table)).active.values)  # type: ignore[union-attr]
    covered = dict(zip(rows[0], rows[1], strict=True))
    assert (covered["Covered"], covered["Paid out"], covered["Invoice"]) == (400, 400, invoice.number)
    told = Message.objects.filter(recipient=finance, kind="voucher_paid_out", channel="in_app")
    assert told.count() == 1


def test_a_part_that_is_credited_gives_its_share_back() -> None:
    grant = make_grant()
    charge = make_charge(grant.enterprise, make_line("600.00"), make_line("400.00", code="operator"), final=False)
    choose(charge, grant)
    by = make_member(charge.institution, Role.FINANCE)
    finalise(charge, "600.00", "400.00")
    month = {"institution_id": charge.institution_id, "customer_id": charge.customer_id, "period": "2026-12"}
    invoice = issue_invoice(invoice=draft_invoice(**month, by=by), by=by)

    note = credit_invoice(invoice=invoice, reason="Not used", by=by, lines=[2])

    # 500.00 of 1000.00 were covered; of the 600.00 that are left it is 300.00.
    assert (note.total, note.settled) == (Decimal("-400.00"), Decimal("-200.00"))
    assert note.snapshot["voucher"]["own"] == "-200.00"
    invoice = Invoice.objects.get(pk=invoice.pk)
    assert invoice.balance == Decimal("300.00")
    rest = credit_invoice(invoice=invoice, reason="All wrong", by=by)
    assert (rest.total, rest.settled) == (Decimal("-600.00"), Decimal("-300.00"))
    grant.refresh_from_db()
    assert grant.used == 0
    assert sums_agree()
