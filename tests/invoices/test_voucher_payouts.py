"""The published schemes worked to the cent, what the network pays out, and the evidence for it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction

from backend.accounts.models import Organisation, Role, User
from backend.core.errors import Invalid, Refused
from invoices.actions import documents
from invoices.actions.credits import credit_invoice
from invoices.actions.invoice_files import add_invoice_files, remove_invoice_file
from invoices.actions.invoices import draft_invoice, issue_invoice, write_fapiao_number
from invoices.actions.payments import record_payment
from invoices.actions.voucher_payouts import drop_payout, mark_paid, prepare_payout
from invoices.exports.evidence import write_pack
from invoices.models import Invoice, InvoiceFile, InvoicePdf, VoucherPayout, VoucherUse
from invoices.queries.payouts import pack_of_payout, pack_of_use, to_pay_out
from invoices.queries.vouchers import redeemed_by_month
from tests.factories import at, make_enterprise, make_institution, make_member
from tests.invoices.vouchers import choose, finalise, make_grant, make_scheme, quote

pytestmark = pytest.mark.django_db

# Shandong: 40 % for one kind of enterprise, 60 % for another, up to 500,000 a year.
SHANDONG = [
    {"types": ["micro", "tech"], "modes": [], "percent": "60", "host_percent": "0"},
    {"types": [], "modes": [], "percent": "40", "host_percent": "0"},
]
# Hefei: 20 % for the user and another 20 % for the host.
HEFEI = [{"types": [], "modes": [], "percent": "20", "host_percent": "20"}]


@pytest.fixture(autouse=True)
def _now(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path
    with time_machine.travel(at(9, day=date(2026, 12, 20)), tick=False):
        yield


@pytest.fixture
def network() -> User:
    organisation = Organisation.objects.filter(kind="network").first() or make_institution(kind="network")
    return make_member(organisation, Role.OPERATOR)


def invoiced(*uses: VoucherUse) -> Invoice:
    """All final charges of the customer of the first."""
    for use in uses:
        finalise(use.charge, str(use.charge.total))
    charge = uses[0].charge
    by = make_member(charge.institution, Role.FINANCE)
    month = {"institution_id": charge.institution_id, "customer_id": charge.customer_id, "period": "2026-12"}
    return issue_invoice(invoice=draft_invoice(**month, by=by), by=by)


def test_shandong_by_kind_of_enterprise_and_up_to_the_cap_of_the_year() -> None:
    scheme = make_scheme(shares=SHANDONG, cap=Decimal("500000.00"))
    small = make_grant(scheme, make_enterprise(), "900000.00", enterprise_type="tech")
    large = make_grant(scheme, make_enterprise(), "500000.00", enterprise_type="high_tech")

    # 60 % of 12,345.67 = 7,407.402; 40 % of it = 4,938.268.
    assert choose(quote(small, "12345.67"), small).amount == Decimal("7407.40")
    assert choose(quote(large, "12345.67"), large).amount == Decimal("4938.27")
    # 60 % of 900,000.00 would be 540,000.00; 500,000.00 − 7,407.40 are left of the year.
    last = choose(quote(small, "900000.00"), small)
    assert (last.amount, last.limits[-1]) == (Decimal("492592.60"), "cap")


def test_hefei_pays_the_host_another_share(network: User) -> None:
    grant = make_grant(make_scheme(shares=HEFEI))
    use = choose(quote(grant, "1234.56"), grant)

    invoice = invoiced(use)

    # 20 % of 1,234.56 = 246.912, for the enterprise and once more for the institution.
    use.refresh_from_db()
    assert (use.amount, use.bonus, invoice.balance) == (Decimal("246.91"), Decimal("246.91"), Decimal("987.65"))
    payout = prepare_payout(institution=invoice.institution, scheme=grant.scheme, by=network)
    assert payout.total == Decimal("493.82")
    # The enterprise's cap and voucher hold only its own share.
    grant.refresh_from_db()
    assert grant.used == Decimal("246.91")


def test_a_batch_pays_each_use_once(network: User) -> None:
    grant = make_grant()
    institution = make_institution()
    first, second = (choose(quote(grant, one, institution=institution), grant) for one in ("100.00", "300.00"))
    invoiced(first, second)

    [due] = to_pay_out()
    assert (due.uses, due.due, due.payout_id) == (2, Decimal("200.00"), None)
    payout = prepare_payout(institution=institution, scheme=grant.scheme, by=network)
    with pytest.raises(Refused):
        prepare_payout(institution=institution, scheme=grant.scheme, by=network)
    paid = mark_paid(payout=payout, paid_on=date(2026, 12, 20), reference="Bank 7", by=network)

    assert (paid.state, paid.total, to_pay_out()) == ("paid", Decimal("200.00"), [])
    assert {use.paid_out for use in VoucherUse.objects.all()} == {Decimal("50.00"), Decimal("150.00")}
    [month] = redeemed_by_month(VoucherUse.objects.all())
    assert (month.month, month.amount, month.due) == (date(2026, 12, 1), Decimal("200.00"), 0)
    for again in (mark_paid, drop_payout):
        more = {"paid_on": date(2026, 12, 20), "reference": "Twice"} if again is mark_paid else {}
        with pytest.raises(Refused):
            again(payout=payout, by=network, **more)  # type: ignore[operator]
    with pytest.raises(DatabaseError), transaction.atomic():
        VoucherPayout.objects.filter(pk=payout.pk).update(total=1)


def test_what_is_credited_after_it_was_paid_out_is_taken_off_the_next_batch(network: User) -> None:
    grant = make_grant()
    institution = make_institution()
    wrong = choose(quote(grant, "100.00", institution=institution), grant)
    invoice = invoiced(wrong)
    payout = prepare_payout(institution=institution, scheme=grant.scheme, by=network)
    mark_paid(payout=payout, paid_on=date(2026, 12, 20), reference="Bank 7", by=network)
    credit_invoice(invoice=invoice, reason="Wrong customer", by=make_member(institution, Role.FINANCE))

    with pytest.raises(Refused) as refused:  # less than nothing is due
        prepare_payout(institution=institution, scheme=grant.scheme, by=network)
    assert refused.value.refusals[0].code == "below_zero"
    invoiced(choose(quote(grant, "300.00", institution=institution), grant))
    after = prepare_payout(institution=institution, scheme=grant.scheme, by=network)

    assert after.total == Decimal("100.00")
    assert sorted(after.lines.values_list("amount", flat=True)) == [Decimal("-50.00"), Decimal("150.00")]


def test_a_batch_that_was_given_up_is_due_again(network: User) -> None:
    grant = make_grant()
    use = choose(quote(grant, "100.00"), grant)
    institution = invoiced(use).institution
    payout = prepare_payout(institution=institution, scheme=grant.scheme, by=network)

    drop_payout(payout=payout, by=network)

    [due] = to_pay_out()
    assert (due.due, due.payout_id, VoucherPayout.objects.count()) == (Decimal("50.00"), None, 0)


# --- evidence --------------------------------------------------------------------------------------------------------

ALL = ["statement", "lines", "contract", "payment", "fapiao"]


def paper(name: str = "fapiao.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"%PDF-1.7 " + name.encode())


def test_the_pack_says_what_is_missing_and_holds_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    grant = make_grant(make_scheme(evidence=ALL))
    use = choose(quote(grant, "1000.00"), grant)
    invoice = invoiced(use)
    by = make_member(invoice.institution, Role.FINANCE)
    use = VoucherUse.objects.select_related("grant__scheme", "charge__invoice").get(pk=use.pk)
    assert [word for _number, word in pack_of_use(use).missing] == [
        "The PDF of the invoice has not been made yet.",
        "The contract has not been uploaded.",
        "The customer has not paid their part in full.",
        "The proof of payment has not been uploaded.",
        "The number of the fapiao has not been noted.",
        "The fapiao has not been uploaded.",
    ]

    monkeypatch.setattr(documents.pdf, "render", lambda *args, **more: b"%PDF statement")
    documents.ensure_pdf(invoice=invoice)
    for kind in ("contract", "payment", "fapiao"):
        add_invoice_files(invoice=invoice, kind=kind, files=[paper("same name.pdf")], by=by)
    record_payment(invoice=invoice, amount=invoice.balance, date=date(2026, 12, 20), reference="B 1", by=by)
    write_fapiao_number(invoice=invoice, number="1" * 20, by=by)
    pack = pack_of_use(use)
    assert pack.missing == []
    with write_pack(pack) as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))

    folder = str(invoice.number)
    papers = {f"{folder}/{kind}/same name.pdf" for kind in ("contract", "payment", "fapiao")}
    made = {f"{folder}/{folder}.pdf", f"{folder}/lines.csv", f"{folder}/lines.xlsx"}
    assert set(archive.namelist()) == {*papers, *made, "manifest.json", "SHA256SUMS"}
    manifest = json.loads(archive.read("manifest.json"))
    for file in manifest["files"]:
        assert hashlib.sha256(archive.read(file["name"])).hexdigest() == file["sha256"]
    sums = dict(line.split("  ")[::-1] for line in archive.read("SHA256SUMS").decode().splitlines())
    assert set(sums) == set(archive.namelist()) - {"SHA256SUMS"}
    [described] = manifest["invoices"]
    assert (described["total"], described["vouchers"][0]["covered"]) == ("1000.00", "500.00")
    assert described["payments"][0]["amount"] == "500.00"


def test_a_batch_gathers_the_evidence_of_all_its_invoices(network: User) -> None:
    scheme, institution = make_scheme(evidence=["fapiao"]), make_institution()
    grants = [make_grant(scheme) for _ in range(2)]
    numbers = [str(invoiced(choose(quote(grant, "100.00", institution=institution), grant)).number) for grant in grants]

    payout = prepare_payout(institution=institution, scheme=scheme, by=network)
    pack = pack_of_payout(payout)

    assert [str(papers.invoice.number) for papers in pack.papers] == sorted(numbers)
    assert [number for number, _word in pack.missing] == [numbers[0], numbers[0], numbers[1], numbers[1]]


def test_papers_are_checked_by_their_content_and_stay_with_the_record() -> None:
    grant = make_grant()
    invoice = invoiced(choose(quote(grant, "100.00"), grant))
    by = make_member(invoice.institution, Role.FINANCE)

    for kind, file in (("letter", paper()), ("fapiao", SimpleUploadedFile("a.exe", b"MZ\x00\x01" * 40))):
        with pytest.raises(Invalid):
            add_invoice_files(invoice=invoice, kind=kind, files=[file], by=by)
    [kept] = add_invoice_files(invoice=invoice, kind="fapiao", files=[paper()], by=by)
    remove_invoice_file(file=kept, by=by)

    with pytest.raises(Refused):
        remove_invoice_file(file=kept, by=by)
    with pytest.raises(DatabaseError), transaction.atomic():
        InvoiceFile.objects.filter(pk=kept.pk).update(sha256="0" * 64)
    assert InvoicePdf.objects.count() == 0
