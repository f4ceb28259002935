"""Reads a price list from its JSON: `parse_price_list`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, cast

from django.utils.translation import gettext as _

from instruments.pricing.model import (
    ADJUSTMENTS,
    Account,
    Due,
    Kind,
    Mode,
    Pick,
    PriceList,
    Quantity,
    Row,
    Rule,
    Scalar,
    Scope,
    Take,
    Term,
    Tier,
)
from instruments.pricing.reader import Reader
from instruments.pricing.reading_terms import (
    UNITS,
    read_adjustments,
    read_condition,
    read_quantity,
    read_span,
    read_term,
    read_window,
)

LIST_KEYS = (
    "name", "currency", "places", "valid_from", "holidays", "bands", "quantities", "tables", "rules",
    "labels",
)  # fmt: skip
RULE_KEYS = (
    "code", "name", "tags", "when", "kind", "required", "account", "due", "pick", "scope", "mode",
    "qty", "rate", "rows", "table", "tiers", "on", "as_if", "limit",
)  # fmt: skip
ROW_KEYS = ("when", "rate", "tiers", "adjust")
TIER_KEYS = ("from", "over", "rate", "pct", "flat")
PICK_KEYS = ("group", "option", "take")
SCOPE_KEYS = ("per", "period", "on")


def parse_price_list(document: Mapping[str, Any]) -> PriceList:
    """Raises `Invalid` with every problem, each with its path (``field``) and what to do (``fix_text``)."""
    outline = document if isinstance(document, Mapping) else {}
    reader = Reader(_names(outline.get("quantities")), _names(outline.get("bands")))
    raw = reader.mapping(document, "price_list", LIST_KEYS)
    name, currency = raw.get("name", "price list"), raw.get("currency", "CNY")
    tables = {key: _read_rows(reader, rows, f"tables.{key}") for key, rows in _members(reader, raw, "tables").items()}
    result = PriceList(
        name=reader.text(name, "name"),
        currency=reader.text(currency, "currency"),
        places=reader.whole(raw.get("places", 2), "places", 0, 6),
        valid_from=reader.day(raw["valid_from"], "valid_from") if "valid_from" in raw else None,
        holidays=_read_holidays(reader, raw.get("holidays", [])),
        bands={
            key: tuple(read_window(reader, item, f"bands.{key}[{n}]") for n, item in enumerate(windows))
            for key, windows in _lists(reader, raw, "bands").items()
        },
        quantities=_read_quantities(reader, raw),
        tables=tables,
        rules=_read_rules(reader, raw.get("rules"), tables),
        histories=tuple(reader.histories),
        notes=tuple(reader.notes),
        labels={
            code: _read_label(reader, value, f"labels.{code}")
            for code, value in _members(reader, raw, "labels").items()
        },
    )
    reader.finish()
    return result


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(key) for key in value) if isinstance(value, Mapping) else ()


def _members(reader: Reader, raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    return reader.mapping(raw.get(key, {}), key)


def _lists(reader: Reader, raw: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: reader.sequence(value, f"{key}.{name}") for name, value in _members(reader, raw, key).items()}


def _read_holidays(reader: Reader, value: object) -> frozenset[date]:
    return frozenset(reader.day(item, f"holidays[{n}]") for n, item in enumerate(reader.sequence(value, "holidays")))


def _read_label(reader: Reader, value: object, path: str) -> Mapping[str, str]:
    """One text, or one for each language."""
    if isinstance(value, Mapping) and value:
        return {str(language): reader.text(text, f"{path}.{language}") for language, text in value.items()}
    return {"": reader.text(value, path)}


def _read_quantities(reader: Reader, raw: Mapping[str, Any]) -> dict[str, Quantity]:
    found = {}
    for name, value in _members(reader, raw, "quantities").items():
        reader.inside = name
        found[name] = read_quantity(reader, value, f"quantities.{name}")
    reader.inside = None
    for name in found:
        if _reaches(reader.refers, name):
            reader.problem(
                f"quantities.{name}",
                _("The quantity “%(name)s” is defined by itself.") % {"name": name},
                _("Let it count a clock or an attribute in the end."),
            )
    return found


def _reaches(refers: Mapping[str, set[str]], name: str) -> bool:
    """Whether following the references of ``name`` leads back to it."""
    seen: set[str] = set()
    waiting = list(refers.get(name, ()))
    while waiting:
        other = waiting.pop()
        if other not in seen:
            seen.add(other)
            waiting.extend(refers.get(other, ()))
    return name in seen


def _read_rules(reader: Reader, value: object, tables: Mapping[str, tuple[Row, ...]]) -> tuple[Rule, ...]:
    if value is None:
        reader.problem("rules", _("There are no rules."), _("Add at least one price."))
        return ()
    listed = enumerate(reader.sequence(value, "rules"))
    return tuple(_read_rule(reader, item, f"rules[{n}]", tables) for n, item in listed)


def _read_rule(reader: Reader, value: object, path: str, tables: Mapping[str, tuple[Row, ...]]) -> Rule:
    raw = reader.mapping(value, path, RULE_KEYS)
    code = _read_code(reader, raw.get("code"), f"{path}.code")
    kind = cast(Kind, reader.choice(raw.get("kind"), f"{path}.kind", ("price", "percent", "limit")))
    rule = Rule(
        code=code,
        name=reader.text(raw.get("name", code), f"{path}.name"),
        kind=kind,
        tags=frozenset(reader.texts(raw.get("tags", ()), f"{path}.tags")),
        when=read_condition(reader, raw.get("when", {}), f"{path}.when"),
        required=reader.boolean(raw.get("required", False), f"{path}.required"),
        account=cast(Account, reader.choice(raw.get("account", "invoice"), f"{path}.account", _ACCOUNTS)),
        due=_read_due(reader, raw["due"], f"{path}.due") if "due" in raw else None,
        pick=_read_pick(reader, raw["pick"], f"{path}.pick", code) if "pick" in raw else None,
        scope=_read_scope(reader, raw["scope"], f"{path}.scope") if "scope" in raw else None,
        mode=cast(Mode, reader.choice(raw.get("mode", "marginal"), f"{path}.mode", ("marginal", "all"))),
        factors=_read_factors(reader, raw.get("qty", ()), f"{path}.qty"),
        rate=read_term(reader, raw["rate"], f"{path}.rate") if "rate" in raw else None,
        rows=_read_rows(reader, raw.get("rows", ()), f"{path}.rows"),
        table=reader.text(raw["table"], f"{path}.table") if "table" in raw else None,
        tiers=_read_tiers(reader, raw.get("tiers", ()), f"{path}.tiers"),
        on=reader.texts(raw.get("on", ["*"]), f"{path}.on"),
        as_if=_read_as_if(reader, raw.get("as_if", {}), f"{path}.as_if"),
        limit="min" if raw.get("limit") == "min" else "max",
    )
    if kind == "limit":
        reader.choice(raw.get("limit"), f"{path}.limit", ("max", "min"))
    _require_amount(reader, rule, path, tables)
    return rule


_ACCOUNTS = ("invoice", "credit", "memo")


def _read_code(reader: Reader, value: object, path: str) -> str:
    code = reader.text(value, path)
    if code == "*" or code.startswith("-"):
        reader.problem(
            path,
            _("“%(code)s” cannot be a code: it has a meaning of its own.") % {"code": code},
            _("Begin the code with a letter."),
        )
    return code


def _require_amount(reader: Reader, rule: Rule, path: str, tables: Mapping[str, tuple[Row, ...]]) -> None:
    """A rule needs something to charge, in itself or in each of its rows."""
    if rule.table is not None and rule.table not in tables:
        fix = _("Define the table or choose one of: %(names)s.") % {"names": ", ".join(sorted(tables))}
        reader.problem(f"{path}.table", _("There is no table “%(name)s”.") % {"name": rule.table}, fix)
        return
    rows = tables[rule.table] if rule.table is not None else rule.rows
    tiered = rule.kind != "limit"
    own = rule.rate is not None or (tiered and bool(rule.tiers))
    priced = all(row.rate is not None or (tiered and row.tiers) for row in rows) if rows else False
    if not own and not priced:
        reader.problem(
            path,
            _("The rule “%(name)s” has no price.") % {"name": rule.name},
            _("Give it a rate, rows with a rate each, a table or tiers."),
        )
    elif rule.kind == "price":
        _require_base(reader, rule, path, rows)


def _require_base(reader: Reader, rule: Rule, path: str, rows: tuple[Row, ...]) -> None:
    """A percentage of the price needs a price."""
    combined = [(row.tiers or rule.tiers, row.rate) for row in rows] or [(rule.tiers, None)]
    for tiers, rate in combined:
        if rate is None and rule.rate is None and any(tier.pct is not None for tier in tiers):
            reader.problem(
                f"{path}.tiers",
                _("The tiers of “%(name)s” are percentages, but there is no price to take them of.")
                % {"name": rule.name},
                _("Add the full price as rate, or write the price of each tier."),
            )
            return


def _read_factors(reader: Reader, value: object, path: str) -> tuple[Term, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(read_term(reader, item, f"{path}[{n}]") for n, item in enumerate(listed))


def _read_rows(reader: Reader, value: object, path: str) -> tuple[Row, ...]:
    return tuple(_read_row(reader, item, f"{path}[{n}]") for n, item in enumerate(reader.sequence(value, path)))


def _read_row(reader: Reader, value: object, path: str) -> Row:
    raw = reader.mapping(value, path, ROW_KEYS)
    adjust = reader.mapping(raw.get("adjust", {}), f"{path}.adjust", ADJUSTMENTS)
    return Row(
        when=read_condition(reader, raw.get("when", {}), f"{path}.when"),
        rate=read_term(reader, raw["rate"], f"{path}.rate") if "rate" in raw else None,
        tiers=_read_tiers(reader, raw.get("tiers", ()), f"{path}.tiers"),
        adjust=read_adjustments(reader, adjust, f"{path}.adjust"),
    )


def _read_tiers(reader: Reader, value: object, path: str) -> tuple[Tier, ...]:
    """In ascending order, whatever the order in the file (which `checks` remarks on)."""
    tiers = tuple(_read_tier(reader, item, f"{path}[{n}]") for n, item in enumerate(reader.sequence(value, path)))
    ordered = tuple(sorted(tiers, key=lambda tier: (tier.bound, tier.strict)))
    if ordered != tiers:
        reader.note("tiers_order", path, _("The tiers are not in ascending order."), _("Order them by their start."))
    return ordered


def _read_tier(reader: Reader, value: object, path: str) -> Tier:
    raw = reader.mapping(value, path, TIER_KEYS)
    strict = "over" in raw
    bound = reader.number(raw["over"] if strict else raw.get("from", 0), f"{path}.{'over' if strict else 'from'}")
    if not {"rate", "pct", "flat"} & set(raw):
        reader.problem(
            path, _("“%(path)s” has no price.") % {"path": path}, _("Give it a rate, a pct or a flat amount.")
        )
    rate, pct, flat = (
        read_term(reader, raw[key], f"{path}.{key}") if key in raw else None for key in ("rate", "pct", "flat")
    )
    return Tier(bound, strict, rate, pct, flat)


def _read_pick(reader: Reader, value: object, path: str, code: str) -> Pick:
    raw = reader.mapping(value, path, PICK_KEYS)
    take = reader.choice(raw.get("take", "lowest"), f"{path}.take", ("first", "lowest", "highest"))
    return Pick(
        group=reader.text(raw.get("group"), f"{path}.group"),
        option=reader.text(raw.get("option", code), f"{path}.option"),
        take=cast(Take, take),
    )


def _read_scope(reader: Reader, value: object, path: str) -> Scope:
    raw = reader.mapping(value, path, SCOPE_KEYS)
    return Scope(
        per=reader.texts(raw.get("per", ()), f"{path}.per"),
        span=read_span(reader, raw.get("period", "ever"), f"{path}.period"),
        on=reader.texts(raw["on"], f"{path}.on") if "on" in raw else None,
    )


def _read_due(reader: Reader, value: object, path: str) -> Due | None:
    """A period, whose end it falls due at, or ``{period, after}``; anything else is noted only."""
    if isinstance(value, Mapping) and "period" in value:
        raw = reader.mapping(value, path, ("period", "after"))
        return Due(
            read_span(reader, raw.get("period"), f"{path}.period"),
            reader.whole(raw.get("after", 1), f"{path}.after", 1, 100),
        )
    if isinstance(value, Mapping) or value in UNITS[:-1]:
        return Due(read_span(reader, value, path), 1)
    if isinstance(value, str) and value.removeprefix("next").strip(" _-") in UNITS[:-1]:
        return Due(read_span(reader, value.removeprefix("next").strip(" _-"), path), 1)
    reader.note(
        "due_unknown",
        path,
        _("“%(path)s” is not a period.") % {"path": path},
        _("Write one of %(names)s.") % {"names": ", ".join(UNITS)},
    )
    return None


def _read_as_if(reader: Reader, value: object, path: str) -> tuple[tuple[str, Scalar], ...]:
    raw = reader.mapping(value, path)
    return tuple((name, reader.scalar(item, f"{path}.{name}")) for name, item in raw.items())
