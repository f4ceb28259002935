"""Late facts: what one record changes for the others of its scopes, posted as corrections. Nothing posted is edited.

Locks: the parties of the scopes first (`booking.actions.locks`), so that two records of one party are priced one after
the other; then instrument, record, and the charges of the party by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid5

from django.utils import translation
from django.utils.translation import gettext as _

from booking.actions.requesting import SOURCE, ledger_line
from booking.models import Booking, PeriodClosing, SampleOrder, Usage
from booking.queries.earlier import Earlier, read_earlier
from booking.queries.entries import PERIOD, Entry, unbooked_wish, wish_of_order
from booking.queries.owed import first_uids
from booking.queries.prices import prices_of, read_price_lists
from booking.queries.wishes import Wish, wish_of
from instruments.models import PriceList
from instruments.pricing.lines import ChargeLine as Priced
from instruments.pricing.reach import reach_of
from invoices.actions.aside import note_aside, post_later
from invoices.actions.charges import reserve_charges
from invoices.actions.corrections import correct_charges, family_standing
from invoices.models import Charge, ChargeState
from invoices.rules import Line


@contextmanager
def repricing(
    subject: Booking | Usage | SampleOrder, *days: date, correction_uid: UUID, by_id: int | None
) -> Iterator[None]:
    """Whatever is done to a record within, the others that its price list looks at together with it follow.

    ``days``: further days on which the record will lie. Where the list prices each record alone, nothing happens.
    """
    wish, price_list = _basis(subject)
    if price_list is None or reach_of(prices_of(price_list)) is None:
        yield
        return
    before = read_earlier(wish, price_list, *days)
    _lock_charges(before.entries)
    yield
    after = read_earlier(wish, price_list, *days)
    settle_others(before, after, but=_own(subject), correction_uid=correction_uid, by_id=by_id)


def _own(subject: Booking | Usage | SampleOrder) -> UUID:
    if not isinstance(subject, Usage):
        return subject.uid
    return subject.booking.uid if subject.booking else first_uids([subject])[subject.pk]


def _basis(subject: Booking | Usage | SampleOrder) -> tuple[Wish, PriceList | None]:
    if isinstance(subject, SampleOrder):
        return wish_of_order(subject), subject.price_list
    if isinstance(subject, Booking):
        return wish_of(subject), subject.price_list
    if subject.booking is not None:
        return wish_of(subject.booking), subject.booking.price_list
    wish = unbooked_wish(subject)
    return wish, read_price_lists([wish]).of(wish)


def _lock_charges(entries: Iterable[Entry]) -> None:
    uids = [entry.uid for entry in entries]
    list(Charge.objects.select_for_update(no_key=True).filter(source_uid__in=uids).order_by("pk").values_list("pk"))


def settle_others(
    before: Earlier, after: Earlier, *, but: UUID | None, correction_uid: UUID, by_id: int | None
) -> list[UUID]:
    """Post what the run over ``after`` changes against that over ``before``; returns whose charge was corrected."""
    was, now = before.run(), after.run()
    known = {entry.uid: entry for entry in after.entries}
    changed = [uid for uid in now if uid != but and uid in was and told(was[uid]) != told(now[uid])]
    runs: dict[str, dict[UUID, list[Priced]]] = {known[uid].language: {} for uid in changed}
    for language in runs:
        with translation.override(language):  # the sentences are kept for the person who is charged
            runs[language] = after.run()
    return [
        uid for uid in changed if _settle(known[uid], was[uid], runs[known[uid].language][uid], correction_uid, by_id)
    ]


def told(lines: Iterable[Priced]) -> list[tuple[object, ...]]:
    """What a run says apart from its words."""
    return [(line.code, line.account, line.amount, line.quantity, line.due) for line in lines]


def _settle(
    entry: Entry, was: Sequence[Priced], lines: Sequence[Priced], correction_uid: UUID, by_id: int | None
) -> bool:
    """False where the charge is not what was posted for it: somebody has settled it by hand since."""
    root = Charge.objects.filter(source=entry.source, source_uid=entry.uid).first()
    if entry.source == PERIOD and (root is None or _stands(root, was)):
        closing = PeriodClosing.objects.select_related("price_list", "instrument", "agreement").get(uid=entry.uid)
        with translation.override(entry.language):
            post_closing(closing, lines, correction_uid=uuid5(correction_uid, str(entry.uid)), by_id=by_id)
        return True
    if root is None or not _stands(root, was):
        return False
    with translation.override(entry.language):
        sentence = anew()
        post_lines_of(
            entry.source,
            entry.uid,
            [line for line in lines if line.code],
            differences=[*(text for text in root.differences if text != sentence), sentence],
            service_date=root.service_date,
            correction_uid=uuid5(correction_uid, str(entry.uid)),
            by_id=by_id,
        )
    return True


def anew() -> str:
    """Why something is charged differently though it did not change itself."""
    return _("Another record of the same period came in later or was corrected, so this is counted anew.")


def _stands(root: Charge, lines: Iterable[Priced]) -> bool:
    owed: dict[str, Decimal] = {}
    for line in family_standing(root):
        owed[line.code] = owed.get(line.code, Decimal("0.00")) + line.amount
    run: dict[str, Decimal] = {}
    for each in lines:
        if each.account == "invoice" and not falls_later(each, root.service_date):
            run[each.code] = run.get(each.code, Decimal("0.00")) + each.amount
    settled = root.state in (ChargeState.FINAL, ChargeState.INVOICED)
    nonzero = [{code: amount for code, amount in each.items() if amount} for each in (owed, run)]
    return nonzero[0] == nonzero[1] and (settled or not nonzero[1])


def falls_later(line: Priced, day: date) -> bool:
    """Whether a line is invoiced in a later period than the rest of its charge."""
    return line.due is not None and line.due > day


def post_lines_of(
    source: str,
    uid: UUID,
    lines: Sequence[Priced],
    *,
    differences: Sequence[str],
    service_date: date,
    correction_uid: UUID,
    by_id: int | None,
) -> None:
    """Let exactly these lines of the pricing engine be posted for a charge, each on its account and in its period."""
    invoiced = [line for line in lines if line.account == "invoice"]
    correct_charges(
        source=source,
        source_uid=uid,
        correction_uid=correction_uid,
        lines=[ledger_line(line) for line in invoiced if not falls_later(line, service_date)],
        differences=differences,
        service_date=service_date,
        by_id=by_id,
    )
    post_beside(source, uid, lines, service_date=service_date, correction_uid=correction_uid, by_id=by_id)


def post_beside(
    source: str, uid: UUID, lines: Iterable[Priced], *, service_date: date, correction_uid: UUID, by_id: int | None
) -> None:
    """What stands beside the charge: other accounts, and what falls due later."""
    aside: list[tuple[str, Line]] = []
    later: list[tuple[date, Line]] = []
    for line in lines:
        if line.account != "invoice":
            aside.append((line.account, ledger_line(line)))
        elif line.due is not None and falls_later(line, service_date):
            later.append((line.due, ledger_line(line)))
    note_aside(source=source, source_uid=uid, lines=aside)
    post_later(
        source=source,
        source_uid=uid,
        correction_uid=correction_uid,
        lines=later,
        differences=[],
        by_id=by_id,
    )


def post_aside(booking: Booking, lines: Iterable[Priced]) -> None:
    """What the fee of a booking that ended without use comes to on other accounts."""
    note_aside(source=SOURCE, source_uid=booking.uid, lines=[(line.account, ledger_line(line)) for line in lines])


def post_closing(
    closing: PeriodClosing, lines: Sequence[Priced], *, correction_uid: UUID | None, by_id: int | None
) -> None:
    """What the end of a period comes to now; a charge that is invoiced already is corrected by another."""
    real = [line for line in lines if line.code and line.amount]
    root = Charge.objects.filter(source=PERIOD, source_uid=closing.uid).first()
    if root is not None and _stands(root, real):
        return
    if root is None:
        if not real:
            return
        title = f"{closing.price_list.document.get('name') or _('Price list')} v{closing.price_list.version}"
        reserve_charges(
            source=PERIOD,
            source_uid=closing.uid,
            institution_id=closing.institution_id,
            customer_id=closing.organisation_id,
            project_id=int(closing.party["project"]) if closing.party.get("project", "").isdecimal() else None,
            user_id=closing.user_id,
            subject=closing.instrument.name if closing.instrument else str(closing.agreement),
            service_date=closing.day,
            price_list=title,
            currency=closing.price_list.currency,
            lines=[],
            by_id=by_id,
        )
    post_lines_of(
        PERIOD,
        closing.uid,
        real,
        differences=[anew()] if root else [],
        service_date=closing.day,
        correction_uid=correction_uid or _anew(root, closing.uid),
        by_id=by_id,
    )


def _anew(root: Charge | None, uid: UUID) -> UUID:
    """Each correction of a closing has a name of its own, the same when it is asked for twice."""
    return uuid5(uid, str(root.successors.count() if root else 0))
