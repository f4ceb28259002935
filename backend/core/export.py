"""Tables as CSV and XLSX that are safe to open, streamed.

A cell holds None, a string, a bool, an int, a `Decimal`, a date or an aware datetime. Strings never become
formulas: CSV cells that a spreadsheet might run get an apostrophe, XLSX strings are typed as strings.
"""

from __future__ import annotations

import csv
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, Literal
from urllib.parse import quote

from django.http import FileResponse, StreamingHttpResponse
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

Cell = str | bool | int | Decimal | date | datetime | None
Format = Literal["csv", "xlsx"]

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

# What makes a spreadsheet calculate, after NFKC: full-width ＝＋－＠ are folded to these.
_TRIGGERS = "=+-@"
_INVISIBLE = "\t\r\n\0\v\f"
# Not allowed in XML 1.0, so not in a workbook either; in CSV they only hide something.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_MAX_XLSX_TEXT = 32_767
_CHUNK = 64 * 1024


def neutralise(text: str) -> str:
    """A text that no spreadsheet takes for a formula when it reads it from CSV."""
    clean = _CONTROLS.sub("", text)
    shown = unicodedata.normalize("NFKC", clean).lstrip().lstrip("\u200b\u200c\u200d\u2060\ufeff\u00ad").lstrip()
    dangerous = text[:1] in tuple(_INVISIBLE) or shown[:1] in tuple(_TRIGGERS) or shown[:1] == "−"
    return f"'{clean}" if text and dangerous else clean


def csv_stream(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """UTF-8 with a byte order mark, because Excel guesses another encoding without it."""
    yield b"\xef\xbb\xbf"
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    for row in _with_header(header, rows):
        yield writer.writerow([_csv_cell(value) for value in row])


def xlsx_file(header: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str) -> IO[bytes]:
    """A workbook of one sheet in a temporary file, ready to be read; rows are written as they come."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_sheet_title(title))
    sheet.freeze_panes = "A2"
    for index, name in enumerate(header, 1):
        sheet.column_dimensions[get_column_letter(index)].width = max(12, min(40, 2 * len(name) + 4))
    bold = Font(bold=True)
    head = [_xlsx_cell(sheet, name) for name in header]
    for cell in head:
        cell.font = bold
    sheet.append(head)
    for row in rows:
        sheet.append([_xlsx_cell(sheet, value) for value in row])
    out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (the response closes it)
    book.save(out)
    out.seek(0)
    return out


def table_response(
    form: Format, name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> StreamingHttpResponse | FileResponse:
    """A download named ``name.csv`` or ``name.xlsx``."""
    response: StreamingHttpResponse | FileResponse
    if form == "csv":
        response = StreamingHttpResponse(csv_stream(header, rows), content_type=CSV_TYPE)
    else:
        response = FileResponse(xlsx_file(header, rows, title=name), content_type=XLSX_TYPE)
    response["Content-Disposition"] = attachment(f"{name}.{form}")
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def attachment(filename: str, *, inline: bool = False) -> str:
    """A Content-Disposition that every browser reads, with any name."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> bytes:
        return text.encode()


def _with_header(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    yield header
    yield from rows


def _csv_cell(value: Cell) -> str:
    match value:
        case None:
            return ""
        case str():
            return neutralise(value)
        case datetime():
            return timezone.localtime(value).isoformat(sep=" ", timespec="seconds")
        case date():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
    return str(value)


def _xlsx_cell(sheet: Any, value: Cell) -> Any:
    """``Any``: openpyxl's types know neither dates nor decimals as values."""
    shown: Any = value
    kind = style = ""
    match value:
        case str():
            # openpyxl takes "=…" for a formula and "#N/A" for an error unless told otherwise.
            # XML knows one end of line.
            plain = _CONTROLS.sub("", value).replace("\r\n", "\n").replace("\r", "\n")
            shown, kind = plain[:_MAX_XLSX_TEXT], "s"
        case datetime():
            shown, style = timezone.localtime(value).replace(tzinfo=None, microsecond=0), "yyyy-mm-dd hh:mm:ss"
        case date():
            style = "yyyy-mm-dd"
        case Decimal():
            places = max(0, -int(value.as_tuple().exponent))
            style = f"0.{'0' * places}" if places else "0"
    cell = WriteOnlyCell(sheet, value=shown)
    if kind:
        cell.data_type = kind
    if style:
        cell.number_format = style
    return cell


def _sheet_title(title: str) -> str:
    return re.sub(r"[\[\]:*?/\\]", " ", title)[:31] or "Sheet"
