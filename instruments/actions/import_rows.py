"""Reading the rows of a table of instruments: every bad cell is named by line, column and reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal
from instruments.actions.import_columns import (
    CHOICES,
    COLUMNS,
    DATES,
    DECIMALS,
    REQUIRED,
    TEXTS,
    Known,
    columns_of,
)
from instruments.actions.import_table import problem_at, read_table
from instruments.actions.reference import UNKNOWN
from instruments.models import Category, Condition, Mode, Sharing, Technique
from instruments.record import BelongsType, Kind, Source

_CHOICES = {"condition": Condition, "sharing": Sharing, "source": Source, "kind": Kind, "belongs_type": BelongsType}
# The words of the national form, which tables use whatever language the reader's pages have.
_NATIONAL = {
    "正常": Condition.NORMAL, "偶有故障": Condition.OCCASIONAL, "故障频繁": Condition.FREQUENT,
    "待修": Condition.REPAIR, "待报废": Condition.SCRAP, "外部共享": Sharing.EXTERNAL, "内部共享": Sharing.INTERNAL,
    "不共享": Sharing.NONE, "购置": Source.PURCHASED, "研制": Source.DEVELOPED, "赠送": Source.DONATED,
    "专用": Kind.SPECIAL, "通用": Kind.GENERAL, "大型科研设施": BelongsType.FACILITY,
    "科学仪器中心": BelongsType.CENTRE, "其他仪器": BelongsType.INSTRUMENT,
}  # fmt: skip
_MODES = {
    "自主上机": "self", "自主": "self", "自主预约": "self", "委托": "operator", "协助": "operator",
    "委托/协助": "operator", "委托测试": "operator", "委托检测": "operator", "协助上机": "operator", "送样": "sample",
    "送样检测": "sample", "送样测试": "sample",
}  # fmt: skip
_YES, _NO = {"是", "yes", "true", "1", "y"}, {"否", "no", "false", "0", "n"}
_SEVERAL = re.compile(r"[;；、,，\n]+")


@dataclass(frozen=True, slots=True)
class RowChange:
    """What a row does: column, old and new value for each field that changes; no fields: a new instrument."""

    line: int
    local_no: str
    name: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What an import did, or would do. ``notes`` are remarks that did not stop it."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    added: list[RowChange] = field(default_factory=list)
    changes: list[RowChange] = field(default_factory=list)
    problems: list[Refusal] = field(default_factory=list)

    @property
    def wrong_lines(self) -> set[int]:
        return {problem.params["line"] for problem in self.problems}

    def sound(self, rows: list[RowChange]) -> list[RowChange]:
        wrong = self.wrong_lines
        return [row for row in rows if row.line not in wrong]


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    values: dict[str, Any]
    techniques: list[int] | None


def read_rows(content: bytes, report: Report) -> list[Row]:
    """The rows; what is wrong with cells goes to the report, `Invalid` for what is no such table."""
    lines = read_table(content)
    header = _checked_header(lines[0][1], lines[0][0])
    techniques = {key.casefold(): pk for key, pk in Technique.objects.values_list("key", "pk")}
    techniques |= {name.casefold(): pk for name, pk in Technique.objects.order_by("-key").values_list("name", "pk")}
    categories = set(Category.objects.values_list("pk", flat=True))
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for number, cells in lines[1:]:
        if len(cells) > len(header):
            report.problems.append(problem_at(number, "", _("There are more cells than columns.")))
            continue
        named = {name: cell for name, cell in zip(header, cells, strict=False) if isinstance(name, str)}
        row = _Cells(number, named, report, techniques, categories).row()
        local_no = row.values.get("local_no", "")
        first = seen.setdefault(local_no, number)
        if local_no and first != number:
            text = _("Line %(line)s has the same number.") % {"line": first}
            report.problems.append(problem_at(number, "local_no", text))
        rows.append(row)
    return rows


def check_table(content: bytes) -> None:
    """Whether it is a table with a header that is understood; `Invalid` otherwise."""
    lines = read_table(content)
    _checked_header(lines[0][1], lines[0][0])


def _checked_header(cells: list[str], line: int) -> list[str | Known]:
    header = columns_of(cells)
    known = [name for name in header if isinstance(name, str)]
    unknown = _("This column is not known. Known are: %(names)s.") % {"names": ", ".join(COLUMNS)}
    problems = [
        problem_at(line, cell.strip()[:40], unknown)
        for cell, name in zip(cells, header, strict=True)
        if name is Known.UNKNOWN
    ]
    problems += [problem_at(line, name, _("This column is missing.")) for name in REQUIRED if name not in known]
    twice = {name for name in known if known.count(name) > 1}
    problems += [problem_at(line, name, _("This column is there twice.")) for name in sorted(twice)]
    if problems:
        raise Invalid(*problems)
    return header


class _Cells:
    """One line of the table, read column by column; what is wrong goes to the report.

    An empty cell leaves what is there: a table that was filled in for one column does not wipe out the others.
    """

    def __init__(
        self,
        line: int,
        cells: Mapping[str, str],
        report: Report,
        techniques: Mapping[str, int],
        categories: set[str],
    ) -> None:
        self.line, self.report = line, report
        self.cells = {name: cell.strip() for name, cell in cells.items()}
        self.known_techniques, self.known_categories = techniques, categories

    def row(self) -> Row:
        values: dict[str, Any] = {TEXTS[name]: cell for name, cell in self.cells.items() if name in TEXTS and cell}
        for name in REQUIRED:
            if not self.cells.get(name):
                self.wrong(name, _("This cell may not be empty."))
        values.update(self.chosen())
        self.measured(values)
        if self.cells.get("category"):
            values["category_id"] = self.category()
        if self.cells.get("subject"):
            values["subjects"] = list(dict.fromkeys(_list(self.cells["subject"])))
        if self.cells.get("modes"):
            values.update(self.modes())
        return Row(self.line, values, self.techniques() if self.cells.get("technique") else None)

    def chosen(self) -> dict[str, Any]:
        """Words out of a list."""
        values: dict[str, Any] = {}
        for name in CHOICES:
            if self.cells.get(name):
                choices = _CHOICES[name]
                self.put(values, name, _choice(self.cells[name], choices), ", ".join(map(str, choices.labels)))
        if self.cells.get("customs_supervised"):
            self.put(values, "customs_supervised", _yes_or_no(self.cells["customs_supervised"]), "是, 否, yes, no")
        return values

    def measured(self, values: dict[str, Any]) -> None:
        """Numbers and dates."""
        for name in DECIMALS:
            if self.cells.get(name):
                self.put(values, name, _decimal(self.cells[name]), "123.45" if name == "worth" else "1600.5")
        for name in DATES:
            if self.cells.get(name):
                self.put(values, name, _day(self.cells[name]), "2024-05-31")
        if self.cells.get("units"):
            cell = self.cells["units"]
            self.put(values, "units", int(cell) if cell.isdecimal() and len(cell) < 4 else None, "1–100")

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
        note = _("Line %(line)s: category %(code)s is not known; stored as %(unknown)s.")
        self.report.notes.append(note % {"line": self.line, "code": code[:20], "unknown": UNKNOWN})
        return UNKNOWN

    def modes(self) -> dict[str, bool]:
        words = {str(label).casefold(): value for value, label in Mode.choices}
        named = [_MODES.get(name) or words.get(name.casefold(), name.lower()) for name in _list(self.cells["modes"])]
        for name in named:
            if name not in Mode.values:
                params = {"value": name[:40], "allowed": "; ".join(map(str, Mode.labels))}
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
        self.report.problems.append(problem_at(self.line, column, reason))


def column_of(field_name: str) -> str:
    """The column that fills a field."""
    columns = {model_field: column for column, model_field in TEXTS.items()}
    columns |= {"category_id": "category", "subjects": "subject"}
    return columns.get(field_name, "modes" if field_name.startswith("mode_") else field_name)


def _list(cell: str) -> list[str]:
    return [part for part in (piece.strip() for piece in _SEVERAL.split(cell)) if part]


def _choice(cell: str, choices: Any) -> str | None:
    """By value, by the word that people read, or by the national form's word."""
    words = {str(label).casefold(): str(value) for value, label in choices.choices}
    # 其他 is a word of several lists.
    national = "other" if cell == "其他" else str(_NATIONAL.get(cell, cell.casefold()))
    found = words.get(cell.casefold(), national)
    return found if found in choices.values else None


def _yes_or_no(cell: str) -> bool | None:
    word = cell.casefold()
    return True if word in _YES else False if word in _NO else None


def _decimal(cell: str) -> Decimal | None:
    try:
        number = Decimal(cell.replace(",", ""))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number < 10**10 else None


def _day(cell: str) -> date | None:
    """2024-05-31, 2024/5/31, 2024.5.31, 20240531, 2024年5月31日."""
    found = re.fullmatch(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})", cell)
    if found is None:
        return None
    try:
        return date(*(int(part) for part in found.groups() if part))
    except ValueError:
        return None
