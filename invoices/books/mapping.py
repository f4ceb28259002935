"""Which account takes what, as an institution's finance says it in JSON: read with every fault named.

``presets.json`` beside this file holds the usual charts of accounts to begin with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal

# What else than revenue is booked. Only the first two are always needed.
ROLES = ("receivable", "bank", "tax", "prepaid", "surplus", "voucher", "voucher_bonus")
NEEDED = ("receivable", "bank")
# What a rule may look at: patterns with ``*``; ``customer`` is institution, enterprise or internal, ``tax`` a percent.
FACTS = ("code", "name", "subject", "mode", "category", "source", "price_list", "customer", "tax")
CUSTOMERS = ("enterprise", "institution", "internal")
MOST_RULES = 500
_ACCOUNT = re.compile(r"[0-9A-Za-z.\-_]{1,30}")
_PLACE = re.compile(r"\{(\w*)\}")
_PLACES = {"number", "period", "customer"}
_KEYS = {"word", "summary", "credit_notes", "revenue", *ROLES}

Fault = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Account:
    code: str
    name: str = ""
    centre: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    when: Mapping[str, str]
    account: Account

    def matches(self, facts: Mapping[str, str]) -> bool:
        return all(fnmatchcase(facts.get(key, ""), pattern) for key, pattern in self.when.items())


@dataclass(frozen=True, slots=True)
class AccountMapping:
    """``red``: credit notes have amounts below zero on the usual sides (红字); otherwise they change sides."""

    roles: Mapping[str, Account]
    revenue: tuple[Rule, ...]
    word: str = "记"
    summary: str = "{customer} {number}"
    red: bool = True

    def revenue_of(self, facts: Mapping[str, str]) -> Account | None:
        """That of the first rule that matches, as people read such a list."""
        return next((rule.account for rule in self.revenue if rule.matches(facts)), None)


def read_mapping(content: Mapping[str, Any]) -> AccountMapping:
    """`Invalid` with a sentence for each fault and the place where it stands."""
    faults: list[Refusal] = []

    def fault(place: str, detail: str) -> None:
        faults.append(Refusal("bad_setting", f"{place}: {detail}" if place else detail, field=place))

    if not isinstance(content, Mapping):
        raise Invalid(Refusal("bad_setting", _("This must be a JSON object.")))
    for key in sorted(set(content) - _KEYS):
        fault(key, _("This is not known here."))
    roles = {}
    for role in ROLES:
        if content.get(role) is not None:
            roles[role] = _account(content[role], role, fault)
        elif role in NEEDED:
            fault(role, _("This account is needed."))
    word, summary = content.get("word", "记"), content.get("summary", "{customer} {number}")
    if not (isinstance(word, str) and 1 <= len(word) <= 4):
        fault("word", _("One to four characters, for example 记."))
    if not (isinstance(summary, str) and len(summary) <= 200):
        fault("summary", _("At most %(max_length)s characters.") % {"max_length": 200})
    elif set(names := _PLACE.findall(summary)) - _PLACES or {summary.count("{"), summary.count("}")} != {len(names)}:
        fault("summary", _("There are %(words)s.") % {"words": "{number}, {period}, {customer}"})
    sign = content.get("credit_notes", "red")
    if sign not in ("red", "swap"):
        fault("credit_notes", _("One of %(words)s.") % {"words": "red, swap"})
    revenue = _rules(content.get("revenue", []), fault)
    if faults:
        raise Invalid(*faults)
    return AccountMapping(roles, revenue, word, summary, sign == "red")


def _account(value: Any, place: str, fault: Fault) -> Account:
    known = {"account", "name", "cost_centre"}
    if not isinstance(value, Mapping) or set(value) - known or not all(isinstance(one, str) for one in value.values()):
        fault(place, _("An account has %(words)s as text.") % {"words": "account, name, cost_centre"})
        return Account("")
    code, name, centre = (value.get(key, "").strip() for key in ("account", "name", "cost_centre"))
    if not _ACCOUNT.fullmatch(code):
        fault(place, _("An account number has up to 30 digits, letters, points and hyphens."))
    if len(name) > 100 or len(centre) > 60:
        fault(place, _("At most %(max_length)s characters.") % {"max_length": 100 if len(name) > 100 else 60})
    return Account(code, name, centre)


def _rules(rows: Any, fault: Fault) -> tuple[Rule, ...]:
    if not isinstance(rows, list) or len(rows) > MOST_RULES:
        fault("revenue", _("A list of at most %(limit)s rows.") % {"limit": MOST_RULES})
        return ()
    found = []
    for index, row in enumerate(rows, 1):
        place = f"revenue {index}"
        if not isinstance(row, Mapping):
            fault(place, _("This must be a JSON object."))
            continue
        when = row.get("when", {})
        if not isinstance(when, Mapping) or set(when) - set(FACTS):
            fault(place, _("A rule may ask for %(words)s.") % {"words": ", ".join(FACTS)})
            continue
        account = _account({key: value for key, value in row.items() if key != "when"}, place, fault)
        found.append(Rule(_patterns(when, place, fault), account))
    return tuple(found)


def _patterns(when: Mapping[str, Any], place: str, fault: Fault) -> dict[str, str]:
    patterns = {}
    for key, value in when.items():
        if not isinstance(value, str) or len(value) > 200:
            fault(place, _("This must be text."))
        elif key == "customer" and value not in CUSTOMERS:
            fault(place, _("One of %(words)s.") % {"words": ", ".join(CUSTOMERS)})
        elif value:
            patterns[key] = _plain_percent(value) if key == "tax" else value
    return patterns


def _plain_percent(text: str) -> str:
    """6.00 and 6 % are written as 6, as the facts are; a pattern stays as it is."""
    try:
        number = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        return text
    # A number with a great exponent would be written with as many digits.
    return f"{number.normalize():f}" if number.is_finite() and abs(number.adjusted()) < 10 else text


@cache
def presets() -> dict[str, Any]:
    """Mappings to begin with, by name."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "presets.json").read_text(encoding="utf-8"))
    return found
