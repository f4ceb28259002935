"""The JSON in which an institution says how the template is filled: read with every fault named, and written again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal
from invoices.fapiao.layout import NORMAL, SPECIAL, Filling, TaxClass

_TEXTS = {"payee": 16, "reviewer": 16, "remark": 200}
_FLAGS = ("show_buyer", "show_seller")
_NUMBERS = {"most_fapiao": 5000, "most_lines": 2000}
_CLASS = {"code": 40, "subject": 200, "tax_code": 19, "item": 100, "policy": 40}
_KEYS = {"type", "special", "most_amount", "classes", *_TEXTS, *_FLAGS, *_NUMBERS}
MOST_CLASSES = 200
_TAX_CODE = re.compile(r"[0-9]{1,19}")
_PLACE = re.compile(r"\{(\w*)\}")


def read_filling(content: Mapping[str, Any]) -> Filling:
    """`Invalid` with a sentence for each fault and the place where it stands."""
    faults: list[Refusal] = []

    def fault(place: str, detail: str) -> None:
        faults.append(Refusal("bad_setting", f"{place}: {detail}" if place else detail, field=place))

    if not isinstance(content, Mapping):
        raise Invalid(Refusal("bad_setting", _("This must be a JSON object.")))
    for key in sorted(set(content) - _KEYS):
        fault(key, _("This is not known here."))
    values: dict[str, Any] = {key: _text(content, key, most, fault) for key, most in _TEXTS.items() if key in content}
    for key in _FLAGS:
        if not isinstance(content.get(key, False), bool):
            fault(key, _("Say true or false."))
    for key, most in _NUMBERS.items():
        number = content.get(key)
        if number is not None and not (type(number) is int and 1 <= number <= most):
            fault(key, _("A whole number from 1 to %(most)s, or null.") % {"most": most})
    if content.get("type", NORMAL) not in (NORMAL, SPECIAL):
        fault("type", _("One of %(words)s.") % {"words": f"{NORMAL}, {SPECIAL}"})
    special = _special(content.get("special", []), fault)
    _check_remark(values.get("remark", ""), fault)
    amount = _amount(content.get("most_amount"), fault)
    classes = _classes(content.get("classes", []), fault)
    if faults:
        raise Invalid(*faults)
    plain = {key: content[key] for key in (*_FLAGS, *_NUMBERS, "type") if key in content}
    return Filling(**plain, **values, special=special, most_amount=amount, classes=classes)


def _special(codes: Any, fault: Any) -> frozenset[str]:
    if isinstance(codes, list) and all(isinstance(one, str) for one in codes):
        return frozenset(code.strip().upper() for code in codes)
    fault("special", _("A list of credit codes."))
    return frozenset()


def _check_remark(text: str, fault: Any) -> None:
    names = _PLACE.findall(text)
    if set(names) - {"number", "period"} or text.count("{") != len(names) or text.count("}") != len(names):
        fault("remark", _("There are %(words)s.") % {"words": "{number}, {period}"})


def _text(content: Mapping[str, Any], key: str, most: int, fault: Any) -> str:
    text = content.get(key, "")
    if not isinstance(text, str):
        fault(key, _("This must be text."))
        return ""
    if len(text) > most:
        fault(key, _("At most %(max_length)s characters.") % {"max_length": most})
    return text.strip()


def _amount(value: Any, fault: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or not Decimal("0.01") <= amount <= Decimal("99999999999.99"):
        fault("most_amount", _('An amount above zero as text, for example "100000.00", or null.'))
        return None
    return amount.quantize(Decimal("0.01"))


def _classes(rows: Any, fault: Any) -> tuple[TaxClass, ...]:
    if not isinstance(rows, list) or len(rows) > MOST_CLASSES:
        fault("classes", _("A list of at most %(limit)s rows.") % {"limit": MOST_CLASSES})
        return ()
    found = []
    for index, row in enumerate(rows, 1):
        place = f"classes {index}"
        if not isinstance(row, Mapping) or set(row) - set(_CLASS):
            fault(place, _("A row has %(words)s.") % {"words": ", ".join(_CLASS)})
            continue
        texts = {key: _text(row, key, most, lambda _key, detail, place=place: fault(place, detail))
                 for key, most in _CLASS.items()}  # fmt: skip
        if texts["tax_code"] and not _TAX_CODE.fullmatch(texts["tax_code"]):
            fault(place, _("A tax classification has up to 19 digits."))
        found.append(TaxClass(**texts))
    return tuple(found)
