"""One record being priced: its lines so far, and writing a line with its rounding.

Money is rounded half up once per line, on the running exact sum of the rule in its scope: cents never drift.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from backend.core.money import round_half_up
from instruments.pricing.facts import Facts
from instruments.pricing.lines import ChargeLine, sum_of
from instruments.pricing.model import History, Rule, Scalar
from instruments.pricing.program import Books, Compiled, Measure, Program
from instruments.pricing.records import Record
from instruments.pricing.spans import due_day
from instruments.pricing.tallies import Journal

NOTHING = Fraction(0)


class Past(Protocol):
    """What is known of earlier records."""

    def value(self, history: History, session: Session, facts: Facts) -> Fraction: ...


@dataclass(frozen=True, slots=True)
class Charge:
    """What a rule comes to before rounding: an ``increment``, or a ``target`` for its whole scope.

    ``quantity`` counts towards tiers, ``weight`` is quantity × full price; ``shown`` stands on the line.
    """

    shown: Fraction
    increment: Fraction = NOTHING
    target: Fraction | None = None
    quantity: Fraction = NOTHING
    weight: Fraction = NOTHING
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """A rounded amount; ``target`` and ``before`` of the scope where it is a difference."""

    amount: Decimal
    target: Decimal | None = None
    before: Decimal | None = None


class Session:
    """Prices one record; the `Ledger` that its facts ask."""

    def __init__(
        self, program: Program, record: Record, zone: ZoneInfo, *, books: Books, past: Past, journal: Journal
    ) -> None:
        self.program = program
        self.books = books
        self.past = past
        self.journal = journal
        self.lines: list[ChargeLine] = []
        self.refusals: list[Refusal] = []
        self.is_hypothetical = False
        self.facts = Facts(record, program.price_list, zone, self)

    @property
    def places(self) -> int:
        return self.program.price_list.places

    def as_if(self, changes: Iterable[tuple[str, Scalar]]) -> Session:
        """A session without lines for the same record with other attributes, on the same tallies."""
        other = Session(
            self.program,
            self.facts.record.as_if(changes),
            self.facts.zone,
            books=self.books,
            past=self.past,
            journal=self.journal,
        )
        other.is_hypothetical = True
        return other

    def sum_of_codes(self, codes: frozenset[str]) -> Fraction:
        return sum_of(line.amount for line in self.lines if line.code in codes)

    def sum_of_lines(self, name: str) -> Fraction:
        return self.sum_of_codes(self.program.codes((name,)))

    def history(self, history: History, facts: Facts) -> Fraction:
        return self.past.value(history, self, facts)

    def settle(self, item: Compiled, charge: Charge) -> Posting:
        """Rounds what is to be charged now; nothing is written yet."""
        if item.scoped is None:
            amount = charge.increment if charge.target is None else charge.target
            return Posting(round_half_up(amount, self.places))
        place = item.scoped.posted.place(self.facts)
        before = item.scoped.posted.total(place)
        if charge.target is None:
            exact = item.scoped.exact.total(place) + charge.increment
            return Posting(self._difference(exact, before))
        target = round_half_up(charge.target, self.places)
        return Posting(self._difference(charge.target, before), target, round_half_up(before, self.places))

    def _difference(self, exact: Fraction, before: Fraction) -> Decimal:
        return round_half_up(Fraction(round_half_up(exact, self.places)) - before, self.places)

    def post(self, item: Compiled, charge: Charge, posting: Posting, why: str) -> None:
        rule, facts = item.rule, self.facts
        self._require_party(rule)
        self.lines.append(
            ChargeLine(
                record=facts.record.id,
                code=rule.code,
                name=rule.name,
                quantity=charge.shown,
                unit=item.unit,
                unit_price=charge.unit_price,
                amount=posting.amount,
                account=rule.account,
                why=why,
                due=due_day(rule.due, facts.day) if rule.due else None,
            )
        )
        self._write(rule.code, "amount", Fraction(posting.amount))
        self.count(item, charge)

    def count(self, item: Compiled, charge: Charge) -> None:
        """Lets the charge count in its scopes; also where it comes to no line."""
        code = item.rule.code
        self._write(code, "exact", charge.increment)
        self._write(code, "quantity", charge.quantity)
        self._write(code, "weight", charge.weight)

    def _write(self, code: str, measure: Measure, value: Fraction) -> None:
        self.books.post(self.journal, self.facts, code, measure, value)

    def refuse(self, code: str, sentence: str, rule: Rule, fix: str) -> None:
        params = {"rule": rule.code, "record": self.facts.record.id}
        self.refusals.append(Refusal(code, sentence, params=params, fix_text=fix))

    def not_offered(self, rule: Rule) -> None:
        sentence = _("%(name)s: not offered, there is no price for this.") % {"name": rule.name}
        self.refuse("not_offered", sentence, rule, _("Choose something else, or ask the manager for a price."))

    def _require_party(self, rule: Rule) -> None:
        """Without it the line stands for a party of its own; production refuses instead."""
        missing = self.facts.missing(rule.scope.per) if rule.scope else []
        if missing and rule.scope and rule.scope.span.unit != "use":
            sentence = _("%(name)s: it must be known whose it is (%(attributes)s).") % {
                "name": rule.name,
                "attributes": ", ".join(missing),
            }
            self.refuse("party_missing", sentence, rule, _("Name it on the booking."))
