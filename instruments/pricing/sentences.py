"""Each rule, band, quantity and table as a generated sentence: what a manager reads under the name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any, cast

from django.utils.translation import gettext as _

from instruments.pricing import phrases
from instruments.pricing.model import Comparison, PriceList, Quantity, Ref, Row, Rule, Scope, Term, Tier
from instruments.pricing.phrases import NO_LABELS, Labels
from instruments.pricing.wording import money, number


def describe(price_list: PriceList, labels: Mapping[str, str] = NO_LABELS) -> list[tuple[str, str]]:
    """(code, sentence) of every rule, from top to bottom; ``labels`` as in `phrases`."""
    writer = _Writer(price_list, labels)
    return [(rule.code, writer.rule(rule)) for rule in price_list.rules]


def describe_bands(price_list: PriceList) -> list[tuple[str, str]]:
    return [(name, phrases.windows(windows)) for name, windows in price_list.bands.items()]


def describe_quantities(price_list: PriceList, labels: Mapping[str, str] = NO_LABELS) -> list[tuple[str, str]]:
    return [
        (name, phrases.quantity(item, price_list, phrases.spoken(price_list, labels)))
        for name, item in price_list.quantities.items()
    ]


def describe_tables(price_list: PriceList, labels: Mapping[str, str] = NO_LABELS) -> list[tuple[str, str]]:
    writer = _Writer(price_list, labels)
    return [(name, writer.rows(rows, "price")) for name, rows in price_list.tables.items()]


def scope_and_pick(rule: Rule, price_list: PriceList, labels: Mapping[str, str]) -> list[str]:
    """Whose records count together, and between which options is chosen."""
    return _Writer(price_list, labels).together(rule)


class _Writer:
    def __init__(self, price_list: PriceList, labels: Labels) -> None:
        self.price_list = price_list
        self.labels = phrases.spoken(price_list, labels)
        self.codes = phrases.code_names(price_list)

    def rule(self, rule: Rule) -> str:
        text = self._amount(rule)
        if rule.when.parts:
            condition = phrases.condition(rule.when, self.price_list, self.labels)
            text = _("If %(condition)s: %(sentence)s") % {"condition": condition, "sentence": text}
        sentences = [text[:1].upper() + text[1:], *self._notes(rule)]
        ended = [_("%(sentence)s.") % {"sentence": sentence} for sentence in sentences]
        return reduce(lambda first, second: _("%(first)s %(second)s") % {"first": first, "second": second}, ended)

    def _amount(self, rule: Rule) -> str:
        if rule.kind == "percent":
            return self._percent(rule)
        if rule.kind == "limit":
            return self._limit(rule)
        factors = [phrases.term(item, self.price_list, self.labels) for item in rule.factors]
        return " × ".join([*factors, self._price(rule)])

    def _price(self, rule: Rule) -> str:
        """The rate, the rows (its own or those of its table) or the tiers, or tiers as shares of one of these."""
        texts = []
        rows = self.price_list.rows_of(rule)
        if rows:
            text = self.rows(rows, rule.kind)
            texts.append(_("price (%(rows)s)") % {"rows": text} if rule.factors or rule.tiers else text)
        elif rule.rate is not None:
            texts.append(self._rate(rule.rate, rule.kind))
        if rule.tiers:
            texts.append(f"[{self._tiers(rule.tiers, rule)}]")
        return " × ".join(texts)

    def _rate(self, rate: Term, kind: str) -> str:
        if not isinstance(rate, Fraction):
            return phrases.term(rate, self.price_list, self.labels)
        if kind == "percent":
            return _("%(number)s %%") % {"number": number(rate)}
        return money(rate, self.price_list.places)

    def rows(self, rows: Sequence[Row], kind: str) -> str:
        """“members 150.00, guests 300.00”."""
        join = phrases.clauses if any(row.tiers or row.adjust for row in rows) else phrases.listed
        return join(self._row(row, kind) for row in rows)

    def _row(self, row: Row, kind: str) -> str:
        price = (
            self._tiers(row.tiers, None) if row.tiers else self._rate(row.rate, kind) if row.rate is not None else ""
        )
        who = self._who(row)
        condition = who or phrases.condition(row.when, self.price_list, self.labels) or _("otherwise")
        adjusted = Quantity((Fraction(1),), **cast("dict[str, Any]", dict(row.adjust)))
        notes = phrases.listed(phrases.adjustments(adjusted, self.price_list, self.labels))
        text = condition
        if price:
            short = (who or not row.when.parts) and not row.tiers
            pattern = _("%(who)s %(price)s") if short else _("%(who)s: %(price)s")
            text = pattern % {"who": condition, "price": price}
        return _("%(quantity)s (%(notes)s)") % {"quantity": text, "notes": notes} if notes else text

    def _who(self, row: Row) -> str:
        """“members” alone, where a row depends on nothing but for whom and how; empty where there is more to say."""
        known = {Ref("fact", "audience"), Ref("fact", "mode")}
        tests = [part for part in row.when.parts if isinstance(part, Comparison) and part.op == "="]
        if len(tests) < len(row.when.parts) or any(test.ref not in known or None in test.values for test in tests):
            return ""
        texts = [
            phrases.one_of(phrases.value(test.ref.name, item, self.labels) for item in test.values) for test in tests
        ]
        return " ".join(texts)

    def _tiers(self, tiers: Sequence[Tier], rule: Rule | None) -> str:
        """“below 4: 200.00, from 4: 160.00, for all units at the tier reached”."""
        kind = rule.kind if rule else "price"
        texts = [
            _("%(who)s: %(price)s")
            % {"who": phrases.tier_start(tiers, position), "price": self._tier_price(tier, kind)}
            for position, tier in enumerate(tiers)
        ]
        if rule is not None and rule.mode == "all":
            texts.append(_("for all units at the tier reached"))
        return phrases.listed(texts)

    def _tier_price(self, tier: Tier, kind: str) -> str:
        texts = []
        if tier.flat is not None:
            texts.append(_("%(amount)s flat") % {"amount": self._rate(tier.flat, "price")})
        if tier.pct is not None:
            texts.append(self._rate(tier.pct, "percent"))
        if tier.rate is not None:
            texts.append(self._rate(tier.rate, kind))
        return " + ".join(texts)

    def _percent(self, rule: Rule) -> str:
        factors = [phrases.term(item, self.price_list, self.labels) for item in rule.factors]
        values = {"percent": " × ".join([*factors, self._price(rule)]), "codes": phrases.codes(rule.on, self.codes)}
        text = _("%(percent)s of %(codes)s") % values
        if rule.as_if:
            return phrases.listed([text, phrases.as_if(rule.as_if, self.labels)])
        return text

    def _limit(self, rule: Rule) -> str:
        factors = [phrases.term(item, self.price_list, self.labels) for item in rule.factors]
        values = {"codes": phrases.codes(rule.on, self.codes), "bound": " × ".join([*factors, self._price(rule)])}
        if rule.limit == "max":
            return _("%(codes)s: at most %(bound)s in all") % values
        return _("%(codes)s: at least %(bound)s in all") % values

    def together(self, rule: Rule) -> list[str]:
        notes = []
        if rule.scope is not None:
            notes.append(self._scope(rule.scope))
        if rule.mode == "all" and rule.scope is not None:
            notes.append(_("Earlier records of the period are adjusted"))
        return [*notes, self._pick(rule)] if rule.pick is not None else notes

    def _notes(self, rule: Rule) -> list[str]:
        notes = self.together(rule)
        if rule.account == "credit":
            notes.append(_("Goes to the credit account"))
        if rule.account == "memo":
            notes.append(_("For information only"))
        if rule.due is not None:
            notes.append(_("Falls due in a later period (%(period)s)") % {"period": phrases.period(rule.due.span)})
        if rule.required:
            notes.append(_("Not offered where no price applies"))
        return notes

    def _scope(self, scope: Scope) -> str:
        period = phrases.period(scope.span)
        if not scope.per:
            return _("Counted per %(period)s") % {"period": period}
        values = {"party": phrases.party(scope.per, self.labels), "period": period}
        return _("Counted per %(party)s and %(period)s") % values

    def _pick(self, rule: Rule) -> str:
        assert rule.pick is not None
        values = {"option": rule.pick.option, "group": rule.pick.group}
        if rule.pick.take == "first":
            return _("Option “%(option)s” of “%(group)s”: the first that applies is charged") % values
        if rule.pick.take == "lowest":
            return _("Option “%(option)s” of “%(group)s”: the cheapest is charged") % values
        return _("Option “%(option)s” of “%(group)s”: the dearest is charged") % values
