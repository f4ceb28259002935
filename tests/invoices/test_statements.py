"""Bank statements: columns guessed, rows read once, suggestions with reasons, what is refused."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from decimal import Decimal

import pytest
from django.utils import timezone
from openpyxl import Workbook

from backend.core.errors import Invalid, Refused
from invoices import matching
from invoices.actions.statements import ignore_row, match_row, match_sure, read_statement, reopen_row
from invoices.matching import Entry, NoColumns, Owed
from invoices.models import BankRow, BankStatement, Invoice, MoneyTerms, Payment, RowState, Surplus
from invoices.queries.statements import matches
from tests.invoices.ledger import Ledger, code_of

HEAD = ["交易日期", "借方发生额", "贷方发生额", "对方户名", "对方账号", "交易流水号", "附言"]


def table(*rows: list[str], head: list[str] = HEAD) -> bytes:
    return "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in (head, *rows)).encode("gb18030")


def read(*rows: list[str], head: list[str] = HEAD, chosen: dict[str, str] | None = None) -> matching.Read:
    return matching.read_entries(list(enumerate([head, *rows], 1)), chosen or {})


def owed(pk: int, balance: str, customer: int = 1, **more: object) -> Owed:
    fields = {"names": (f"示例{customer}科技有限公司", ""), "account": f"6222{customer:08d}", "age": 0, **more}
    return Owed(pk, f"JS-kx-2026-{pk:06d}", Decimal(balance), customer, **fields)  # type: ignore[arg-type]


def entry(amount: str, payer: str = "", text: str = "", account: str = "") -> Entry:
    return Entry(2, date(2026, 3, 5), Decimal(amount), payer, account, "", text)


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        (HEAD, {"date": 0, "amount": 2, "payer": 3, "account": 4, "reference": 5, "text": 6}),
        (
            ["入账时间", "收入金额(元)", "支出金额(元)", "对方名称", "摘要"],
            {"date": 0, "amount": 1, "payer": 3, "text": 4},
        ),
        (["Booking date", "Amount", "Payer", "Purpose"], {"date": 0, "amount": 1, "payer": 2, "text": 3}),
        (["交易日期", "借贷标志", "交易金额", "对方户名"], {"date": 0, "direction": 1, "amount": 2, "payer": 3}),
    ],
)
def test_columns_are_guessed_from_usual_headings(head: list[str], columns: dict[str, int]) -> None:
    assert matching.guess_columns(head, {}) == columns


def test_a_chosen_heading_goes_before_the_guess() -> None:
    found = matching.guess_columns(["日期", "金额", "到账", "付款单位"], {"amount": "到账"})

    assert (found["amount"], found["payer"]) == (2, 3)


def test_rows_that_went_out_and_sums_are_left_out_and_bad_ones_named() -> None:
    found = read(
        ["2026-03-05", "", "1,234.50", "甲", "'622", "A1", "JS"],
        ["2026年3月6日 10:11:12", "", "￥２０.００", "乙", "", "", ""],
        ["20260307", "50.00", "", "丙", "", "", ""],
        ["合计", "", "1254.50", "", "", "", ""],
        ["2026-02-30", "", "1.00", "丁", "", "", ""],
        ["2026-03-08", "", "1.005", "戊", "", "", ""],
        ["2026-03-08", "", "-3.00", "己", "", "", ""],
    )

    assert [(one.date.day, one.amount, one.payer, one.account) for one in found.entries] == [
        (5, Decimal("1234.50"), "甲", "622"),
        (6, Decimal("20.00"), "乙", ""),
    ]
    assert (found.outgoing, [line for line, _why in found.faults]) == (3, [6, 7])
    assert "2026-02-30" in found.faults[0][1]


def test_the_direction_tells_what_went_out() -> None:
    head = ["交易日期", "借贷标志", "交易金额", "对方户名"]

    found = read(["2026-03-05", "贷", "10.00", "甲"], ["2026-03-05", "借", "11.00", "乙"], head=head)

    assert [one.payer for one in found.entries] == ["甲"]


def test_lines_before_the_heading_are_skipped_and_no_heading_is_told() -> None:
    lines = [
        (1, ["账号：0602"]),
        (2, ["起始日期", "2026-03-01"]),
        (3, HEAD),
        (4, ["2026-03-05", "", "1.00", "甲", "", "", ""]),
    ]

    assert len(matching.read_entries(lines, {}).entries) == 1
    with pytest.raises(NoColumns) as raised:
        matching.read_entries([(1, ["a", "b"]), (2, ["c", "d", "e"])], {})
    assert raised.value.headings == ["c", "d", "e"]


def test_two_equal_rows_of_a_day_are_two_and_the_same_file_is_the_same() -> None:
    same = [entry("1.00", "甲"), entry("1.00", "甲"), entry("1.00", "乙")]

    assert len(set(matching.fingerprints(same))) == 3
    assert matching.fingerprints(same[:1]) == matching.fingerprints(same)[:1]


# --- suggestions -----------------------------------------------------------------------------------------------------


def best(found: Entry, *open_: Owed, known: dict[str, int] | None = None) -> tuple[int, list[int], bool]:
    made = matching.suggest(found, open_, known or {}, "CNY")
    return (made[0].score, [pk for pk, _part in made[0].parts], matching.is_sure(made)) if made else (0, [], False)


def test_number_and_amount_are_sure() -> None:
    found = best(entry("106.00", "别人", "货款js kx 2026 000007"), owed(7, "106.00"), owed(8, "106.00", 2))

    assert found == (80, [7], True)


def test_a_longer_number_is_not_the_shorter_one() -> None:
    longer = entry("1.00", "", "JS-kx-2026-0000071")

    assert matching.suggest(longer, [owed(7, "106.00")], {}, "CNY") == []


def test_the_amount_alone_is_not_sure_nor_are_two_that_fit_alike() -> None:
    assert best(entry("106.00"), owed(7, "106.00")) == (30, [7], False)
    alike = best(entry("106.00", "示例1科技有限公司"), owed(7, "106.00"), owed(9, "106.00"))
    assert (alike[0], alike[2]) == (60, False)


def test_a_payer_that_paid_before_or_from_the_account_counts_like_the_name() -> None:
    by_account = best(entry("5.00", "张三", account="6222 0000 0001"), owed(7, "106.00"))
    known = best(entry("106.00", "代付中心"), owed(7, "106.00"), known={"代付中心": 1})

    assert (by_account[0], known[0]) == (30, 60)


def test_one_transfer_for_the_oldest_invoices_is_split() -> None:
    rows = [owed(7, "100.00", age=40), owed(8, "6.00", age=10), owed(9, "5.00", age=1)]

    [first, *_rest] = matching.suggest(entry("106.00", "示例1科技有限公司"), rows, {}, "CNY")

    assert first.parts == ((7, Decimal("100.00")), (8, Decimal("6.00")))
    assert (first.score, first.rest) == (60, 0)


def test_too_much_leaves_a_rest_and_is_never_sure() -> None:
    [first, *_rest] = matching.suggest(entry("110.00", "", "JS-kx-2026-000007"), [owed(7, "106.00")], {}, "CNY")

    assert (first.parts, first.rest) == (((7, Decimal("106.00")),), Decimal("4.00"))
    assert not matching.is_sure([first])


# --- with the ledger -------------------------------------------------------------------------------------------------


def row(invoice: Invoice | None, amount: str, reference: str = "A1", payer: str = "甲") -> list[str]:
    return [timezone.localdate().isoformat(), "", amount, payer, "", reference, str(invoice.number) if invoice else ""]


def upload(ledger: Ledger, content: bytes, **more: object) -> BankStatement:
    call = {"institution": ledger.institution, "name": "流水.csv", "content": content, "by": ledger.finance, **more}
    return read_statement(**call)  # type: ignore[arg-type]


@pytest.mark.django_db
def test_read_again_nothing_is_recorded_twice() -> None:
    ledger = Ledger()
    content = table(row(None, "10.00"), row(None, "20.00", "A2"))

    first, again = upload(ledger, content), upload(ledger, table(row(None, "10.00"), row(None, "30.00", "A3")))

    assert [(one.new_rows, one.known_rows) for one in (first, again)] == [(2, 0), (1, 1)]
    assert BankRow.objects.count() == 3


@pytest.mark.django_db
def test_sure_rows_are_recorded_at_once_and_others_wait() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00", "6.00")
    other = ledger.issued("50.00")
    upload(ledger, table(row(invoice, "106.00"), row(None, "50.00", "A2")))

    assert match_sure(institution=ledger.institution, by=ledger.finance) == (1, [])
    assert match_sure(institution=ledger.institution, by=ledger.finance) == (0, [])

    invoice.refresh_from_db()
    assert (invoice.balance, [one.reference for one in invoice.payments.all()]) == (0, ["A1"])
    [waiting] = BankRow.objects.filter(state=RowState.WAITING)
    [found] = matches(ledger.institution, [waiting])
    assert (found.sure, found.suggestions[0].parts) == (False, ((other.pk, Decimal("50.00")),))


@pytest.mark.django_db
def test_a_row_is_split_its_rest_kept_and_decided_once() -> None:
    ledger = Ledger()
    first, second = ledger.issued("100.00"), ledger.issued("60.00")
    upload(ledger, table(row(None, "170.00")))
    found = BankRow.objects.get()
    parts = {first.pk: Decimal("100.00"), second.pk: Decimal("60.00")}

    with pytest.raises(Refused) as raised:
        match_row(row=found, parts=parts, by=ledger.finance)
    assert code_of(raised) == "rest_left"
    match_row(row=found, parts=parts, by=ledger.finance, keep_rest=True)
    for call in (
        lambda: match_row(row=found, parts=parts, by=ledger.finance),
        lambda: ignore_row(row=found, reason="x", by=ledger.finance),
    ):
        with pytest.raises(Refused) as raised:
            call()
        assert code_of(raised) == "row_decided"
    assert (Payment.objects.count(), Surplus.objects.get().amount) == (2, Decimal("10.00"))


@pytest.mark.django_db
def test_what_finance_recorded_by_hand_is_not_recorded_again() -> None:
    ledger = Ledger()
    invoice = ledger.issued("100.00")
    upload(ledger, table(row(invoice, "50.00"), row(invoice, "50.00", "A1", "乙")))
    rows = list(BankRow.objects.order_by("pk"))
    match_row(row=rows[0], parts={invoice.pk: Decimal("50.00")}, by=ledger.finance)

    with pytest.raises(Refused) as raised:
        match_row(row=rows[1], parts={invoice.pk: Decimal("50.00")}, by=ledger.finance)

    assert code_of(raised) == "reference_used"
    assert BankRow.objects.get(pk=rows[1].pk).state == RowState.WAITING


@pytest.mark.django_db
def test_set_aside_with_a_reason_and_taken_up_again() -> None:
    ledger = Ledger()
    upload(ledger, table(row(None, "1.23")))
    found = BankRow.objects.get()

    with pytest.raises(Invalid):
        ignore_row(row=found, reason=" ", by=ledger.finance)
    ignore_row(row=found, reason="Interest", by=ledger.finance)
    assert BankRow.objects.get().state == RowState.IGNORED
    reopen_row(row=found, by=ledger.finance)
    with pytest.raises(Refused):
        reopen_row(row=found, by=ledger.finance)


@pytest.mark.django_db
def test_chosen_columns_are_remembered() -> None:
    ledger = Ledger()
    head = ["到账日", "到账", "汇款人"]
    content = table([timezone.localdate().isoformat(), "10.00", "甲"], head=head)
    with pytest.raises(Invalid) as raised:
        upload(ledger, content)
    assert "到账日、到账、汇款人" in str(raised.value.refusals[0].detail)

    upload(ledger, content, columns={"date": "到账日", "amount": "到账", "payer": "汇款人"})

    assert MoneyTerms.objects.get().columns == {"date": "到账日", "amount": "到账", "payer": "汇款人"}
    assert upload(ledger, content).known_rows == 1


@pytest.mark.django_db
def test_a_workbook_is_read_and_hostile_files_are_refused() -> None:
    ledger = Ledger()
    book, out = Workbook(), io.BytesIO()
    for cells in (HEAD, [date(2026, 3, 5), None, 106.1, "甲", 6222000000000001, "=HYPERLINK(1)", "x"]):
        book.active.append(cells)  # type: ignore[union-attr]
    book.save(out)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", b"<" * 4_000_000)

    upload(ledger, out.getvalue())

    found = BankRow.objects.get()
    assert (found.amount, found.account, found.reference) == (Decimal("106.10"), "6222000000000001", "=HYPERLINK(1)")
    for content in (b"", b"\xd0\xcf\x11\xe0old", bomb.getvalue(), b"\xff\xfe\x00", b"a,b\r\n1,2", b"PK\x03\x04nothing"):
        with pytest.raises(Invalid):
            upload(ledger, content)
    assert BankStatement.objects.count() == 1
