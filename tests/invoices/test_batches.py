"""Batches for the tax platform: what is in them, remembered, split, and the numbers written back."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from openpyxl import Workbook
from python_calamine import CalamineWorkbook

from backend.accounts.models import Organisation, Role
from backend.core.errors import Invalid, NotFound, Refused
from backend.core.money import add_up
from invoices.actions.batches import discard_batch, make_batches, write_results
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import write_fapiao_number
from invoices.actions.settings import save_setting
from invoices.fapiao.filling import read_filling
from invoices.fapiao.layout import Filling, Limits, TaxClass, layouts
from invoices.fapiao.lines import entries_of, split_up
from invoices.fapiao.papers import serial_of
from invoices.fapiao.results import Pair
from invoices.models import BookKind, FapiaoBatch, FapiaoPart, Invoice
from tests.conftest import ApiClient
from tests.factories import make_charge, make_institution, make_line, make_member
from tests.invoices.ledger import FAPIAO, Ledger, code_of
from tests.invoices.test_views import browser, html

pytestmark = pytest.mark.django_db
SECOND = "26152000000087654321"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def fill(ledger: Ledger, **content: Any) -> None:
    save_setting(institution=ledger.institution, kind=BookKind.FAPIAO, content=content, by=ledger.finance)


def batch_of(ledger: Ledger, *invoices: Invoice, again: bool = False) -> list[FapiaoBatch]:
    wanted = [invoice.pk for invoice in invoices]
    return make_batches(institution=ledger.institution, invoices=wanted, by=ledger.finance, again=again)


def sheets(response: Any) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(response.content))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


# --- the template, column by column --------------------------------------------------------------------------------

FIRST = """
发票流水号 发票类型 特定业务类型 是否含税 受票方自然人标识 购买方名称 购买方纳税人识别号 购买方证件类型 购买方证件号码
购买方国籍（或地区） 购买方地址 购买方所在地区（报废产品收购必填） 购买方所在地区（报废产品收购必填）
购买方所在地区（报废产品收购必填） 购买方所在地区（报废产品收购必填） 购买方详细地址（报废产品收购必填）
购买方电话 购买方开户银行
购买方银行账号 是否展示购买方地址电话银行账号 是否开具涉税专业服务发票品目 涉税专业服务协议编号 备注 报废产品销售类型
每千克煤炭发热量 干基全硫 干燥无灰基挥发分 销售方开户行 销售方银行账号 是否展示销售方地址电话银行账号 购买方邮箱
购买方经办人姓名 购买方经办人证件类型 购买方经办人证件号码 经办人国籍(地区) 经办人自然人纳税人识别号
放弃享受减按1%征收率原因 收款人 复核人
""".split()
SECOND_SHEET = """
发票流水号 项目名称 商品和服务税收编码 规格型号 单位 数量 单价 金额 税率 折扣金额 是否使用优惠政策 优惠政策类型
即征即退类型 煤炭种类
""".split()


def test_every_column_stands_where_the_platform_looks_for_it(ledger: Ledger) -> None:
    Organisation.objects.filter(pk=ledger.customer.pk).update(
        address="示例路 1 号", phone="0471-5550100", bank="示例银行", bank_account="0601", email="a@example.com"
    )
    fill(
        ledger, payee="张三", reviewer="李四", show_buyer=True, show_seller=True, special=["91350100M000100Y43"],
        classes=[{"tax_code": "3040105000000000000", "item": "检测服务", "policy": "免税"}],
    )  # fmt: skip
    make_charge(
        ledger.customer, make_line("120.00", quantity=Decimal("1.5"), unit="hour", unit_price=Decimal(80)),
        make_line("-20.00", code="discount", name="折扣", quantity=None, unit="", unit_price=None),
        institution=ledger.institution, subject="扫描电镜",
    )  # fmt: skip
    invoice = ledger.issue()

    found = sheets(ApiClient(ledger.finance).get_api("/exports/fapiao-batch.xlsx"))
    first, second, third, fourth = found.values()

    assert list(found) == ["1-发票基本信息", "2-发票明细信息", "3-特定业务信息", "4-附加要素信息"]
    assert (len(FIRST), first[2]) == (39, FIRST)
    assert second[2] == SECOND_SHEET
    assert (third[2], fourth[2]) == (["发票流水号"], ["发票流水号", "附加要素名称", "附加要素内容"])
    assert first[1][0] == "必填(限20字符)"
    everything = "展示地址、电话、开户银行及银行账号"
    assert dict(zip(FIRST, first[3], strict=True)) == {
        **dict.fromkeys(FIRST, ""),
        "发票流水号": f"JS{invoice.year}000001", "发票类型": "增值税专用发票", "是否含税": "是",
        "受票方自然人标识": "否",
        "购买方名称": ledger.customer.name, "购买方纳税人识别号": "91350100M000100Y43", "购买方地址": "示例路 1 号",
        "购买方电话": "0471-5550100", "购买方开户银行": "示例银行", "购买方银行账号": "0601",
        "是否展示购买方地址电话银行账号": everything, "备注": f"结算单 {invoice.number}，期间 {invoice.period}",
        "销售方开户行": "示例银行", "销售方银行账号": "0602", "是否展示销售方地址电话银行账号": everything,
        "购买方邮箱": "a@example.com", "收款人": "张三", "复核人": "李四",
    }  # fmt: skip
    assert second[3:] == [
        [
            f"JS{invoice.year}000001", "检测服务", "3040105000000000000", "扫描电镜", "小时", "1.5", "80.00", "120.00",
            "0.06", "20.00", "是", "免税", "", "",
        ]
    ]  # fmt: skip


def test_each_layout_names_every_sheet_and_its_day() -> None:
    for layout in layouts():
        assert layout["valid_from"] == layout["version"] + "-01"
        assert [len(sheet["columns"]) for sheet in layout["sheets"]][:2] == [39, 14]


# --- lines and limits, pure ----------------------------------------------------------------------------------------


def line(amount: str, charge: str = "a", subject: str = "SEM", **more: Any) -> dict[str, Any]:
    return {
        "charge": charge, "subject": subject, "code": "time", "name": "机时费", "quantity": "", "unit": "",
        "unit_price": "", "amount": amount, **more,
    }  # fmt: skip


def entries(*lines: dict[str, Any], filling: Filling = Filling()) -> Any:  # noqa: B008  (it is frozen)
    return entries_of({"lines": lines, "tax": {"code": "304"}}, filling)


def test_a_discount_goes_to_lines_of_its_charge_then_of_its_instrument_then_to_others() -> None:
    found, left = entries(
        line("10.00", "b", "XRD"), line("20.00", "c"), line("30.00", "a"), line("-55.00", "a", name="折扣")
    )

    assert [(entry.amount, entry.discount) for entry in found] == [
        (Decimal("10.00"), Decimal("5.00")), (Decimal("20.00"), Decimal("20.00")), (Decimal("30.00"), Decimal("30.00")),
    ]  # fmt: skip
    assert left == 0


def test_what_no_line_can_take_is_left() -> None:
    found, left = entries(line("10.00"), line("-12.00"))

    assert ([entry.total for entry in found], left) == ([Decimal("0.00")], Decimal("2.00"))


def test_the_first_class_that_fits_classifies_a_line() -> None:
    classes = (TaxClass(code="train*", tax_code="1"), TaxClass(subject="*SEM*", tax_code="2"), TaxClass(tax_code="3"))
    filling = Filling(classes=classes)

    found, _left = entries(
        line("1.00", code="training"), line("1.00", subject="ZEISS SEM 5"), line("1.00", subject="XRD"), filling=filling
    )

    assert [entry.tax_code for entry in found] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("lines", "limits", "expected"),
    [
        (["60.00", "40.00"], Limits(9, 9, Decimal("100.00")), [["60.00", "40.00"]]),
        (["60.00", "40.01"], Limits(9, 9, Decimal("100.00")), [["60.00"], ["40.01"]]),
        (["100.01"], Limits(9, 9, Decimal("100.00")), [["100.00"], ["0.01"]]),
        (["250.00"], Limits(9, 9, Decimal("100.00")), [["100.00"], ["100.00"], ["50.00"]]),
        (["1.00", "1.00", "1.00"], Limits(9, 2, None), [["1.00", "1.00"], ["1.00"]]),
        (["1.00", "1.00"], Limits(9, 2, None), [["1.00", "1.00"]]),
    ],
)
def test_what_is_above_the_limits_is_split_to_the_cent(lines: list[str], limits: Limits, expected: Any) -> None:
    found, _left = entries(*(line(amount) for amount in lines))

    parts = split_up(found, limits)

    assert [[str(entry.total) for entry in part] for part in parts] == expected


def test_settings_name_each_fault() -> None:
    wrong = {
        "type": "x", "most_lines": 0, "most_amount": "-1", "classes": [{"tax_code": "12a"}, {"other": 1}],
        "remark": "{0.__class__}", "payee": "x" * 17, "unknown": 1, "show_buyer": "yes",
    }  # fmt: skip

    with pytest.raises(Invalid) as raised:
        read_filling(wrong)

    assert sorted({one.field for one in raised.value.refusals}) == [
        "classes 1", "classes 2", "most_amount", "most_lines", "payee", "remark", "show_buyer", "type", "unknown",
    ]  # fmt: skip


# --- batches -------------------------------------------------------------------------------------------------------


def test_a_batch_is_remembered_with_its_rows(ledger: Ledger) -> None:
    first, other = ledger.issued(), ledger.issued("20.00")

    (batch,) = batch_of(ledger, first)
    file = ApiClient(ledger.finance).get_api(f"/fapiao-batches/{batch.pk}/workbook")
    Organisation.objects.filter(pk=ledger.customer.pk).update(email="later@example.com")

    assert (batch.number, batch.size, batch.total) == (1, 1, Decimal("100.00"))
    assert [part.serial for part in batch.parts.all()] == [serial_of(first)]
    again = ApiClient(ledger.finance).get_api(f"/fapiao-batches/{batch.pk}/workbook")
    assert sheets(again) == sheets(file)
    assert batch_of(ledger, other)[0].number == 2


def test_an_invoice_goes_into_a_second_batch_only_on_request(ledger: Ledger) -> None:
    invoice = ledger.issued()
    batch_of(ledger, invoice)

    with pytest.raises(Refused) as raised:
        batch_of(ledger, invoice)

    assert code_of(raised) == "already_exported"
    assert batch_of(ledger, invoice, again=True)[0].number == 2
    preview = ApiClient(ledger.finance).get_api("/exports/fapiao-batch.xlsx")
    assert (preview.status_code, preview.json()["errors"][0]["code"]) == (409, "nothing_to_export")
    assert ApiClient(ledger.finance).get_api("/exports/fapiao-batch.xlsx", again="true").status_code == 200


def test_a_discarded_batch_sets_its_invoices_free(ledger: Ledger) -> None:
    invoice = ledger.issued()
    (batch,) = batch_of(ledger, invoice)

    discard_batch(batch=batch, by=ledger.finance)

    assert batch_of(ledger, invoice)[0].number == 2


def test_a_batch_with_a_number_is_not_discarded(ledger: Ledger) -> None:
    invoice = ledger.issued()
    (batch,) = batch_of(ledger, invoice)
    write_results(institution=ledger.institution, pairs=[Pair(1, serial_of(invoice), FAPIAO)], by=ledger.finance)

    with pytest.raises(Refused) as raised:
        discard_batch(batch=batch, by=ledger.finance)

    assert code_of(raised) == "batch_used"


def test_what_needs_no_fapiao_and_what_is_to_be_mended_is_refused_at_once(ledger: Ledger) -> None:
    noted = ledger.issued()
    write_fapiao_number(invoice=noted, number=FAPIAO, by=ledger.finance)
    make_charge(ledger.customer, make_line(name="项" * 120), institution=ledger.institution)
    long = ledger.issue()

    with pytest.raises(Refused) as raised:
        batch_of(ledger, noted, long)

    assert [one.code for one in raised.value.refusals] == ["needs_none", "too_long"]


def test_a_shorter_name_in_the_settings_mends_an_item(ledger: Ledger) -> None:
    make_charge(ledger.customer, make_line(name="项" * 120), institution=ledger.institution)
    invoice = ledger.issue()

    fill(ledger, classes=[{"code": "time", "item": "机时费"}])

    assert batch_of(ledger, invoice)[0].content["lines"][0]["item"] == "机时费"


def test_an_invoice_of_another_institution_is_not_found(ledger: Ledger) -> None:
    other = make_institution()
    invoice = ledger.issued()

    with pytest.raises(NotFound):
        make_batches(institution=other, invoices=[invoice.pk], by=ledger.finance)


def test_one_file_takes_so_many_fapiao_and_one_fapiao_so_much(ledger: Ledger) -> None:
    fill(ledger, most_fapiao=2, most_amount="60.00")
    first, second = ledger.issued("100.00", "6.00"), ledger.issued("10.00")

    one, two = batch_of(ledger, first, second)

    assert [(part.serial[-2:], part.total, part.parts) for part in one.parts.all()] == [
        ("-1", Decimal("60.00"), 2), ("-2", Decimal("46.00"), 2),
    ]  # fmt: skip
    assert [part.invoice for part in two.parts.all()] == [second]
    assert add_up(part.total for part in FapiaoPart.objects.all()) == first.total + second.total


@pytest.mark.parametrize("statement", ["UPDATE invoices_fapiaobatch SET size = 9", "DELETE FROM invoices_fapiaopart"])
def test_the_database_keeps_batches(ledger: Ledger, statement: str) -> None:
    batch_of(ledger, ledger.issued())

    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        connection.cursor().execute(statement)


# --- numbers that come back ----------------------------------------------------------------------------------------


def results_file(*rows: tuple[Any, ...]) -> SimpleUploadedFile:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["已开具发票清单"])
    sheet.append(["序号", "数电发票号码", "开票日期", "发票流水号"])
    for index, row in enumerate(rows, 1):
        sheet.append([index, row[1], "2026-12-02", row[0]])
    out = io.BytesIO()
    book.save(out)
    return SimpleUploadedFile("result.xlsx", out.getvalue())


def test_the_result_file_is_shown_row_by_row_and_then_noted(ledger: Ledger) -> None:
    good, wrong = ledger.issued(), ledger.issued()
    batch_of(ledger, good, wrong)
    client = browser(ledger.finance)

    preview = html(
        client.post(
            "/finance/fapiao-results/",
            {"file": results_file((serial_of(good), FAPIAO), (serial_of(wrong), "123"), ("JS2026999999", SECOND))},
        )
    )
    before = Invoice.objects.get(pk=good.pk).fapiao_number
    pasted = f"{serial_of(good)}\t{FAPIAO}\n{serial_of(wrong)}\t123"
    client.post("/finance/fapiao-results/", {"text": pasted, "confirmed": "1"})

    assert "2 rows cannot be noted" in preview
    assert "exactly 20 digits" in preview
    assert "No invoice of yours" in preview
    assert "Note 1 number" in preview
    assert before == ""
    assert Invoice.objects.get(pk=good.pk).fapiao_number == FAPIAO
    assert Invoice.objects.get(pk=wrong.pk).fapiao_number == ""


def judged(ledger: Ledger, *rows: tuple[str, str]) -> list[tuple[str, bool]]:
    body = {"rows": [{"serial": serial, "number": number} for serial, number in rows], "dry_run": True}
    answer = ApiClient(ledger.finance).post_api("/fapiao-results", body)
    assert answer.status_code == 200, answer.content
    return [(row["problem"], row["written"]) for row in answer.json()["rows"]]


def test_each_bad_row_says_what_is_wrong(ledger: Ledger) -> None:
    first, second, noted = ledger.issued(), ledger.issued(), ledger.issued()
    write_fapiao_number(invoice=noted, number=FAPIAO, by=ledger.finance)

    found = judged(
        ledger, (serial_of(first), SECOND), (serial_of(first), "1" * 20), (serial_of(second), SECOND),
        (serial_of(second), FAPIAO), (serial_of(noted), "2" * 20), (serial_of(noted), FAPIAO), ("?", "3" * 20),
        (serial_of(second), "１" * 20),
    )  # fmt: skip

    assert [problem for problem, _written in found] == [
        "",
        "This serial number stands in an earlier row.",
        "This fapiao number stands in an earlier row.",
        "This serial number stands in an earlier row.",
        f"{noted.number} has another fapiao number: {FAPIAO}.",
        "This serial number stands in an earlier row.",
        "No invoice of yours has this serial number.",
        "This serial number stands in an earlier row.",
    ]
    assert judged(ledger, (serial_of(second), FAPIAO))[0][0] == f"This fapiao number is noted on {noted.number}."
    assert judged(ledger, (serial_of(noted), FAPIAO)) == [("", False)]


def test_parts_have_a_number_each(ledger: Ledger) -> None:
    fill(ledger, most_amount="60.00")
    invoice = ledger.issued("100.00")
    batch_of(ledger, invoice)
    serial = serial_of(invoice)
    pairs = [Pair(1, f"{serial}-2", SECOND), Pair(2, f"{serial}-1", FAPIAO)]

    write_results(institution=ledger.institution, pairs=pairs, by=ledger.finance)
    page = html(browser(ledger.finance).get(f"/invoices/{invoice.pk}/"))

    assert Invoice.objects.get(pk=invoice.pk).fapiao_number == FAPIAO
    assert (f"{serial}-2: {SECOND}" in page, f"{serial}-1: {FAPIAO}" in page) == (True, True)


def test_a_credit_note_takes_the_number_of_its_red_letter_fapiao(ledger: Ledger) -> None:
    invoice = ledger.issued()
    write_fapiao_number(invoice=invoice, number=FAPIAO, by=ledger.finance)
    note = credit_invoice(invoice=invoice, reason="x", by=ledger.finance)
    waiting = html(browser(ledger.finance).get("/finance/fapiao-batch/"))

    same = judged(ledger, (serial_of(note), FAPIAO))
    write_results(institution=ledger.institution, pairs=[Pair(1, serial_of(note), SECOND)], by=ledger.finance)

    assert "Red-letter fapiao to make" in waiting
    assert same[0][0] == f"This fapiao number is noted on {invoice.number}."
    assert Invoice.objects.get(pk=note.pk).fapiao_number == SECOND
    assert "Red-letter fapiao to make" not in html(browser(ledger.finance).get("/finance/fapiao-batch/"))


def test_if_no_row_can_be_noted_nothing_is_written(ledger: Ledger) -> None:
    with pytest.raises(Invalid) as raised:
        write_results(institution=ledger.institution, pairs=[Pair(3, "x", FAPIAO)], by=ledger.finance)

    assert raised.value.refusals[0].detail == "Line 3: No invoice of yours has this serial number."


@pytest.mark.parametrize("text", ["", "a,b,c\n1,2,3", "发票流水号,发票号码\n"])
def test_a_file_that_is_no_result_is_refused(ledger: Ledger, text: str) -> None:
    answer = browser(ledger.finance).post("/finance/fapiao-results/", {"text": text})

    assert answer.status_code == 422


# --- doors ---------------------------------------------------------------------------------------------------------


def test_the_page_makes_a_batch_of_what_was_chosen(ledger: Ledger) -> None:
    first, _second = ledger.issued(), ledger.issued("20.00")
    client = browser(ledger.finance)

    made = client.post("/finance/fapiao-batch/", {"invoices": [first.pk]}, follow=True)
    again = client.post("/finance/fapiao-batch/", {"invoices": [first.pk]})
    listed = html(client.get("/finance/fapiao-batch/"))
    batch = FapiaoBatch.objects.get()
    file = client.get(f"/finance/fapiao-batches/{batch.pk}/workbook.xlsx")

    assert "Batch 1 made." in html(made)
    assert again.status_code == 409
    assert "1 invoice is in an earlier batch" in listed
    assert sheets(file)["1-发票基本信息"][3][0] == serial_of(first)
    client.post(f"/finance/fapiao-batches/{batch.pk}/discard/")
    assert "earlier batch" not in html(client.get("/finance/fapiao-batch/"))


def test_the_settings_page_and_the_api_save_the_same(ledger: Ledger) -> None:
    client, api = browser(ledger.finance), ApiClient(ledger.finance)
    form = {
        "version": "0", "type": "普通发票", "payee": "张三", "remark": "R {number}", "most_amount": "100000",
        "show_buyer": "on", "special": "91350100M000100Y43\n", "form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "0",
        "form-0-code": "time", "form-0-tax_code": "3040105000000000000", "form-1-code": "",
    }  # fmt: skip

    saved = client.post("/finance/fapiao-settings/", form)
    stale = client.post("/finance/fapiao-settings/", {**form, "payee": "王五"})
    read = api.get_api("/fapiao-settings").json()
    put = api.put_api("/fapiao-settings", {"content": {**read["content"], "payee": "李四"}, "version": 1})
    page = html(client.get("/finance/fapiao-settings/"))

    assert saved.status_code == 302
    assert stale.status_code == 412
    assert read == {
        "content": {
            "type": "普通发票", "payee": "张三", "remark": "R {number}", "most_amount": "100000.00", "show_buyer": True,
            "show_seller": False, "special": ["91350100M000100Y43"],
            "classes": [{"code": "time", "tax_code": "3040105000000000000"}],
        },
        "version": 1,
    }  # fmt: skip
    assert put.json()["version"] == 2
    assert "李四" in page
    assert json.loads(client.get("/finance/settings/fapiao.json").content)["payee"] == "李四"


def test_a_settings_file_replaces_what_was_saved(ledger: Ledger) -> None:
    client = browser(ledger.finance)

    def upload(content: bytes) -> int:
        file = SimpleUploadedFile("s.json", content)
        return int(client.post("/finance/fapiao-settings/", {"do": "json", "version": "", "file": file}).status_code)

    assert upload(b'{"payee": "A"}') == 302
    assert upload(b"[" * 100_000) == 422
    assert upload(b"[1]") == 422
    assert ApiClient(ledger.finance).get_api("/fapiao-settings").json()["content"] == {"payee": "A"}


def test_batches_are_for_the_finance_of_their_institution(ledger: Ledger) -> None:
    (batch,) = batch_of(ledger, ledger.issued())
    stranger, buyer = make_member(make_institution(), Role.FINANCE), make_member(ledger.customer, Role.ADMIN)

    assert ApiClient(stranger).get_api(f"/fapiao-batches/{batch.pk}").status_code == 404
    assert ApiClient(stranger).post_api(f"/fapiao-batches/{batch.pk}/discard", {}).status_code == 404
    assert ApiClient(buyer).get_api("/fapiao-batches").status_code == 403
    assert browser(buyer).get("/finance/fapiao-results/").status_code == 403
    made = ApiClient(ledger.finance).get_api("/fapiao-batches").json()["items"]
    assert [(row["number"], row["size"], row["discarded"]) for row in made] == [(1, 1, False)]


def test_the_api_takes_all_that_waits(ledger: Ledger) -> None:
    ledger.issued()
    second = ledger.issued("20.00")
    batch_of(ledger, second)

    made = ApiClient(ledger.finance).post_api("/fapiao-batches", {})

    assert made.status_code == 201
    assert [[part["total"] for part in batch["parts"]] for batch in made.json()] == [["100.00"]]
