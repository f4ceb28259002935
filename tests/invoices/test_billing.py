"""How an institution bills: logo, missing tax data, the words of a draft; and what stays once it is issued."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from PIL import Image
from pypdf import PdfReader

from backend.accounts.models import Organisation, Role
from backend.core.errors import Invalid, Refused
from backend.outbox.actions import deliver_due
from backend.outbox.models import Message
from invoices.actions.billing import (
    LARGEST_LOGO,
    WORDING,
    ask_for_tax_data,
    choose_billing,
    remove_logo,
    set_logo,
    word_draft,
)
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import issue_invoice
from invoices.models import Charge, Invoice, InvoicePdf, Logo, TaxRate
from invoices.queries.papers import document_of
from tests.factories import SIMPLE_PRICES, make_instrument, make_member, make_price_list
from tests.invoices.ledger import Ledger, code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def picture(colour: str = "navy", size: tuple[int, int] = (40, 20), kind: str = "PNG") -> SimpleUploadedFile:
    written = io.BytesIO()
    Image.new("RGB", size, colour).save(written, kind)
    return SimpleUploadedFile("logo", written.getvalue())


def pictures_of(document: InvoicePdf) -> list[tuple[int, int]]:
    return [image.image.size for image in PdfReader(io.BytesIO(bytes(document.content))).pages[0].images]  # type: ignore[union-attr]


def text_of(document: InvoicePdf) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(bytes(document.content))).pages)


# --- what was issued stays ------------------------------------------------------------------------


def test_nothing_later_changes_what_was_issued(ledger: Ledger) -> None:
    set_logo(institution=ledger.institution, file=picture(), by=ledger.finance)
    invoice = ledger.issued("106.00")
    snapshot, digest = dict(invoice.snapshot), invoice.snapshot_sha256
    instrument = make_instrument(ledger.institution)
    make_price_list(instrument)
    # Not made yet: it comes from the frozen content alone, whenever that is.
    for party in (ledger.institution, ledger.customer):
        Organisation.objects.filter(pk=party.pk).update(name="Renamed", address="Moved", bank_account="999", uscc=None)
    TaxRate.objects.update(percent=Decimal(13), name="Other")
    make_price_list(instrument, {**SIMPLE_PRICES, "name": "Other", "currency": "USD"})
    set_logo(institution=ledger.institution, file=picture("red", (60, 60)), by=ledger.finance)
    remove_logo(institution=ledger.institution, by=ledger.finance)

    made = ensure_pdf(invoice=Invoice.objects.get(pk=invoice.pk))

    now = Invoice.objects.get(pk=invoice.pk)
    assert (now.snapshot, now.snapshot_sha256) == (snapshot, digest)
    assert (now.net, now.tax, now.total) == (Decimal("100.00"), Decimal("6.00"), Decimal("106.00"))
    words = text_of(made)
    assert ledger.customer.name in words
    assert "Renamed" not in words
    assert "6 %" in words
    assert pictures_of(made) == [(40, 20)]


def test_the_same_content_gives_the_same_bytes(ledger: Ledger) -> None:
    """Before and after everything around it has changed."""
    set_logo(institution=ledger.institution, file=picture(), by=ledger.finance)
    invoice = ledger.issued()
    with transaction.atomic():
        first = bytes(ensure_pdf(invoice=invoice).content)
        transaction.set_rollback(True)
    assert not InvoicePdf.objects.exists()
    Organisation.objects.update(name="Renamed", phone="1")
    set_logo(institution=ledger.institution, file=picture("red"), by=ledger.finance)

    assert bytes(ensure_pdf(invoice=Invoice.objects.get(pk=invoice.pk)).content) == first


def test_the_logo_of_an_issued_document_cannot_be_deleted(ledger: Ledger) -> None:
    logo = set_logo(institution=ledger.institution, file=picture(), by=ledger.finance)

    for attempt in (
        lambda: Logo.objects.filter(pk=logo.pk).update(content=b"x"),
        lambda: Logo.objects.filter(pk=logo.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
            attempt()


# --- the logo -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_logo_is_made_anew_and_made_smaller(ledger: Ledger, kind: str) -> None:
    logo = set_logo(institution=ledger.institution, file=picture(size=(3000, 1000), kind=kind), by=ledger.finance)

    made = Image.open(io.BytesIO(bytes(logo.content)))
    assert (made.format, made.size) == ("PNG", (900, 300))


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (SimpleUploadedFile("x", b"<svg onload=alert(1)>"), "not_a_picture"),
        (SimpleUploadedFile("x", b"0" * (LARGEST_LOGO + 1)), "too_large"),
        (picture(size=(4001, 4000)), "too_large"),
    ],
)
def test_what_is_no_logo_is_refused(ledger: Ledger, file: SimpleUploadedFile, code: str) -> None:
    with pytest.raises(Invalid) as raised:
        set_logo(institution=ledger.institution, file=file, by=ledger.finance)

    assert code_of(raised) == code


def test_the_same_logo_is_kept_once(ledger: Ledger) -> None:
    for colour in ("navy", "red", "navy"):
        set_logo(institution=ledger.institution, file=picture(colour), by=ledger.finance)

    assert Logo.objects.count() == 2


# --- missing tax data -----------------------------------------------------------------------------


def test_missing_tax_data_blocks_only_where_it_is_wanted(ledger: Ledger) -> None:
    ledger.charge()
    choose_billing(organisation=ledger.institution, by=ledger.finance, missing_data="block")
    with pytest.raises(Refused) as refused:
        ledger.issue()
    assert code_of(refused) == "tax_data_missing"
    assert "customer.address" in refused.value.refusals[0].params["fields"]
    assert Charge.objects.get().state == "final"

    choose_billing(organisation=ledger.institution, by=ledger.finance, missing_data="warn")

    assert ledger.issue().number == "JS-kx-2026-000001"


def test_a_customer_is_asked_for_what_is_missing_once_a_day(ledger: Ledger) -> None:
    ledger.charge()
    with pytest.raises(Refused) as refused:
        ask_for_tax_data(institution=ledger.institution, customer=ledger.customer, by=ledger.finance)
    assert code_of(refused) == "nobody_to_ask"
    admin = make_member(ledger.customer, Role.ADMIN)
    make_member(ledger.customer)

    for _ in range(2):
        ask_for_tax_data(institution=ledger.institution, customer=ledger.customer, by=ledger.finance)

    [told] = Message.objects.filter(kind="tax_data_missing", channel="in_app")
    assert told.recipient == admin
    assert "Address" in told.context["missing"]
    full = {"address": "x", "phone": "1", "bank": "x", "bank_account": "1"}
    Organisation.objects.filter(pk=ledger.customer.pk).update(**full)
    ledger.customer.refresh_from_db()
    with pytest.raises(Refused) as refused:
        ask_for_tax_data(institution=ledger.institution, customer=ledger.customer, by=ledger.finance)
    assert code_of(refused) == "nothing_missing"


# --- words ----------------------------------------------------------------------------------------


def test_words_stand_on_the_document_and_are_frozen(ledger: Ledger) -> None:
    ledger.charge()
    draft = ledger.draft()
    word_draft(invoice=draft, wording={"remark": " First  ", "contact": "Ms Wang 0591"}, by=ledger.finance)
    word_draft(invoice=draft, wording={"period": "1–15 December", "remark": "Thank you"}, by=ledger.finance)
    draft.refresh_from_db()
    assert document_of(draft)["wording"] == {
        "period": "1–15 December",
        "remark": "Thank you",
        "contact": "Ms Wang 0591",
    }

    invoice = issue_invoice(invoice=draft, by=ledger.finance)

    words = text_of(ensure_pdf(invoice=invoice))
    assert all(text in words for text in ("1–15 December", "Thank you", "Ms Wang 0591"))
    with pytest.raises(Refused) as refused:
        word_draft(invoice=invoice, wording={"remark": "Other"}, by=ledger.finance)
    assert code_of(refused) == "already_issued"
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(wording={})


@pytest.mark.parametrize("name", [*WORDING, "total", "lines"])
def test_only_words_can_be_written_and_only_so_many(ledger: Ledger, name: str) -> None:
    ledger.charge()
    draft = ledger.draft()
    length = WORDING.get(name, 0)

    for text in ("x" * (length + 1), "a\u202eb", "a\0b"):
        with pytest.raises(Invalid):
            word_draft(invoice=draft, wording={name: text}, by=ledger.finance)
    if length:
        assert word_draft(invoice=draft, wording={name: "x" * length}, by=ledger.finance).wording == {
            name: "x" * length
        }


# --- mail -----------------------------------------------------------------------------------------


def test_the_document_goes_with_the_mail_where_the_customer_wants_it(ledger: Ledger) -> None:
    admin = make_member(ledger.customer, Role.ADMIN)
    first = ledger.issued()
    choose_billing(organisation=ledger.customer, by=admin, attach_pdf=True)
    # What the customer wants when the mail leaves is what counts.
    second = ledger.issued()
    deliver_due()

    by_subject = {message.subject: message for message in mail.outbox}
    attached = [[item[0] for item in message.attachments] for message in mail.outbox]
    assert len(by_subject) == 2
    assert attached == [[f"{first.number}.pdf"], [f"{second.number}.pdf"]]
    _name, content, kind = mail.outbox[1].attachments[0]
    assert content == bytes(ensure_pdf(invoice=second).content)
    assert kind == "application/pdf"

    choose_billing(organisation=ledger.customer, by=admin, attach_pdf=False)
    ledger.issued()
    deliver_due()
    assert mail.outbox[2].attachments == []


def test_settings_are_chosen_one_by_one(ledger: Ledger) -> None:
    choose_billing(organisation=ledger.institution, by=ledger.finance, missing_data="block")
    chosen = choose_billing(organisation=ledger.institution, by=ledger.finance, attach_pdf=True)

    assert (chosen.missing_data, chosen.attach_pdf) == ("block", True)
    with pytest.raises(ValueError, match="maybe"):
        choose_billing(organisation=ledger.institution, by=ledger.finance, missing_data="maybe")
