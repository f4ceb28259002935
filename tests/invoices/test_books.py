"""The journal for the accounts: which account takes what, balanced to the cent, and that a month went out once."""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from backend.accounts.models import Role
from backend.core.errors import Invalid, Refused
from backend.core.money import add_up
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.journals import mark_exported
from invoices.actions.payments import record_payment, record_transfer, reverse_payment
from invoices.actions.prepaid import open_account, refund, top_up
from invoices.actions.settings import save_setting
from invoices.actions.surplus import apply_surplus, refund_surplus
from invoices.books.entries import Gaps, Movement, Party, Sale, divide, voucher_of
from invoices.books.mapping import Account, AccountMapping, presets, read_mapping
from invoices.models import BookKind, Invoice, JournalExport, Surplus
from invoices.queries.books import mapping_of, summary_of, vouchers_of
from tests.conftest import ApiClient
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member
from tests.invoices.ledger import Ledger, code_of
from tests.invoices.test_views import browser, html

AT = datetime(2026, 12, 1, 8, tzinfo=UTC)
FULL = {
    "receivable": {"account": "1122", "name": "应收账款"},
    "bank": {"account": "1002"},
    "tax": {"account": "2221"},
    "revenue": [
        {"when": {"code": "train*"}, "account": "6051", "cost_centre": "T"},
        {"when": {"customer": "internal"}, "account": "6001.02"},
        {"when": {"tax": "6.00"}, "account": "6001.01"},
    ],
}


def facts(code: str = "time", **more: str) -> dict[str, str]:
    return {"code": code, "name": "机时费", "subject": "SEM", "customer": "enterprise", "tax": "6", **more}


def sale(lines: list[tuple[dict[str, str], Decimal]], net: str, tax: str, **more: Any) -> Sale:
    total = Decimal(net) + Decimal(tax)
    party = Party("91350100M000100Y43", "Acme")
    return Sale(
        "invoice", AT, 1, date(2026, 12, 1), "JS-1", "2026-11", party, "CNY",
        net=Decimal(net), tax=Decimal(tax), total=total, lines=lines, **more,
    )  # fmt: skip


def postings(event: Any, mapping: AccountMapping) -> list[tuple[str, str, str]]:
    voucher = voucher_of(event, mapping, Gaps())
    assert voucher is not None
    return [(one.account.code, str(one.debit), str(one.credit)) for one in voucher.postings]


# --- pure ----------------------------------------------------------------------------------------------------------


def test_an_invoice_is_booked_by_the_first_rule_that_fits_each_line() -> None:
    lines = [(facts(), Decimal("100.00")), (facts("training"), Decimal("6.00"))]

    assert postings(sale(lines, "100.00", "6.00"), read_mapping(FULL)) == [
        ("1122", "106.00", "0.00"), ("6001.01", "0.00", "94.34"), ("6051", "0.00", "5.66"), ("2221", "0.00", "6.00"),
    ]  # fmt: skip


def test_a_credit_note_is_red_or_on_the_other_side() -> None:
    lines = [(facts(), Decimal("-106.00"))]
    note = sale(lines, "-100.00", "-6.00")

    red = postings(note, read_mapping(FULL))
    swapped = postings(note, read_mapping({**FULL, "credit_notes": "swap"}))

    assert red == [("1122", "-106.00", "0.00"), ("6001.01", "0.00", "-100.00"), ("2221", "0.00", "-6.00")]
    assert swapped == [("1122", "0.00", "106.00"), ("6001.01", "100.00", "0.00"), ("2221", "6.00", "0.00")]


def test_what_vouchers_and_prepaid_amounts_settle_is_no_receivable() -> None:
    more = {"prepaid": {"account": "2203"}, "voucher": {"account": "1221"}}
    settled = sale([(facts(), Decimal("106.00"))], "100.00", "6.00", prepaid=Decimal("50.00"), voucher=Decimal("6.00"))

    assert postings(settled, read_mapping({**FULL, **more}))[:3] == [
        ("1122", "50.00", "0.00"), ("2203", "50.00", "0.00"), ("1221", "6.00", "0.00"),
    ]  # fmt: skip


def test_every_voucher_balances_whatever_the_lines() -> None:
    chance = random.Random(1122)
    mapping = read_mapping(FULL)
    for _case in range(500):
        lines = [
            (facts(chance.choice(["time", "training", "x"])), Decimal(chance.randint(-9_999, 99_999)).scaleb(-2))
            for _line in range(chance.randint(1, 9))
        ]
        whole = add_up(amount for _facts, amount in lines)
        net = (whole / Decimal("1.06")).quantize(Decimal("0.01"))
        voucher = voucher_of(sale(lines, str(net), str(whole - net)), mapping, Gaps())

        assert voucher is None or voucher.debit == voucher.credit == whole


def test_net_is_divided_to_the_cent_also_where_the_sums_cancel() -> None:
    one, two = Account("1"), Account("2")

    assert sum(divide(Decimal("0.01"), {one: Decimal(50), two: Decimal(50)}).values()) == Decimal("0.01")
    assert divide(Decimal("0.00"), {one: Decimal("5.00"), two: Decimal("-5.00")}) == {
        one: Decimal("5.00"), two: Decimal("-5.00"),
    }  # fmt: skip


def test_what_has_no_account_is_named_and_not_booked() -> None:
    gaps = Gaps()
    mapping = read_mapping({key: value for key, value in FULL.items() if key != "tax"} | {"revenue": []})

    assert voucher_of(sale([(facts(), Decimal("106.00"))], "100.00", "6.00"), mapping, gaps) is None
    assert (gaps.roles, gaps.lines) == ({"tax"}, {("time", "机时费", "SEM"): 1})


def test_money_moves_between_the_roles() -> None:
    more = {"surplus": {"account": "2241"}, "voucher": {"account": "1221"}, "voucher_bonus": {"account": "6301"}}
    mapping = read_mapping({**FULL, **more})
    plain = ("payment", AT, 1, date(2026, 12, 1), "JS-1", "2026-11", Party("", "Acme"), "CNY")

    paid = postings(Movement(*plain, amount=Decimal("5.00")), mapping)
    used = postings(Movement(*plain, amount=Decimal("5.00"), debit="surplus"), mapping)
    payout = Movement(
        *plain, amount=Decimal("5.00"), credit="voucher", other=Decimal("1.00"), other_credit="voucher_bonus"
    )

    assert paid == [("1002", "5.00", "0.00"), ("1122", "0.00", "5.00")]
    assert used == [("2241", "5.00", "0.00"), ("1122", "0.00", "5.00")]
    assert postings(payout, mapping) == [("1002", "5.00", "0.00"), ("1221", "0.00", "4.00"), ("6301", "0.00", "1.00")]


def test_a_mapping_names_each_fault() -> None:
    wrong = {
        "receivable": {"account": "1 2"}, "tax": "2221", "word": "", "summary": "{x}", "credit_notes": "blue",
        "other": 1,
        "revenue": [{"when": {"customer": "nobody"}, "account": "1"}, {"when": {"colour": "red"}}, 5],
    }  # fmt: skip

    with pytest.raises(Invalid) as raised:
        read_mapping(wrong)

    assert sorted({one.field for one in raised.value.refusals}) == [
        "bank", "credit_notes", "other", "receivable", "revenue 1", "revenue 2", "revenue 3", "summary", "tax", "word",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "kept"), [("6.00", "6"), ("6 %", "6"), ("1*", "1*"), ("nan", "nan"), ("1e999999999", "1e999999999")]
)
def test_a_percent_is_kept_as_the_facts_write_it(written: str, kept: str) -> None:
    rule = {"when": {"tax": written}, "account": "6001"}

    assert read_mapping({**FULL, "revenue": [rule]}).revenue[0].when == {"tax": kept}


def test_the_presets_can_be_read() -> None:
    assert {name: read_mapping(content).word for name, content in presets().items()} == {
        "government": "记", "enterprise": "记",
    }  # fmt: skip


# --- a month -------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(db: None) -> Ledger:
    return Ledger()


def set_up(ledger: Ledger, content: dict[str, Any] | None = None) -> None:
    save_setting(
        institution=ledger.institution, kind=BookKind.ACCOUNTS, content=content or presets()["enterprise"],
        by=ledger.finance,
    )  # fmt: skip


@pytest.fixture
def month(ledger: Ledger, time_machine: Any) -> Ledger:
    """December: two invoices, one credited, a payment and its reversal, and another payment."""
    time_machine.move_to("2026-12-01T10:00:00+08:00")
    set_up(ledger)
    first, second = ledger.issued("100.00", "6.00"), ledger.issued("53.00")
    time_machine.move_to("2026-12-05T10:00:00+08:00")
    paid = record_payment(
        invoice=first, amount=Decimal("60.00"), date=date(2026, 12, 4), reference="T1", by=ledger.finance
    )
    wrong = record_payment(
        invoice=second, amount=Decimal("3.00"), date=date(2026, 12, 4), reference="T2", by=ledger.finance
    )
    reverse_payment(payment=wrong, reason="x", by=ledger.finance)
    credit_invoice(invoice=second, reason="x", by=ledger.finance)
    assert paid.amount
    return ledger


def vouchers(ledger: Ledger, period: str = "2026-12") -> list[Any]:
    mapping = mapping_of(ledger.institution.pk)
    assert mapping is not None
    return list(vouchers_of(ledger.institution, period, mapping, Gaps()))


def test_a_month_is_booked_in_the_order_in_which_it_was_recorded(month: Ledger) -> None:
    found = vouchers(month)

    assert [(one.number, one.event.kind, str(one.debit)) for one in found] == [
        (1, "invoice", "106.00"), (2, "invoice", "53.00"), (3, "payment", "60.00"), (4, "payment", "3.00"),
        (5, "payment", "-3.00"), (6, "credit_note", "-53.00"),
    ]  # fmt: skip
    assert all(one.debit == one.credit for one in found)
    balance = add_up(
        posting.debit - posting.credit for one in found for posting in one.postings if posting.account.code == "1122"
    )
    month.institution.refresh_from_db()
    assert balance == Decimal("46.00")  # what is open: 106.00 less 60.00
    assert vouchers(month, "2026-11") == []


def test_the_accounts_agree_with_the_ledger_whatever_moved(month: Ledger) -> None:
    """Bank, credit, prepaid amounts and receivables by the journal are those that the program shows elsewhere."""
    third, fourth = month.issued("80.00"), month.issued("30.00")
    day, by = date(2026, 12, 5), month.finance
    parties = {"institution": month.institution, "customer": month.customer}
    transfer = record_transfer(
        **parties, currency="CNY", amount=Decimal("100.00"), date=day, reference="T9", by=by, keep_rest=True,
        parts={third.pk: Decimal("80.00")},
    )  # fmt: skip
    apply_surplus(invoice=fourth, amount=Decimal("15.00"), by=by)
    surplus = Surplus.objects.get()
    refund_surplus(surplus=surplus, amount=Decimal("2.00"), date=day, reference="B1", by=by)
    reverse_payment(payment=transfer.payments.get(), reason="x", by=by, to_credit=True)
    account = open_account(**parties, by=by)
    top_up(account=account, amount=Decimal("500.00"), date=day, reference="P1", by=by)
    refund(account=account, amount=Decimal("120.00"), date=day, reference="P2", by=by)

    sums: dict[str, Decimal] = {}
    for voucher in vouchers(month):
        assert voucher.debit == voucher.credit
        for one in voucher.postings:
            sums[one.account.code] = sums.get(one.account.code, Decimal(0)) + one.debit - one.credit
    owing = Invoice.objects.filter(status="issued", kind="invoice")
    surplus.refresh_from_db()
    account.refresh_from_db()

    assert sums["1002"] == Decimal("60.00") + Decimal("100.00") - Decimal("2.00") + Decimal("380.00")
    assert -sums["2241"] == surplus.amount == Decimal("83.00")
    assert -sums["2203"] == account.balance == Decimal("380.00")
    assert sums["1122"] == add_up(invoice.balance for invoice in owing) == Decimal("141.00")
    assert sum(sums.values()) == 0


def test_what_is_recorded_later_gets_the_later_number(month: Ledger, time_machine: Any) -> None:
    before = [(one.number, one.event.number) for one in vouchers(month)]
    time_machine.move_to("2027-01-04T10:00:00+08:00")
    mark_exported(institution=month.institution, period="2026-12", by=month.finance)
    invoice = month.institution.invoices_made.get(sequence=1, kind="invoice")
    record_payment(invoice=invoice, amount=Decimal("1.00"), date=date(2026, 12, 2), reference="T3", by=month.finance)

    mapping = mapping_of(month.institution.pk)
    assert mapping is not None
    summary = summary_of(month.institution, "2026-12", mapping)

    assert [(one.number, one.event.number) for one in vouchers(month)] == [*before, (7, invoice.number)]
    assert summary.changed


def rows(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_tables_add_up_to_the_documents(month: Ledger) -> None:
    table = rows(ApiClient(month.finance).get_api("/exports/journal.csv", period="2026-12"))
    file = browser(month.finance).get("/finance/journal.xlsx?period=2026-12")
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(b"".join(file.streaming_content))).get_sheet_by_index(0)
    cells = sheet.to_python()

    debit = add_up(Decimal(row["Debit"] or 0) for row in table)
    assert debit == add_up(Decimal(row["Credit"] or 0) for row in table) == Decimal("166.00")
    assert round(sum(row[7] or 0 for row in cells[1:]), 2) == 166.0
    assert (table[0]["Account"], table[0]["Document number"]) == ("1122", cells[1][14])
    assert isinstance(cells[1][5], str)
    assert cells[1][0] == date(2026, 12, 1)


def test_a_month_is_exported_once_unless_asked_again(month: Ledger) -> None:
    mark_exported(institution=month.institution, period="2026-12", by=month.finance)

    with pytest.raises(Refused) as raised:
        mark_exported(institution=month.institution, period="2026-12", by=month.finance)
    mark_exported(institution=month.institution, period="2026-12", by=month.finance, again=True)

    assert code_of(raised) == "already_exported"
    assert JournalExport.objects.filter(period="2026-12", vouchers=6, debit=Decimal("166.00")).count() == 2


@pytest.mark.parametrize(("period", "code"), [("2026-11", "nothing_to_export"), ("2026-13", "invalid")])
def test_an_export_of_nothing_is_refused(month: Ledger, period: str, code: str) -> None:
    with pytest.raises((Refused, Invalid)) as raised:
        mark_exported(institution=month.institution, period=period, by=month.finance)

    assert code_of(raised) == code


def test_missing_accounts_are_named_before_anything_is_exported(month: Ledger) -> None:
    content = {**presets()["enterprise"], "revenue": []}
    set_up(month, content)

    answer = ApiClient(month.finance).get_api("/exports/journal.csv", period="2026-12")
    page = html(browser(month.finance).get("/finance/journal/?period=2026-12"))

    assert answer.status_code == 409
    assert {error["code"] for error in answer.json()["errors"]} == {"no_account"}
    assert "No account for" in page


def test_without_a_mapping_the_page_says_how_to_begin(ledger: Ledger) -> None:
    client = browser(ledger.finance)
    empty = html(client.get("/finance/journal/"))

    refused = ApiClient(ledger.finance).get_api("/exports/journal.csv", period="2026-12")
    client.post("/finance/accounts/", {"version": "0", "do": "government"})

    assert "No accounts are set up yet" in empty
    assert refused.json()["errors"][0]["code"] == "no_mapping"
    assert ApiClient(ledger.finance).get_api("/account-mapping").json()["content"]["bank"]["account"] == "1002"
    assert "Nothing is to be booked" in html(client.get("/finance/journal/?period=2025-01"))


def test_the_page_keeps_what_only_json_can_say(ledger: Ledger) -> None:
    api, client = ApiClient(ledger.finance), browser(ledger.finance)
    content = {**FULL, "revenue": [{"when": {"code": "a*", "source": "order"}, "account": "6001"}]}
    api.put_api("/account-mapping", {"content": content})

    page = client.get("/finance/accounts/")
    form: dict[str, Any] = {"version": "1", "word": "收", "summary": "{number}", "credit_notes": "swap"}
    for group in (page.context["roles"], page.context["revenue"]):
        form |= {f"{group.prefix}-{name}": value for name, value in group.management_form.initial.items()}
        for row in group:
            for field in row:
                value = field.value()
                form[field.html_name] = '{"source": "order"}' if isinstance(value, dict) else value or ""
    form["revenue-1-account"], form["revenue-1-tax"] = "6002", "6 %"
    answer = client.post("/finance/accounts/", form)
    saved = api.get_api("/account-mapping").json()["content"]

    assert answer.status_code == 302, answer.content
    assert saved["revenue"] == [
        {"when": {"code": "a*", "source": "order"}, "account": "6001"},
        {"when": {"tax": "6 %"}, "account": "6002"},
    ]
    assert (saved["word"], saved["credit_notes"], saved["receivable"]) == ("收", "swap", FULL["receivable"])


def test_the_accounts_are_for_the_finance_of_the_institution(ledger: Ledger) -> None:
    buyer, stranger = make_member(make_enterprise(), Role.ADMIN), make_member(make_institution(), Role.FINANCE)
    pk = ledger.institution.pk

    assert browser(buyer).get("/finance/accounts/").status_code == 403
    assert ApiClient(buyer).get_api("/account-mapping").status_code == 403
    assert ApiClient(stranger).get_api("/account-mapping", institution=pk).status_code == 404
    assert ApiClient(stranger).post_api("/journals", {"institution": pk, "period": "2026-12"}).status_code == 404


def test_facts_of_a_line_are_those_of_its_charge(ledger: Ledger) -> None:
    own = make_member(ledger.institution)
    make_charge(ledger.institution, make_line("10.00"), institution=ledger.institution, user=own)
    draft = draft_invoice(
        institution_id=ledger.institution.pk, customer_id=ledger.institution.pk, period="2026-12", by=ledger.finance
    )
    issue_invoice(invoice=draft, by=ledger.finance)
    set_up(ledger, {**FULL, "revenue": [{"when": {"customer": "internal", "source": "booking"}, "account": "7"}]})

    issued = draft.institution.invoices_made.get()
    assert issued.issued_at is not None
    (voucher,) = vouchers(ledger, issued.issued_at.strftime("%Y-%m"))
    assert "7" in [posting.account.code for posting in voucher.postings]
