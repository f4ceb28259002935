"""Any usual file as lines of cells: CSV in several encodings, XLSX. Nothing in it is ever calculated."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal, invalid

LARGEST_FILE = 5 * 1024 * 1024
MOST_ROWS = 20_000
MOST_COLUMNS = 100
# A workbook is packed; unpacked it may be so large, and have so many tags: reading a million of them takes seconds.
LARGEST_UNPACKED = 100 * 1024 * 1024
MOST_TAGS = 3_000_000
# Cells further to the right are not even looked at: an empty one in the last of 16,384 columns would fill the memory.
LAST_COLUMN = 5 * MOST_COLUMNS
_SEPARATORS = ",;\t"
# What the readers of ZIP and XML say to damaged, encrypted or foreign content.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, SyntaxError),
    *(KeyError, ValueError, IndexError, OSError, TypeError, AttributeError),
)
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"

Line = tuple[int, list[str]]


def read_table(content: bytes) -> list[Line]:
    """Line numbers and cells of what is not empty; `Invalid` where it is no table."""
    if len(content) > LARGEST_FILE:
        raise invalid("file", _("The file is larger than 5 MB."), code="too_large")
    if content.startswith(_OLD_EXCEL):
        raise invalid("file", _("This is an old Excel file. Save it as XLSX or as CSV UTF-8."), code="encoding")
    lines = list(_sheet(content) if content.startswith(_ZIP) else _lines(decoded(content)))
    if not lines:
        raise invalid("file", _("The file is empty."), code="empty")
    return lines


def decoded(content: bytes) -> str:
    """UTF-8 with or without byte order mark, else GB 18030, which contains GBK and GB 2312."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise invalid("file", _("The file is neither UTF-8 nor GBK text. Save it as CSV UTF-8."), code="encoding")


def problem_at(line: int, column: str, reason: str) -> Refusal:
    params: dict[str, Any] = {"line": line, "column": column, "reason": reason}
    text = _("Line %(line)s, column %(column)s: %(reason)s") if column else _("Line %(line)s: %(reason)s")
    return Refusal("bad_row", text % params, field=column, params=params)


def _lines(text: str) -> Iterator[Line]:
    """The separator is the header's commonest."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Invalid(problem_at(line, "", _("Text may not contain the character NUL.")))
    head = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for count, cells in enumerate(reader):
            _check_size(count, cells)
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise Invalid(problem_at(reader.line_num, "", _("This line is not CSV."))) from error


def _sheet(content: bytes) -> Iterator[Line]:
    """The first sheet of a workbook. A formula is taken as its text."""
    from openpyxl import load_workbook  # only where a workbook comes

    try:
        _check_unpacked(content)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=False)
        sheet = book.worksheets[0]
        # What a workbook says of its own size may be wrong.
        sheet.reset_dimensions()
        rows = [
            [_cell(value) for value in row] for row in _limited(sheet.iter_rows(max_col=LAST_COLUMN, values_only=True))
        ]
    except _UNREADABLE as error:
        text = _("This workbook cannot be read. Save it again as XLSX, or as CSV UTF-8.")
        raise invalid("file", text, code="encoding") from error
    for number, cells in enumerate(rows, 1):
        if any(cell.strip() for cell in cells):
            while cells and not cells[-1].strip():
                cells.pop()
            yield number, cells


def _check_unpacked(content: bytes) -> None:
    """Before anything is built from it."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        tags, size = 0, sum(part.file_size for part in packed.infolist())
        for part in packed.infolist() if size <= LARGEST_UNPACKED else ():
            with packed.open(part) as unpacked:
                while piece := unpacked.read(1024 * 1024):
                    tags += piece.count(b"<")
    if size > LARGEST_UNPACKED or tags > MOST_TAGS:
        raise invalid("file", _("The workbook is too large when it is unpacked."), code="too_large")


def _limited(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for count, row in enumerate(rows):
        _check_size(count, row)
        yield row[:MOST_COLUMNS]


def _check_size(count: int, cells: Any) -> None:
    if count > MOST_ROWS:
        raise invalid("file", _("At most %(limit)s rows at a time.") % {"limit": MOST_ROWS}, code="too_long")
    if len(cells) > MOST_COLUMNS and any(cells[MOST_COLUMNS:]):
        raise invalid("file", _("At most %(limit)s columns.") % {"limit": MOST_COLUMNS}, code="too_long")


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case float():
            # Numbers as people see them: 12 and not 12.0, no exponents.
            return f"{Decimal(repr(value)).normalize():f}" if abs(value) < 10**15 else repr(value)
        case datetime():
            return value.date().isoformat()
        case date():
            return value.isoformat()
    return str(value)
