"""Static checks when a price list is saved: mistakes that would charge the wrong amount without a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from instruments.pricing.model import PriceList, Quantity, Ref, Row, Rule, Tier
from instruments.pricing.program import select
from instruments.pricing.shadows import always_includes
from instruments.pricing.walking import is_timed, terms_in, terms_of_rule


def check_price_list(price_list: PriceList) -> list[Refusal]:
    """All mistakes; ``field`` is the place, ``params["rule"]`` the code of the rule, ``fix_text`` what to do."""
    found = [*price_list.notes, *_check_bands(price_list), *_check_codes(price_list), *_check_groups(price_list)]
    for name, quantity in price_list.quantities.items():
        for term in terms_in([quantity]):
            found += _check_term(term, price_list, f"quantities.{name}", "")
    for name, rows in price_list.tables.items():
        found += _check_rows(rows, f"tables.{name}", "")
    for position, rule in enumerate(price_list.rules):
        found += _check_rule(price_list, position, rule)
    return list({(refusal.code, refusal.field, str(refusal.detail)): refusal for refusal in found}.values())


def _refusal(code: str, sentence: str, fix: str, field: str, rule: str = "") -> Refusal:
    return Refusal(code, sentence, field=field, params={"rule": rule} if rule else {}, fix_text=fix)


def _check_bands(price_list: PriceList) -> Iterator[Refusal]:
    for name, windows in price_list.bands.items():
        if not windows:
            sentence = _("The band “%(name)s” has no windows: nothing ever lies in it.") % {"name": name}
            yield _refusal("band_empty", sentence, _("Add a window."), f"bands.{name}")


def _check_codes(price_list: PriceList) -> Iterator[Refusal]:
    if not price_list.rules:
        yield _refusal("no_rules", _("There are no rules."), _("Add at least one price."), "rules")
    seen: set[str] = set()
    for rule in price_list.rules:
        if rule.code in seen:
            sentence = _("Two rules have the code “%(code)s”.") % {"code": rule.code}
            yield _refusal("code_twice", sentence, _("Give each rule a code of its own."), _field(rule), rule.code)
        seen.add(rule.code)


def _field(rule: Rule, part: str = "") -> str:
    return f"rules.{rule.code}.{part}" if part else f"rules.{rule.code}"


def _check_groups(price_list: PriceList) -> Iterator[Refusal]:
    """Contiguous, one way to choose, at least two options."""
    groups: dict[str, list[tuple[int, Rule]]] = {}
    for position, rule in enumerate(price_list.rules):
        if rule.pick is not None:
            groups.setdefault(rule.pick.group, []).append((position, rule))
    for group, members in groups.items():
        first, last = members[0], members[-1]
        field, code, name = _field(last[1], "pick"), last[1].code, {"group": group}
        if last[0] - first[0] + 1 != len(members):
            sentence = _("The rules of the choice “%(group)s” do not follow one another.") % name
            yield _refusal("group_split", sentence, _("Move them next to each other."), field, code)
        if len({rule.pick.take for _position, rule in members if rule.pick}) > 1:
            sentence = _("The rules of the choice “%(group)s” choose in different ways.") % name
            yield _refusal("group_take", sentence, _("Write the same “take” in each."), field, code)
        if len({rule.pick.option for _position, rule in members if rule.pick}) == 1:
            sentence = _("The choice “%(group)s” has one option only.") % name
            yield _refusal("group_single", sentence, _("Add the alternative, or remove the choice."), field, code)


def _check_rule(price_list: PriceList, position: int, rule: Rule) -> Iterator[Refusal]:
    yield from _check_on(price_list.rules, position, rule)
    yield from _check_tiers(rule.tiers, _field(rule, "tiers"), rule.code)
    yield from _check_rows(rule.rows, _field(rule, "rows"), rule.code)
    for term in terms_of_rule(rule, price_list):
        yield from _check_term(term, price_list, _field(rule), rule.code)
    if rule.as_if and rule.kind != "percent":
        sentence = _("%(name)s: “as_if” has a meaning for percentages only.") % {"name": rule.name}
        yield _refusal(
            "as_if_kind", sentence, _("Make it a percentage of the prices."), _field(rule, "as_if"), rule.code
        )
    if rule.scope is not None:
        yield from _check_scope(price_list, rule)


def _check_scope(price_list: PriceList, rule: Rule) -> Iterator[Refusal]:
    scope = rule.scope
    assert scope is not None
    if not scope.per and scope.span.unit != "use":
        sentence = _("%(name)s: the scope names no party, so strangers would share it.") % {"name": rule.name}
        fix = _("Name the party, e.g. person, group or organisation.")
        yield _refusal("scope_party", sentence, fix, _field(rule, "scope.per"), rule.code)
    for name in scope.on or ():
        if not select(price_list.rules, [name.removeprefix("-")]):
            yield _unknown_code(name, rule.name, _field(rule, "scope.on"), rule.code)


def _unknown_code(name: str, where: str, field: str, rule: str) -> Refusal:
    sentence = _("%(where)s: no rule has the code or tag “%(name)s”.") % {"where": where, "name": name}
    return _refusal("on_unknown", sentence, _("Write the code or a tag of a rule."), field, rule)


def _check_on(rules: Sequence[Rule], position: int, rule: Rule) -> Iterator[Refusal]:
    """A percentage or limit means what stands above it."""
    if rule.kind == "price":
        return
    field = _field(rule, "on")
    for name in rule.on:
        plain = name.removeprefix("-")
        if select(rules[:position], [plain]):
            continue
        if plain != "*" and not select(rules, [plain]):
            yield _unknown_code(plain, rule.name, field, rule.code)
        else:
            sentence = _("%(name)s: “%(code)s” does not stand above it.") % {"name": rule.name, "code": plain}
            yield _refusal("on_below", sentence, _("Move this rule below what it is taken of."), field, rule.code)


def _check_tiers(tiers: Sequence[Tier], field: str, rule: str) -> Iterator[Refusal]:
    starts = [(tier.bound, tier.strict) for tier in tiers]
    if len(set(starts)) != len(starts):
        sentence = _("Two tiers begin at the same quantity.")
        yield _refusal("tiers_double", sentence, _("Remove one, or change where it begins."), field, rule)


def _check_rows(rows: Sequence[Row], field: str, rule: str) -> Iterator[Refusal]:
    """The first match wins: a row whose cases an earlier one takes is never reached."""
    for position, row in enumerate(rows):
        yield from _check_tiers(row.tiers, f"{field}[{position}].tiers", rule)
        earlier = next((n for n in range(position) if always_includes(rows[n].when, row.when)), None)
        if earlier is not None:
            numbers = {"later": position + 1, "earlier": earlier + 1}
            sentence = _("Row %(later)s is never reached: row %(earlier)s takes all its cases.") % numbers
            fix = _("Move the narrower row up, or remove one.")
            yield _refusal("row_unreachable", sentence, fix, f"{field}[{position}]", rule)


def _check_term(term: object, price_list: PriceList, field: str, rule: str) -> Iterator[Refusal]:
    if isinstance(term, Ref) and term.kind == "sum" and not select(price_list.rules, [term.name]):
        yield _unknown_code(term.name, f"sum:{term.name}", field, rule)
    if not isinstance(term, Quantity):
        return
    if term.history is not None:
        for name in term.history.codes:
            if not select(price_list.rules, [name.removeprefix("-")]):
                yield _unknown_code(name, "history", field, rule)
    for sentence, fix in _contradictions(term):
        yield _refusal("quantity", sentence, fix, field, rule)


def _contradictions(quantity: Quantity) -> Iterator[tuple[str, str]]:
    """What is written but cannot have the effect that the writer expects."""
    timed = is_timed(quantity)
    if quantity.band is not None and not timed:
        yield _("Only time can be cut to a band."), _("Count a clock such as booked or used, or remove the band.")
    if (quantity.each or quantity.count) and quantity.band is None:
        yield _("“each” and “count” need a band."), _("Add the band whose occurrences are meant.")
    if quantity.each and quantity.count:
        yield _("“each” and “count” exclude each other."), _("Remove one of them.")
    if quantity.whole and (quantity.band is None or quantity.each or quantity.count):
        yield _("“whole” has an effect only where time is cut to a band."), _("Add a band, or remove it.")
    if quantity.tolerance is not None and (quantity.step is None or quantity.dir != "up"):
        yield _("A tolerance belongs to a step that rounds up."), _("Add the step, or remove the tolerance.")
    least, most = quantity.min, quantity.max
    if isinstance(least, Fraction) and isinstance(most, Fraction) and least > most:
        yield _("The minimum is more than the maximum."), _("Correct one of them.")
