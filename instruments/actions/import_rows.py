"""Reading a table of instruments: every bad cell is named by line, column and reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal, invalid
from instruments.actions.reference import UNKNOWN
from instruments.models import Category, Condition, Mode, Sharing, Source, Technique

LARGEST_FILE = 5 * 1024 * 1024
MOST_ROWS = 20_000
_SEPARATORS = ",;\t"
_TEXTS = {
    "local_no": "local_no", "name_zh": "name", "name_en": "name_en", "manufacturer": "manufacturer", "model": "model",
    "nation": "nation", "technical": "technical", "function": "function", "service_content": "service_content",
    "requirement": "requirement", "department": "department", "region": "region", "address": "address",
    "contact_name": "contact_name", "contact_phone": "contact_phone", "contact_email": "contact_email",
}  # fmt: skip
_CHOICES = {"condition": Condition, "sharing": Sharing, "source": Source}
# The words of the national form, which tables use whatever language the reader's pages have.
_NATIONAL = {
    "正常": Condition.NORMAL,
    "偶有故障": Condition.OCCASIONAL,
    "故障频繁": Condition.FREQUENT,
    "待修": Condition.REPAIR,
    "待报废": Condition.SCRAP,
    "外部共享": Sharing.EXTERNAL,
    "内部共享": Sharing.INTERNAL,
    "不共享": Sharing.NONE,
    "购置": Source.PURCHASED,
    "研制": Source.DEVELOPED,
    "赠送": Source.DONATED,
    "其他": Source.OTHER,
}
_OTHERS = ("category", "technique", "units", "modes", "worth", "begin_date")
COLUMNS = (*_TEXTS, *_CHOICES, *_OTHERS)
REQUIRED = ("local_no", "name_zh")


@dataclass(slots=True)
class Report:
    """What an import did, or would do. ``notes`` are remarks that did not stop it."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    values: dict[str, Any]
    techniques: list[int] | None


def read_rows(content: bytes, report: Report) -> tuple[list[Row], list[Refusal]]:
    lines = list(_table(_decoded(content)))
    if not lines:
        raise invalid("file", _("The file is empty."), code="empty")
    header = [name.strip().lower() for name in lines[0][1]]
    _check_header(header, lines[0][0])
    techniques = {key.casefold(): pk for key, pk in Technique.objects.values_list("key", "pk")}
    categories = set(Category.objects.values_list("pk", flat=True))
    rows: list[Row] = []
    problems: list[Refusal] = []
    seen: dict[str, int] = {}
    for number, cells in lines[1:]:
        if len(cells) > len(header):
            problems.append(problem_at(number, "", _("There are more cells than columns.")))
            continue
        reader = _Cells(number, dict(zip(header, cells, strict=False)), problems, report, techniques, categories)
        row = reader.row()
        first = seen.setdefault(row.values.get("local_no", ""), number)
        if first != number:
            problems.append(problem_at(number, "local_no", _("Line %(line)s has the same number.") % {"line": first}))
        rows.append(row)
    return rows, problems


def _decoded(content: bytes) -> str:
    """UTF-8 with or without byte order mark, else GB 18030, which contains GBK and GB 2312."""
    if len(content) > LARGEST_FILE:
        raise invalid("file", _("The file is larger than 5 MB."), code="too_large")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise invalid("file", _("The file is neither UTF-8 nor GBK text. Save it as CSV UTF-8."), code="encoding")


def _table(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells; empty lines are skipped. The separator is the header's commonest."""
    if "\0" in text:
        raise invalid("file", _("This is not a text file."), code="not_text")
    head = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for count, cells in enumerate(reader):
            if count > MOST_ROWS:
                raise invalid("file", _("At most %(limit)s rows at a time.") % {"limit": MOST_ROWS}, code="too_long")
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise Invalid(problem_at(reader.line_num, "", _("This line is not CSV."))) from error


def _check_header(header: list[str], line: int) -> None:
    problems = [
        problem_at(line, name, _("This column is not known. Known are: %(names)s.") % {"names": ", ".join(COLUMNS)})
        for name in dict.fromkeys(header)
        if name not in COLUMNS
    ]
    problems += [problem_at(line, name, _("This column is missing.")) for name in REQUIRED if name not in header]
    twice = {name for name in header if header.count(name) > 1}
    problems += [problem_at(line, name, _("This column is there twice.")) for name in sorted(twice)]
    if problems:
        raise Invalid(*problems)


class _Cells:
    """One line of the table, read column by column; what is wrong goes to ``problems``."""

    def __init__(
        self,
        line: int,
        cells: Mapping[str, str],
        problems: list[Refusal],
        report: Report,
        techniques: Mapping[str, int],
        categories: set[str],
    ) -> None:
        self.line, self.problems, self.report = line, problems, report
        self.cells = {name: cell.strip() for name, cell in cells.items()}
        self.known_techniques, self.known_categories = techniques, categories

    def row(self) -> Row:
        values: dict[str, Any] = {_TEXTS[name]: cell for name, cell in self.cells.items() if name in _TEXTS}
        for name in REQUIRED:
            if not self.cells.get(name):
                self.wrong(name, _("This cell may not be empty."))
        for name, choices in _CHOICES.items():
            cell = self.cells.get(name, "")
            if cell:
                self.put(values, name, _choice(cell, choices), ", ".join(choices.values))
        if "category" in self.cells:
            values["category_id"] = self.category()
        if self.cells.get("units"):
            cell = self.cells["units"]
            self.put(values, "units", int(cell) if cell.isdecimal() and len(cell) < 4 else None, "1–100")
        if self.cells.get("worth"):
            self.put(values, "worth", _decimal(self.cells["worth"]), "123.45")
        if self.cells.get("begin_date"):
            self.put(values, "begin_date", _day(self.cells["begin_date"]), "2024-05-31")
        if "modes" in self.cells:
            values.update(self.modes())
        return Row(self.line, values, self.techniques() if "technique" in self.cells else None)

    def put(self, values: dict[str, Any], name: str, value: Any, allowed: str) -> None:
        if value is None:
            params = {"value": self.cells[name][:40], "allowed": allowed}
            self.wrong(name, _("“%(value)s” is not understood; write for example: %(allowed)s.") % params)
        else:
            values[name] = value

    def category(self) -> str:
        code = self.cells["category"]
        if code in self.known_categories:
            return code
        if code:
            note = _("Line %(line)s: category %(code)s is not known; stored as %(unknown)s.")
            self.report.notes.append(note % {"line": self.line, "code": code[:20], "unknown": UNKNOWN})
        return UNKNOWN

    def modes(self) -> dict[str, bool]:
        named = _list(self.cells["modes"])
        for name in named:
            if name not in Mode.values:
                params = {"value": name[:40], "allowed": ";".join(Mode.values)}
                self.wrong("modes", _("“%(value)s” is not understood; write for example: %(allowed)s.") % params)
        return {f"mode_{mode}": mode in named for mode in Mode.values}

    def techniques(self) -> list[int]:
        out = []
        for name in _list(self.cells["technique"]):
            pk = self.known_techniques.get(name.casefold())
            if pk is None:
                self.wrong("technique", _("The technique “%(name)s” is not known.") % {"name": name[:40]})
            else:
                out.append(pk)
        return out

    def wrong(self, column: str, reason: str) -> None:
        self.problems.append(problem_at(self.line, column, reason))


def column_of(field_name: str) -> str:
    """The column that fills a field."""
    columns = {model_field: column for column, model_field in _TEXTS.items()} | {"category_id": "category"}
    return columns.get(field_name, "modes" if field_name.startswith("mode_") else field_name)


def problem_at(line: int, column: str, reason: str) -> Refusal:
    params: dict[str, Any] = {"line": line, "column": column, "reason": reason}
    text = _("Line %(line)s, column %(column)s: %(reason)s") if column else _("Line %(line)s: %(reason)s")
    return Refusal("bad_row", text % params, field=column, params=params)


def _list(cell: str) -> list[str]:
    return [part for part in (piece.strip() for piece in cell.replace("；", ";").replace(",", ";").split(";")) if part]


def _choice(cell: str, choices: Any) -> str | None:
    """By value, by the word that people read, or by the national form's word."""
    words = {str(label).casefold(): str(value) for value, label in choices.choices}
    found = words.get(cell.casefold(), str(_NATIONAL.get(cell, cell.casefold())))
    return found if found in choices.values else None


def _decimal(cell: str) -> Decimal | None:
    try:
        number = Decimal(cell.replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < 10**10 else None


def _day(cell: str) -> date | None:
    try:
        return date.fromisoformat(cell.replace("/", "-"))
    except ValueError:
        return None
