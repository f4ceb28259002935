"""Reminders by rule, the payment notice, terms, and the public check of a document."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pypdf import PdfReader

from backend.accounts.models import Role
from backend.core import pdf
from backend.core.errors import Invalid, NotFound, Refused
from backend.outbox.models import Message
from backend.outbox.queries.words import render
from invoices.actions.credits import credit_invoice
from invoices.actions.payments import record_payment
from invoices.actions.reminders import hold_reminders, remind_all, remind_of
from invoices.actions.terms import save_terms
from invoices.exports.notice import notice_html, notice_response
from invoices.models import Invoice, MoneyTerms, Reminder
from invoices.queries.terms import terms_of
from invoices.queries.verification import confirm
from invoices.verification import code_of, uid_in
from tests.factories import make_member
from tests.invoices.ledger import Ledger
from tests.parallel import at_once

LEVELS = [{"days": 3, "text": "Please pay."}, {"days": 20, "text": ""}]


def overdue() -> tuple[Ledger, Invoice]:
    """Issued on 1 March 2026, due on the 31st."""
    ledger = Ledger()
    make_member(ledger.customer, Role.FINANCE)
    with time_machine.travel(datetime(2026, 3, 1, 2, tzinfo=UTC), tick=False):
        invoice = ledger.issued("100.00", "6.00")
    save_terms(institution=ledger.institution, dispute_days=7, reminders=LEVELS, by=ledger.finance)
    return ledger, invoice


def run(days_late: int, hour: int = 2) -> int:
    return remind_all(now=datetime(2026, 3, 31, hour, tzinfo=UTC) + timedelta(days=days_late))


@pytest.mark.django_db
def test_each_level_is_sent_once_on_its_day_of_the_institutions_calendar() -> None:
    overdue()

    assert [run(2), run(2, hour=16), run(3), run(19), run(20), run(300)] == [0, 1, 0, 0, 1, 0]

    assert [(one.level, one.day.isoformat(), one.balance) for one in Reminder.objects.all()] == [
        (1, "2026-04-03", Decimal("106.00")),
        (2, "2026-04-20", Decimal("106.00")),
    ]
    subject, body = render(Message.objects.filter(kind="invoice_reminder", channel="mail").earliest("pk"))
    assert subject.startswith("Reminder 1: invoice JS-kx-2026-000001 is overdue")
    assert "Please pay." in body


@pytest.mark.django_db
def test_a_missed_day_is_caught_up_by_the_highest_level_alone() -> None:
    overdue()

    assert [run(50), run(51)] == [1, 0]
    assert Reminder.objects.get().level == 2


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["paid", "credited", "held"])
def test_nobody_is_reminded_of_what_is_settled_or_held(how: str) -> None:
    ledger, invoice = overdue()
    if how == "paid":
        day = datetime(2026, 3, 5, tzinfo=UTC).date()
        record_payment(invoice=invoice, amount=Decimal("106.00"), date=day, reference="R", by=ledger.finance)
    elif how == "credited":
        credit_invoice(invoice=invoice, reason="x", by=ledger.finance)
    else:
        hold_reminders(invoice=invoice, reason="We are talking", by=ledger.finance)

    assert run(30) == 0
    assert remind_of(invoice.pk, terms=terms_of(ledger.institution.pk), today=datetime(2026, 5, 1).date()) is None
    if how == "held":
        hold_reminders(invoice=invoice, reason="", by=ledger.finance)
        assert run(30) == 1
    else:
        with pytest.raises(Refused):
            notice_response(Invoice.objects.get(pk=invoice.pk), datetime(2026, 5, 1).date())


@pytest.mark.django_db
def test_terms_that_cannot_be() -> None:
    ledger = Ledger()
    save = partial(save_terms, institution=ledger.institution, by=ledger.finance)
    day = {"text": ""}

    for days, reminders in (
        (-1, []),
        (366, []),
        (7, [{"days": 5, **day}, {"days": 5, **day}]),
        (7, [{"days": 9, **day}, {"days": 5, **day}]),
        (7, [{"days": -31, **day}]),
        (7, [{"days": 1, "text": "x" * 501}]),
        (7, [{"days": number, **day} for number in range(6)]),
    ):
        with pytest.raises(Invalid):
            save(dispute_days=days, reminders=reminders)
    assert not MoneyTerms.objects.exists()
    assert terms_of(ledger.institution.pk).dispute_days == 7


@pytest.mark.parallel
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("committed")
def test_several_workers_remind_once() -> None:
    ledger, invoice = overdue()
    call = partial(remind_of, invoice.pk, terms=terms_of(ledger.institution.pk), today=datetime(2026, 4, 10).date())

    outcome = at_once([call] * 6)

    assert (outcome.errors, len([one for one in outcome.results if one])) == ([], 1)
    assert Message.objects.filter(kind="invoice_reminder", channel="mail").count() == 1


@pytest.mark.django_db
def test_the_notice_says_what_is_left_and_escapes_what_people_wrote() -> None:
    ledger, invoice = overdue()
    credit_invoice(invoice=invoice, reason="x", by=ledger.finance, lines=[2])
    invoice.refresh_from_db()
    invoice.snapshot["customer"]["name"] = '<img src="file:///etc/passwd">' + "很" * 300

    html = notice_html(invoice, datetime(2026, 4, 10).date())
    pages = PdfReader(io.BytesIO(pdf.render(html))).pages
    text = "".join(pages[0].extract_text().split())

    assert '<img src="file' not in html
    assert len(pages) == 1
    for expected in ("缴费通知单", invoice.number, "已逾期10天", "CNY100.00", "-6.00", "人民币壹佰元整"):
        assert str(expected) in text


# --- the check of a document -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_code_confirms_number_date_total_and_digest() -> None:
    _ledger, invoice = overdue()

    found = confirm(code_of(invoice))
    page = Client().get(f"/verify/{code_of(invoice)}/", headers={"Accept-Language": "en"})

    assert (found.number, found.issued.isoformat(), found.total) == (invoice.number, "2026-03-01", Decimal("106.00"))
    text = page.content.decode()
    for shown in (invoice.number, "2026-03-01", "¥106.00", invoice.snapshot_sha256):
        assert str(shown) in text
    for hidden in (invoice.customer.name, invoice.institution.name, "机时费"):
        assert hidden not in text.replace("data-", "")


@pytest.mark.django_db
def test_unknown_and_tampered_codes_are_alike() -> None:
    ledger, invoice = overdue()
    code = code_of(invoice)
    ledger.charge()
    draft = ledger.draft()
    wrong = [
        "0" * 48,
        code[:-1] + ("0" if code[-1] != "0" else "1"),
        code[:31] + ("0" if code[31] != "0" else "1") + code[32:],
        code[:-1],
        code.upper() + "x",
        f"{draft.uid.hex}{'0' * 16}",
    ]

    for one in wrong:
        with pytest.raises(NotFound):
            confirm(one)
    answers = {Client().get(f"/verify/{one}/").status_code for one in wrong}
    assert answers == {404}
    assert uid_in("g" * 48) is None


@pytest.mark.django_db
def test_trying_codes_is_throttled() -> None:
    cache.clear()
    client = Client()

    answers = [client.get(f"/verify/{'0' * 48}/").status_code for _ in range(61)]

    assert (answers[0], answers[-1]) == (404, 429)
    cache.clear()
