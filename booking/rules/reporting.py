"""Months and quarters of a report, and the words of the national service record."""

from __future__ import annotations

import re
from datetime import date

from instruments.models import Mode

PERIOD = r"^20\d\d(-(0[1-9]|1[0-2])|Q[1-4])$"
_PERIOD = re.compile(PERIOD)

# The interface wants these words: how the instrument was shared.
WAYS = {Mode.SELF: "占用共享", Mode.OPERATOR: "技术共享", Mode.SAMPLE: "委托共享"}
OTHER_WAY = "其他"
INTERNAL, EXTERNAL = 120, 130
YES, NO = "是", "否"

# In the order of the interface; its fields that are not kept here stay empty.
SERVICE_RECORD = (
    *("recordInnerId", "innerId", "amounts", "serviceAmount", "serviceTime", "endTime", "serviceContent"),
    *("serviceWay", "serviceType", "serviceDirection", "subjectName", "subjectIncome", "subjectArea"),
    *("applicant", "phone", "email", "unit", "comment", "signAgreement"),
)


def is_period(text: str) -> bool:
    return _PERIOD.fullmatch(text) is not None


def days_of(period: str) -> tuple[date, date]:
    """The first day of ``2026-03`` or ``2026Q1`` and the first day after it; ValueError for anything else."""
    if not is_period(period):
        raise ValueError(f"neither month nor quarter: {period!r}")
    year = int(period[:4])
    month, length = (int(period[5:]), 1) if period[4] == "-" else (int(period[5]) * 3 - 2, 3)
    after = year * 12 + month - 1 + length
    return date(year, month, 1), date(after // 12, after % 12 + 1, 1)


def quarter_of(day: date) -> str:
    return f"{day.year}Q{(day.month + 2) // 3}"
