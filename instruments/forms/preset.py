"""The document of the price form: what of a price list the form can say, and how it is written back.

Set-up per use, hours by audience and mode, late cancellation, samples by number, a percentage on top.
Other rules of a list stay as they are. Values are named as the form's fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from instruments.actions.prices import AUDIENCES

CLOCKS = ("booked", "used", "longer", "union")
STEPS = (15, 30, 60)
TIMED = ("self", "operator")
# The rules that the form writes, in this order.
CODES = ("setup", "time", "late_cancel", "sample", "overhead")
_MISSHAPEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)


def preset_values(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """The form's values for a document; None where the form's own rules say more than the form can.

    They are right if writing them back changes nothing.
    """
    try:
        values = dict(_read(document))
        known = values.get("clock", CLOCKS[0]) in CLOCKS and values.get("step", "") in ("", *map(str, STEPS))
        priced = any(name.partition("-")[0] in (*TIMED, "sample") for name in values if "-" in name)
        return values if known and priced and preset_document(values, document) == document else None
    except _MISSHAPEN:
        return None


def other_rules(document: Mapping[str, Any]) -> list[str]:
    """The names of the rules that the form leaves alone."""
    return [str(rule.get("name") or rule["code"]) for rule in document["rules"] if rule["code"] not in CODES]


def preset_document(values: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the values; of ``base`` stays what the form does not say."""
    out: dict[str, Any] = deepcopy(dict(base)) if base else {"places": 2}
    out["name"] = values["name"]
    names = {rule["code"]: rule.get("name") for rule in out.get("rules", [])}
    made = {rule["code"]: rule for rule in _rules(values, names)}
    tables = dict(out.get("tables", {}))
    for name, rows in (("hour", _hour_rows(values)), ("sample", _sample_rows(values))):
        tables.pop(name, None)
        if rows:
            tables[name] = rows
    if tables or "tables" in out:
        out["tables"] = tables
    if "time" in made:
        out["quantities"] = {**out.get("quantities", {}), "hours": _hours(values)}
    out["rules"] = _placed(made, out.get("rules", []))
    return out


def _placed(made: Mapping[str, dict[str, Any]], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In the old order; a new rule stands behind the one that the form writes before it."""
    rules = [made.get(rule["code"], rule) for rule in old if rule["code"] not in CODES or rule["code"] in made]
    place = 0
    for code, rule in made.items():
        codes = [one["code"] for one in rules]
        if code not in codes:
            rules.insert(place, rule)
            codes.insert(place, code)
        place = codes.index(code) + 1
    return rules


def _rules(values: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    timed = _timed(values)
    use = {"event": "use", "mode": timed}
    setup = _audience_rows(values, "setup")
    if timed and setup:
        yield {"code": "setup", "name": names.get("setup") or _("Set-up"), "kind": "price", "when": use, "rows": setup}
    if timed:
        yield _price("time", names.get("time") or _("Machine time"), use, "hours", "hour")
    if timed and values.get("late_percent") is not None and values.get("late_hours") is not None:
        hours = number(values["late_hours"])
        usual = _("Late cancellation (less than %(hours)s h before)") % {"hours": hours}
        yield {
            "code": "late_cancel",
            "name": values.get("late_name") or usual,
            "kind": "percent",
            "when": {"event": "cancel", "notice": {"<": hours}},
            "on": ["time"],
            "as_if": {"event": "use"},
            "rate": number(values["late_percent"]),
        }
    if _sample_rows(values):
        when = {"event": "use", "mode": "sample"}
        yield _price("sample", names.get("sample") or _("Sample testing"), when, "samples", "sample")
    if values.get("overhead") is not None:
        yield {
            "code": "overhead",
            "name": names.get("overhead") or _("Management fee"),
            "kind": "percent",
            "when": {"event": "use"},
            "on": ["*"],
            "rate": number(values["overhead"]),
        }


def _price(code: str, name: str, when: dict[str, Any], quantity: str, table: str) -> dict[str, Any]:
    """``required``: who finds no row is refused instead of paying nothing."""
    fixed = {"code": code, "name": name, "kind": "price", "required": True, "when": when}
    return {**fixed, "qty": [quantity], "table": table}


def _timed(values: Mapping[str, Any]) -> list[str]:
    return [mode for mode in TIMED if _audience_rows(values, mode)]


def _hours(values: Mapping[str, Any]) -> dict[str, Any]:
    hours: dict[str, Any] = {"of": values["clock"]}
    if values.get("minimum"):
        hours["min"] = number(values["minimum"])
    if values.get("step"):
        hours["step"] = int(values["step"]) / 60
    return hours


def _hour_rows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"when": {"mode": mode, **row["when"]}, "rate": row["rate"]}
        for mode in TIMED
        for row in _audience_rows(values, mode)
    ]


def _sample_rows(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    out = []
    for row in _audience_rows(values, "sample"):
        more = values.get(f"more-{row['when']['audience']}")
        if more is not None:
            tiers = [{"from": 0, "rate": row["rate"]}, {"from": number(values["more_from"]), "rate": number(more)}]
            row = {"when": row["when"], "tiers": tiers}
        out.append(row)
    return out


def _audience_rows(values: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    rates = {audience: values.get(f"{column}-{audience}") for audience in AUDIENCES}
    return [
        {"when": {"audience": audience}, "rate": number(rate)} for audience, rate in rates.items() if rate is not None
    ]


def _read(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Leniently: `preset_values` notices what was overlooked."""
    rules = {rule["code"]: rule for rule in document["rules"]}
    tables = document.get("tables", {})
    yield "name", document.get("name", "")
    for row in rules.get("setup", {}).get("rows", []):
        yield f"setup-{row['when']['audience']}", _decimal(row["rate"])
    if "time" in rules:
        for row in tables["hour"]:
            yield f"{row['when']['mode']}-{row['when']['audience']}", _decimal(row["rate"])
        hours = document["quantities"]["hours"]
        yield "clock", hours["of"]
        yield "minimum", _decimal(hours["min"]) if "min" in hours else None
        yield "step", str(round(hours["step"] * 60)) if "step" in hours else ""
    if "late_cancel" in rules:
        late = rules["late_cancel"]
        yield "late_percent", _decimal(late["rate"])
        yield "late_hours", _decimal(late["when"]["notice"]["<"])
        yield "late_name", late["name"]
    if "sample" in rules:
        for row in tables["sample"]:
            audience = row["when"]["audience"]
            tiers = row.get("tiers") or [row]
            yield f"sample-{audience}", _decimal(tiers[0]["rate"])
            if len(tiers) > 1:
                yield f"more-{audience}", _decimal(tiers[1]["rate"])
                yield "more_from", _decimal(tiers[1]["from"])
    if "overhead" in rules:
        yield "overhead", _decimal(rules["overhead"]["rate"])


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value))


def number(value: Decimal | int) -> int | float:
    return int(value) if value == int(value) else float(value)
