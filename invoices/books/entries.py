"""From documents and payments to balanced vouchers (凭证). Pure: values in, entries out.

Every voucher's debits equal its credits to the cent. The net of a document is divided over the accounts of its lines
in proportion to their sums, whole cents, the largest remainders first; so prices that include tax come out even too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from backend.core.money import ZERO, add_up, format_amount
from invoices.books.mapping import Account, AccountMapping

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Party:
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something to book. ``kind`` is for the reader, ``at`` keeps the order in which it was recorded."""

    kind: str
    at: datetime
    key: int
    day: date
    number: str
    period: str
    party: Party
    currency: str


@dataclass(frozen=True, slots=True)
class Sale(Event):
    """An invoice or, with amounts below zero, a credit note; ``prepaid`` and ``voucher`` are settled by those."""

    net: Decimal = ZERO
    tax: Decimal = ZERO
    total: Decimal = ZERO
    prepaid: Decimal = ZERO
    voucher: Decimal = ZERO
    # The facts of each line and its amount.
    lines: Sequence[tuple[Mapping[str, str], Decimal]] = ()


@dataclass(frozen=True, slots=True)
class Movement(Event):
    """``amount`` from the credit of one role to the debit of another; below zero, back again."""

    amount: Decimal = ZERO
    debit: str = "bank"
    credit: str = "receivable"
    # A part of the amount that another role is credited with.
    other: Decimal = ZERO
    other_credit: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    account: Account
    debit: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class Voucher:
    event: Event
    postings: list[Posting]
    summary: str
    number: int = 0

    @property
    def debit(self) -> Decimal:
        return add_up(posting.debit for posting in self.postings)

    @property
    def credit(self) -> Decimal:
        return add_up(posting.credit for posting in self.postings)


@dataclass(slots=True)
class Gaps:
    """What the mapping does not say: lines without an account, by code and name, and roles."""

    lines: dict[tuple[str, str, str], int] = field(default_factory=dict)
    roles: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.lines or self.roles)


def voucher_of(event: Event, mapping: AccountMapping, gaps: Gaps) -> Voucher | None:
    """None, with the gap noted, where an account is missing, and where nothing is to be booked."""
    if isinstance(event, Sale):
        sides = _sale(event, mapping, gaps)
    else:
        assert isinstance(event, Movement)
        sides = _movement(event, mapping, gaps)
    if sides is None:
        return None
    postings = [_posting(account, amount, debit, mapping.red) for account, amount, debit in sides if amount]
    if not postings:
        return None
    words = {"number": event.number, "period": event.period, "customer": event.party.name}
    voucher = Voucher(event, postings, mapping.summary.format(**words))
    if voucher.debit != voucher.credit:
        raise ArithmeticError(f"{event.number}: {voucher.debit} is not {voucher.credit}")
    return voucher


Side = tuple[Account, Decimal, bool]


def _sale(sale: Sale, mapping: AccountMapping, gaps: Gaps) -> list[Side] | None:
    settled = {"prepaid": sale.prepaid, "voucher": sale.voucher}
    owed = {"receivable": sale.total - sale.prepaid - sale.voucher, **settled}
    sums: dict[Account, Decimal] = {}
    whole = True
    for facts, amount in sale.lines:
        account = mapping.revenue_of(facts)
        if account is None:
            where = (facts["code"], facts["name"], facts["subject"])
            gaps.lines[where] = gaps.lines.get(where, 0) + 1
            whole = False
        else:
            sums[account] = sums.get(account, ZERO) + amount
    roles = [role for role, amount in [*owed.items(), ("tax", sale.tax)] if amount]
    if not _known(roles, mapping, gaps) or not whole:
        return None
    sides: list[Side] = [(mapping.roles[role], amount, True) for role, amount in owed.items() if amount]
    sides += [(account, amount, False) for account, amount in divide(sale.net, sums).items()]
    return [*sides, *([(mapping.roles["tax"], sale.tax, False)] if sale.tax else [])]


def _movement(move: Movement, mapping: AccountMapping, gaps: Gaps) -> list[Side] | None:
    roles = [move.debit, move.credit, *([move.other_credit] if move.other else [])]
    if not _known(roles, mapping, gaps):
        return None
    sides: list[Side] = [(mapping.roles[move.debit], move.amount, True)]
    sides.append((mapping.roles[move.credit], move.amount - move.other, False))
    return [*sides, *([(mapping.roles[move.other_credit], move.other, False)] if move.other else [])]


def _known(roles: Iterable[str], mapping: AccountMapping, gaps: Gaps) -> bool:
    missing = {role for role in roles if role not in mapping.roles}
    gaps.roles |= missing
    return not missing


def _posting(account: Account, amount: Decimal, debit: bool, red: bool) -> Posting:
    """Below zero on its side (红字), or above zero on the other."""
    if amount < 0 and not red:
        amount, debit = -amount, not debit
    return Posting(account, amount if debit else ZERO, ZERO if debit else amount)


def divide(total: Decimal, sums: Mapping[Account, Decimal]) -> dict[Account, Decimal]:
    """``total`` in proportion to the sums, in whole cents, exactly; all of it to the first where they come to zero."""
    if not sums:
        return {}
    whole = Fraction(add_up(sums.values()))
    if not whole:
        spare = total - add_up(sums.values())
        first = next(iter(sums))
        return {account: amount + (spare if account is first else ZERO) for account, amount in sums.items()}
    exact = {account: Fraction(amount) * Fraction(total) * 100 / whole for account, amount in sums.items()}
    cents = {account: share.numerator // share.denominator for account, share in exact.items()}
    left = int(total * 100) - sum(cents.values())
    order = sorted(exact, key=lambda account: cents[account] - exact[account])  # the largest remainder first
    for account in order[:left]:
        cents[account] += 1
    return {account: Decimal(amount).scaleb(-2) for account, amount in cents.items()}


def digest(vouchers: Iterable[Voucher]) -> str:
    """What the entries are, to see whether they are still the same."""
    known = hashlib.sha256()
    for voucher in vouchers:
        for posting in voucher.postings:
            cells = (
                voucher.number, voucher.event.day, voucher.event.number, voucher.summary, posting.account.code,
                posting.account.centre, format_amount(posting.debit), format_amount(posting.credit),
                voucher.event.currency,
            )  # fmt: skip
            known.update("\x1f".join(str(cell) for cell in cells).encode() + b"\x1e")
    return known.hexdigest()
