"""Tables that nobody can run code with."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from backend.core.export import attachment, csv_stream, neutralise, table_response, xlsx_file

DANGEROUS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\0=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM",
    "﹣1",
    "−1",
    " =1",
    "\u3000＝1",
    "\u200b=1",
    "\ufeff=1",
    "\tplain",
    "\0plain",
]


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def sheet_of(header: list[str], rows: list[list[Any]], title: str = "a") -> Any:
    with xlsx_file(header, rows, title=title) as file:
        return load_workbook(file).active


@pytest.mark.parametrize("text", DANGEROUS)
def test_csv_neutralises_what_a_spreadsheet_would_run(text: str) -> None:
    [cell] = rows_of(b"".join(csv_stream(["head"], [[text]])))[1]

    assert cell.startswith("'")
    assert "\0" not in cell


@pytest.mark.parametrize("text", ["", "机时费", "1+1", "a=b", "张晓明", "2026-12-01", "e@example.org", "'quoted"])
def test_csv_leaves_harmless_text_alone(text: str) -> None:
    assert neutralise(text) == text


@given(st.text(max_size=30))
def test_no_text_survives_as_a_formula(text: str) -> None:
    [cell] = rows_of(b"".join(csv_stream(["head"], [[text]])))[1] or [""]

    assert not cell.startswith(tuple("=+-@\t\r\n\0＝＋－＠"))


def test_csv_has_a_byte_order_mark_and_typed_numbers() -> None:
    row: list[Any] = [
        Decimal("-12.50"),
        3,
        None,
        date(2026, 12, 1),
        datetime(2026, 12, 1, 4, tzinfo=UTC),
        True,
        'a,"b"\nc',
    ]

    content = b"".join(csv_stream(["甲"] * 7, [row]))

    assert content.startswith(b"\xef\xbb\xbf")
    assert rows_of(content)[1] == ["-12.50", "3", "", "2026-12-01", "2026-12-01 12:00:00+08:00", "True", 'a,"b"\nc']


def test_csv_is_streamed() -> None:
    produced = 0

    def rows() -> Any:
        nonlocal produced
        for n in range(1000):
            produced += 1
            yield [n]

    stream = csv_stream(["n"], rows())
    next(stream), next(stream), next(stream)

    assert produced == 1


@pytest.mark.parametrize("text", [*DANGEROUS, "#N/A", "普通"])
def test_xlsx_strings_are_typed_strings(text: str) -> None:
    cell = sheet_of(["head"], [[text]]).cell(2, 1)

    assert cell.data_type in {"s", "inlineStr"}
    assert cell.value == text.replace("\0", "").replace("\r", "\n")  # XML knows one end of line


def test_xlsx_keeps_types() -> None:
    row: list[Any] = [Decimal("1234.50"), 3, None, date(2026, 12, 1), datetime(2026, 12, 1, 4, tzinfo=UTC)]

    sheet = sheet_of(list("abcde"), [row], title="结算单/[x]")

    assert [cell.value for cell in sheet[2]] == [1234.5, 3, None, datetime(2026, 12, 1), datetime(2026, 12, 1, 12)]
    assert sheet.cell(2, 1).number_format == "0.00"
    assert sheet.title == "结算单  x "


def test_download_has_a_safe_name() -> None:
    response = table_response("csv", "结算单\r\nX: y", ["a"], [])

    assert "\r" not in response["Content-Disposition"]
    assert response["X-Content-Type-Options"] == "nosniff"
    assert attachment("a b.pdf") == "attachment; filename=\"a_b.pdf\"; filename*=UTF-8''a%20b.pdf"
