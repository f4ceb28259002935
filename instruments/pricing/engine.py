"""Prices records in the order in which they became known: `price`, `answer` and `reprice`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backend.core.errors import Refusal, invalid
from backend.core.money import round_half_up
from instruments.pricing import reasons
from instruments.pricing.conditions import holds
from instruments.pricing.facts import Facts
from instruments.pricing.lines import NOTHING_CODE, ChargeLine, Pricing, sum_of
from instruments.pricing.model import History, PriceList, Ref
from instruments.pricing.program import Books, Program
from instruments.pricing.quantities import value_of
from instruments.pricing.records import Record, is_history, listed, read_records
from instruments.pricing.running import run_steps
from instruments.pricing.session import Session
from instruments.pricing.tallies import Journal, Tally
from instruments.pricing.units import USE

Records = Iterable[Record | Mapping[str, Any]]
Versions = PriceList | Sequence[PriceList]
NOTHING_KEPT: Mapping[str, PriceList] = {}


def price(
    price_list: Versions,
    records: Records,
    *,
    tz: ZoneInfo,
    history: Records = (),
    under: Mapping[str, PriceList] = NOTHING_KEPT,
) -> Pricing:
    """The charge lines of ``records``, which became known in this order, after those of ``history``.

    Of several versions of a price list the one in force on the start date applies, unless ``under`` names
    another for a record's id; scopes run on across them. ``tz`` is the time zone of the instrument: of bands,
    dates, periods and times without an offset. Records marked ``history: true`` count as history wherever they
    stand. Raises `Invalid` for records that cannot be read.
    """
    return _Run(price_list, tz, under).priced(records, history)


def answer(price_list: Versions, records: Records, question: str, *, tz: ZoneInfo, history: Records = ()) -> Fraction:
    """``sum:x``: all lines of a code or tag, on any account; else a quantity as it stands after the last record."""
    run = _Run(price_list, tz)
    pricing = run.priced(records, history)
    if question.startswith("sum:"):
        codes = frozenset[str]().union(*(program.codes((question[4:],)) for program in run.programs))
        return sum_of(line.amount for line in pricing.lines if line.code in codes)
    if run.last is None or question not in run.last.program.price_list.quantities:
        raise invalid("ask", _("There is no quantity “%(name)s” to ask for.") % {"name": question})
    return value_of(Ref("quantity", question), run.last.facts)


def in_force(versions: Sequence[PriceList], day: date) -> PriceList:
    """The latest version valid from that day or before; before all of them the earliest."""
    dated = sorted(versions, key=lambda version: version.valid_from or date.min)
    return [dated[0], *(version for version in dated if (version.valid_from or date.min) <= day)][-1]


class _Run:
    """State of one run: the tallies and what is known of earlier records."""

    def __init__(self, price_list: Versions, tz: ZoneInfo, under: Mapping[str, PriceList] = NOTHING_KEPT) -> None:
        self.zone = tz
        self._under = under
        self.books = Books()
        self.journal = Journal()
        versions = (price_list,) if isinstance(price_list, PriceList) else tuple(price_list)
        self.programs = [Program(version, self.books) for version in versions]
        self._by_list = dict(zip(map(id, versions), self.programs, strict=True))
        self._versions = versions
        self._tallies: dict[History, tuple[Tally, Program]] = {
            item: (Tally(item.per, item.span), program)
            for program in self.programs
            for item in program.price_list.histories
        }
        self.last: Session | None = None

    def priced(self, records: Records, history: Records) -> Pricing:
        known, asked = listed(history), listed(records)
        past = set(range(len(known))) | {
            position for position, raw in enumerate(asked, start=len(known)) if is_history(raw)
        }
        lines: list[ChargeLine] = []
        refusals: list[Refusal] = []
        for position, record in enumerate(read_records([*known, *asked], tz=self.zone)):
            session = self._price_record(record)
            if position not in past:
                lines.extend(session.lines)
                refusals.extend(session.refusals)
        return Pricing(lines, refusals, self._versions[0].places)

    def _price_record(self, record: Record) -> Session:
        program = self._program_for(record)
        session = Session(program, record, self.zone, books=self.books, past=self, journal=self.journal)
        run_steps(session, program.steps)
        if not session.lines:
            session.lines.append(_nothing(session))
        self._remember(session)
        self.journal.settle()
        self.last = session
        return session

    def _program_for(self, record: Record) -> Program:
        version = self._under.get(record.id)
        if version is None:
            version = in_force(self._versions, record.start.astimezone(self.zone).date())
        return self._by_list[id(version)]

    def value(self, history: History, session: Session, facts: Facts) -> Fraction:
        tally, program = self._tallies[history]
        total = tally.total(tally.place(facts, previous=history.previous))
        if history.now and not history.previous and session is not self.last:
            total += self._contribution(history, program, session, facts)
        return total * history.times

    def _remember(self, session: Session) -> None:
        """Adds the record to what is known, all at once: no history sees half of it."""
        found: list[tuple[Tally, Facts, Fraction]] = []
        for history, (tally, program) in self._tallies.items():
            facts = session.facts
            if program is not session.program:
                facts = Facts(facts.record, program.price_list, self.zone, session)
            found.append((tally, facts, self._contribution(history, program, session, facts)))
        for tally, facts, value in found:
            if value:
                tally.add(tally.place(facts), value)

    def _contribution(self, history: History, program: Program, session: Session, facts: Facts) -> Fraction:
        if not holds(history.when, facts):
            return Fraction(0)
        if history.measure == "amount":
            return session.sum_of_codes(program.codes(history.codes))
        return Fraction(1) if history.of is None else value_of(history.of, facts)


def _nothing(session: Session) -> ChargeLine:
    why = reasons.nothing(bool(session.refusals))
    return ChargeLine(
        record=session.facts.record.id,
        code=NOTHING_CODE,
        name=why,
        quantity=Fraction(0),
        unit=USE,
        unit_price=None,
        amount=round_half_up(0, session.places),
        account="invoice",
        why=why,
    )
