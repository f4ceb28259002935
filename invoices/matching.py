"""Bank statements: which column is what, what a row says, and which open invoices it may pay. Pure.

Amounts are `Decimal` in the account's currency; dates are those of the bank.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext as _

from backend.core.money import ZERO, add_up, shown_amount

Line = tuple[int, list[str]]
# In this order a column is looked for; the first heading that fits wins, whole headings before parts of them.
HEADINGS: dict[str, tuple[str, ...]] = {
    what: tuple(word.replace("_", " ") for word in words.split())
    for what, words in {
        "date": "交易日期 记账日期 入账日期 交易时间 记账时间 入账时间 日期 booking_date value_date date",
        "amount": "贷方发生额 贷方金额 收入金额 转入金额 收入 贷方 入账金额 交易金额 发生额 金额 "
        "credit_amount credit amount",
        "payer": "对方户名 对方名称 对方单位名称 对方账户名称 付款人名称 付款方名称 付款人户名 付款单位 对方单位 户名 "
        "counterparty_name counterparty payer_name payer name",
        "account": "对方账号 对方帐号 付款人账号 付款账号 对方账户 counterparty_account payer_account account",
        "reference": "交易流水号 核心流水号 流水号 交易参考号 银行流水 凭证号 transaction_id reference ref",
        "text": "附言 交易附言 用途 摘要 备注 purpose description remark details memo",
        "direction": "借贷标志 借贷方向 收支 收付标志 借贷 debit/credit direction",
    }.items()
}
NEEDED = ("date", "amount")
# Banks write a few lines about the account first.
FIRST_LINES = 30
_IN, _OUT = ("贷", "收", "入", "cr", "c", "in", "+"), ("借", "支", "付", "出", "dr", "d", "out", "-")
_DAY = re.compile(r"(20\d\d)\s*[-/.年]?\s*(\d{1,2})\s*[-/.月]?\s*(\d{1,2})")
_FORMS = re.compile("(股份有限公司|有限责任公司|有限公司|公司|集团)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """Money that came in, as the bank wrote it."""

    line: int
    date: date
    amount: Decimal
    payer: str = ""
    account: str = ""
    reference: str = ""
    text: str = ""


@dataclass(slots=True)
class Read:
    """What a file says: entries, the number of rows that went out, and each row that could not be read."""

    columns: dict[str, str]
    entries: list[Entry] = field(default_factory=list)
    outgoing: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)


class NoColumns(Exception):
    """No line is a heading with a date and an amount; ``headings`` are those of the line that came closest."""

    def __init__(self, headings: Sequence[str]) -> None:
        super().__init__(headings)
        self.headings = list(headings)


def plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()


def guess_columns(headings: Sequence[str], chosen: Mapping[str, str]) -> dict[str, int]:
    """Which column holds what; what was chosen by its heading goes before any guess, each column once."""
    names = [plain(heading).split("(")[0].strip() for heading in headings]
    whole = [plain(heading) for heading in headings]
    found: dict[str, int] = {}
    for what, heading in chosen.items():
        if heading and plain(heading) in whole:
            found[what] = whole.index(plain(heading))
    for exact in (True, False):
        for what, words in HEADINGS.items():
            if what in found:
                continue
            fits = (
                index
                for word in words
                for index, name in enumerate(names)
                if name and index not in found.values() and (name == word if exact else word in name)
            )
            index = next(fits, None)
            if index is not None:
                found[what] = index
    return found


def read_entries(lines: Sequence[Line], chosen: Mapping[str, str]) -> Read:
    """Every row below the heading. `NoColumns` where none is found."""
    best: list[str] = []
    for position, (_number, cells) in enumerate(lines[:FIRST_LINES]):
        columns = guess_columns(cells, chosen)
        if all(what in columns for what in NEEDED) and len(columns) > len(NEEDED):
            read = Read({what: cells[index].strip() for what, index in columns.items()})
            for number, row in lines[position + 1 :]:
                _read_row(read, number, row, columns)
            return read
        best = max(best, cells, key=lambda row: sum(bool(cell.strip()) for cell in row))
    raise NoColumns([cell.strip() for cell in best if cell.strip()])


def _read_row(read: Read, number: int, row: Sequence[str], columns: Mapping[str, int]) -> None:
    cells = {what: _cell(row[index]) if index < len(row) else "" for what, index in columns.items()}
    day, amount = read_date(cells["date"]), read_amount(cells["amount"])
    is_sum = bool(cells["date"]) and not any(sign.isdigit() for sign in cells["date"])
    if not cells["amount"] or is_sum:  # the money is in the column of the other side, or it is a line of sums
        read.outgoing += 1
    elif day is None:
        read.faults.append((number, _("“%(text)s” is not a date.") % {"text": cells["date"][:40]}))
    elif amount is None or amount >= 10**12:
        read.faults.append((number, _("“%(text)s” is not an amount.") % {"text": cells["amount"][:40]}))
    elif amount <= 0 or _went_out(cells.get("direction", "")):
        read.outgoing += 1
    else:
        texts = {what: cells.get(what, "") for what in ("payer", "account", "reference", "text")}
        read.entries.append(Entry(number, day, amount, **texts))


def _cell(text: str) -> str:
    """Without signs that hide something, NUL among them, and the apostrophes that some banks write before numbers."""
    shown = "".join(sign for sign in text if unicodedata.category(sign) not in ("Cc", "Cf", "Cs") or sign in "\t\n")
    return " ".join(shown.split()).lstrip("'`")


def read_date(text: str) -> date | None:
    found = _DAY.match(unicodedata.normalize("NFKC", text).strip())
    if found is None:
        return None
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def read_amount(text: str) -> Decimal | None:
    """Two decimals at most; brackets and a minus mean that it went out."""
    shown = unicodedata.normalize("NFKC", text).strip()
    minus = shown.startswith(("-", "−", "(")) or shown.endswith("-")
    digits = re.sub(r"[\s,¥$€()+−-]|cny|rmb|元", "", shown, flags=re.IGNORECASE)
    if not re.fullmatch(r"\d{1,15}(\.\d{1,8})?", digits):
        return None
    try:
        amount = Decimal(digits)
    except InvalidOperation:
        return None
    if amount != round(amount, 2):
        return None
    amount = amount.quantize(Decimal("0.01"))
    return -amount if minus else amount


def _went_out(direction: str) -> bool:
    word = plain(direction)
    return word.startswith(_OUT) and not word.startswith(_IN)


def fingerprints(entries: Iterable[Entry]) -> list[str]:
    """One for each; rows that are equal in everything are counted, so that two equal transfers of a day are two."""
    seen: dict[tuple[str, ...], int] = {}
    made = []
    for entry in entries:
        said = (entry.date.isoformat(), str(entry.amount), entry.payer, entry.account, entry.reference, entry.text)
        seen[said] = seen.get(said, 0) + 1
        made.append(hashlib.sha256("\x1f".join((*said, str(seen[said]))).encode()).hexdigest())
    return made


@dataclass(frozen=True, slots=True)
class Owed:
    """An invoice on which something is to be paid."""

    pk: int
    number: str
    balance: Decimal
    customer: int
    names: tuple[str, ...]
    account: str
    # Days since it was due, for the order.
    age: int = 0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Which invoices a row may pay, each with its part, and why; ``score`` up to 100."""

    customer: int
    parts: tuple[tuple[int, Decimal], ...]
    score: int
    reasons: tuple[str, ...]
    rest: Decimal = ZERO


SURE = 75
_NUMBER, _AMOUNT, _PAYER, _ALIKE = 50, 30, 30, 12
MOST_SUGGESTED = 5


def suggest(entry: Entry, open_: Sequence[Owed], known: Mapping[str, int], currency: str) -> list[Suggestion]:
    """The best first. ``known``: account or name of a payer → the customer for whom it paid before."""
    named = _named(entry, open_)
    made: dict[tuple[tuple[int, Decimal], ...], Suggestion] = {}
    for customer in sorted({one.customer for one in open_}):
        theirs = sorted((one for one in open_ if one.customer == customer), key=lambda one: (-one.age, one.pk))
        payer, why = _payer(entry, theirs[0], known)
        for group in _groups(theirs, named, entry.amount, bool(payer)):
            found = _scored(entry, group, named, payer, why, currency)
            kept = made.get(found.parts)
            if found.score > 0 and (kept is None or kept.score < found.score):
                made[found.parts] = found
    return sorted(made.values(), key=lambda one: (-one.score, len(one.parts), one.parts))[:MOST_SUGGESTED]


def is_sure(suggestions: Sequence[Suggestion]) -> bool:
    """Whether the first may be confirmed without a look: it is strong, exact, and no other comes near."""
    if not suggestions or suggestions[0].score < SURE or suggestions[0].rest:
        return False
    return len(suggestions) == 1 or suggestions[1].score <= suggestions[0].score - 15


def _named(entry: Entry, open_: Sequence[Owed]) -> set[int]:
    """Those whose number stands in what the payer wrote, however it is spaced; not as a part of a longer number."""
    said = re.sub(r"[^0-9a-z]", "", plain(f"{entry.text} {entry.reference}"))
    return {
        one.pk for one in open_ if re.search(rf"{re.escape(re.sub(r'[^0-9a-z]', '', plain(one.number)))}(?!\d)", said)
    }


def _groups(theirs: Sequence[Owed], named: set[int], amount: Decimal, is_payer: bool) -> Iterable[list[Owed]]:
    """What one transfer might pay: those that it names, one with this balance, or the oldest that make it up."""
    mentioned = [one for one in theirs if one.pk in named]
    if mentioned:
        yield mentioned
    yield from ([one] for one in theirs if one.balance == amount)
    if not is_payer:
        return
    total = ZERO
    for count, one in enumerate(theirs, 1):
        total += one.balance
        if total == amount and count > 1:
            yield list(theirs[:count])
    if not mentioned:
        yield list(theirs)


def _payer(entry: Entry, one: Owed, known: Mapping[str, int]) -> tuple[int, str]:
    """How surely the transfer is this customer's."""
    account = _digits(entry.account)
    if account and account == _digits(one.account):
        return _PAYER, _("the customer's account")
    if known.get(account or "-") == one.customer or known.get(bare_name(entry.payer) or "-") == one.customer:
        return _PAYER, _("paid for this customer before")
    mine = bare_name(entry.payer)
    names = [bare_name(name) for name in one.names if name]
    if mine and mine in names:
        return _PAYER, _("the customer's name")
    if len(mine) >= 4 and any(len(name) >= 4 and (mine in name or name in mine) for name in names):
        return _ALIKE, _("a similar name")
    return 0, ""


def _scored(entry: Entry, group: Sequence[Owed], named: set[int], payer: int, why: str, currency: str) -> Suggestion:
    parts, left = [], entry.amount
    for one in group:
        part = min(one.balance, left)
        if part > 0:
            parts.append((one.pk, part))
            left -= part
    score, reasons = payer, [why] if why else []
    if all(one.pk in named for one in group):
        score += _NUMBER
        reasons.insert(0, _("the invoice number in the text"))
    if add_up(one.balance for one in group) == entry.amount:
        score += _AMOUNT
        reasons.append(
            _("the amount to the cent") if len(group) == 1 else _("the sum of %(n)s invoices") % {"n": len(group)}
        )
    elif left:
        reasons.append(_("%(sum)s is left over") % {"sum": shown_amount(left, currency)})
    return Suggestion(group[0].customer, tuple(parts), min(100, score), tuple(reasons), left)


def bare_name(name: str) -> str:
    """For comparing: without spaces, signs, and the legal form at the end."""
    letters = "".join(sign for sign in plain(name) if sign.isalnum())
    return _FORMS.sub("", letters) or letters


def _digits(account: str) -> str:
    return re.sub(r"\D", "", unicodedata.normalize("NFKC", account))


account_key = _digits
