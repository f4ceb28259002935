"""Late facts: a fresh run less what is posted gives correction lines; nothing posted is edited."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from zoneinfo import ZoneInfo

from backend.core.money import round_half_up
from instruments.pricing import reasons
from instruments.pricing.engine import Records, Versions, price
from instruments.pricing.lines import ChargeLine, sum_of
from instruments.pricing.records import is_history, listed, read_records

Key = tuple[str, str, str]


def reprice(
    price_list: Versions,
    records: Records,
    posted_lines: Iterable[ChargeLine],
    *,
    tz: ZoneInfo,
    history: Records = (),
) -> list[ChargeLine]:
    """One line for each record, rule and account whose posted lines do not add up to the fresh amount.

    ``records`` are all records of the period as they are now known, in the order in which they became
    known, with what came late at its end. Posted lines of a record that is not among them are given back;
    those of ``history`` are left alone. ``corrects`` names the posted lines by ``uid``, else by record/code.
    """
    past, asked = listed(history), listed(records)
    past += [raw for raw in asked if is_history(raw)]
    asked = [raw for raw in asked if not is_history(raw)]
    pricing = price(price_list, asked, tz=tz, history=past)
    untouched = {record.id for record in read_records(past, tz=tz)}
    posted: dict[Key, list[ChargeLine]] = {}
    for line in posted_lines:
        if line.record not in untouched:
            posted.setdefault(_key(line), []).append(line)
    corrections = [_correction(line, posted.pop(_key(line), []), pricing.places) for line in pricing.lines]
    corrections += [_correction(_dropped(lines[-1]), lines, pricing.places) for lines in posted.values()]
    return [line for line in corrections if line.amount]


def _key(line: ChargeLine) -> Key:
    return line.record, line.code, line.account


def _dropped(line: ChargeLine) -> ChargeLine:
    """What takes the place of posted lines that a fresh run no longer has."""
    zero = line.amount - line.amount
    return replace(line, quantity=Fraction(0), unit_price=None, amount=zero, why=reasons.dropped())


def _correction(fresh: ChargeLine, old: list[ChargeLine], places: int) -> ChargeLine:
    """A line never posted before stays as it is."""
    if not old:
        return fresh
    before = sum_of(line.amount for line in old)
    amount = round_half_up(Fraction(fresh.amount) - before, places)
    same_price = all(line.unit_price == fresh.unit_price for line in old)
    return replace(
        fresh,
        quantity=fresh.quantity - sum((line.quantity for line in old), Fraction(0)),
        unit_price=fresh.unit_price if same_price else None,
        amount=amount,
        why=reasons.corrected(fresh.name, fresh.amount, round_half_up(before, places), amount, fresh.why),
        due=None,
        uid="",
        corrects=tuple(line.uid or f"{line.record}/{line.code}" for line in old),
    )
