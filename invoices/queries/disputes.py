"""Disputes: who sees them, who may raise and who may decide one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from backend.accounts.models import Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden, NotFound
from invoices import rules
from invoices.models import (
    Charge,
    ChargeLine,
    ChargeState,
    Dispute,
    DisputeFile,
    DisputeNote,
    DisputeSide,
    DisputeState,
    MoneyTerms,
)
from invoices.queries.charges import standing_lines, with_lines
from invoices.queries.scope import RECEIVERS, finance_of, visible_charges
from invoices.queries.terms import terms_of


def deciders_of(access: Access) -> list[int]:
    """Institutions whose disputes the person decides: their finance, and who manages the whole laboratory."""
    managed = [pk for pk in access.institutions(Role.MANAGER) if pk in access.manages_all]
    return sorted({*finance_of(access), *managed})


def visible_disputes(access: Access) -> QuerySet[Dispute]:
    """Those that one decides, those of one's customer for its administrators, those about one's own use."""
    received = Q(charge__customer__in=access.where(*RECEIVERS))
    own = Q(charge__customer__in=access.where(), charge__user=access.user_id)
    decides = Q(charge__institution__in=deciders_of(access))
    rows = Dispute.objects.filter(decides | received | own)
    return rows.select_related(
        "charge__institution", "charge__customer", "charge__user", "line", "opened_by", "closed_by"
    )


def filtered(rows: QuerySet[Dispute], wanted: Mapping[str, Any]) -> QuerySet[Dispute]:
    """By ``status``, ``institution`` and ``enterprise``, as far as they are given."""
    names = {"status": "state", "institution": "charge__institution", "enterprise": "charge__customer"}
    return rows.filter(**{name: wanted[key] for key, name in names.items() if wanted.get(key)})


def get_visible_dispute(access: Access, pk: int) -> Dispute:
    return one(visible_disputes(access), pk)


def side_of(access: Access, dispute: Dispute) -> DisputeSide:
    """On whose side the person writes; who is on both speaks for the institution."""
    if dispute.charge.institution_id in deciders_of(access):
        return DisputeSide.INSTITUTION
    return DisputeSide.CUSTOMER


def get_disputable_charge(access: Access, pk: int) -> Charge:
    """For the customer's people who see it; `Forbidden` for the institution's, `NotFound` for all others."""
    rows = visible_charges(access).select_related("institution", "customer", "user")
    decides = Charge.objects.filter(institution__in=deciders_of(access)).select_related("institution", "customer")
    found = rows.filter(pk=pk).first() or one(decides, pk)
    if not _is_customers(access, found):
        raise Forbidden
    return found


def _is_customers(access: Access, charge: Charge) -> bool:
    return access.has(charge.customer_id, *RECEIVERS) or (
        charge.user_id == access.user_id and access.has(charge.customer_id)
    )


def get_disputed_charge(access: Access, pk: int) -> Charge:
    """For those who decide; `Forbidden` for the customer's people who see the charge, `NotFound` for all others."""
    found = Charge.objects.filter(institution__in=deciders_of(access), pk=pk).first()
    if found is not None:
        return found
    one(visible_charges(access), pk)
    raise Forbidden


def open_dispute_of(charge: Charge) -> Dispute:
    """`NotFound` when nobody disputes it."""
    found = Dispute.objects.filter(charge=charge, state=DisputeState.OPEN).select_related("charge").first()
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class Window:
    """Until when a charge may be disputed, ``last`` included, by the institution's calendar."""

    last: date
    today: date

    @property
    def open(self) -> bool:
        return self.today <= self.last


def window_of(charge: Charge, now: datetime | None = None, terms: MoneyTerms | None = None) -> Window:
    """``charge.institution`` has been fetched."""
    now = now or timezone.now()
    terms = terms or terms_of(charge.institution_id)
    began = rules.day_at(charge.institution, charge.finalised_at or charge.created_at)
    return Window(began + timedelta(days=terms.dispute_days), rules.day_at(charge.institution, now))


def disputable(access: Access, charges: Iterable[Charge]) -> dict[int, date]:
    """Which of these, fetched with their institution, the person may dispute now, and until when. Two queries."""
    mine = [
        charge
        for charge in charges
        if charge.state == ChargeState.FINAL and not charge.disputed and _is_customers(access, charge)
    ]
    known = {
        row.institution_id: row for row in MoneyTerms.objects.filter(institution__in={c.institution_id for c in mine})
    }
    windows = {charge.pk: window_of(charge, terms=known.get(charge.institution_id) or MoneyTerms()) for charge in mine}
    return {pk: window.last for pk, window in windows.items() if window.open}


def lines_in_question(charge: Charge) -> list[ChargeLine]:
    """What stands on the charge itself; a line of another charge that it takes back cannot be disputed alone."""
    fetched = with_lines(Charge.objects.filter(pk=charge.pk)).get()
    return [line for line in standing_lines(fetched) if line.corrects_id is None]


def get_managed_dispute(access: Access, pk: int) -> Dispute:
    """For those who decide; `Forbidden` for the customer's people who see it."""
    found = get_visible_dispute(access, pk)
    if side_of(access, found) != DisputeSide.INSTITUTION:
        raise Forbidden
    return found


def get_own_dispute(access: Access, pk: int) -> Dispute:
    """For those of the customer who may withdraw it; `Forbidden` for the institution's people."""
    found = get_visible_dispute(access, pk)
    if not _is_customers(access, found.charge):
        raise Forbidden
    return found


def may_withdraw(access: Access, dispute: Dispute) -> bool:
    return _is_customers(access, dispute.charge)


def notes_of(dispute: Dispute) -> QuerySet[DisputeNote]:
    return dispute.notes.select_related("author").prefetch_related("files").order_by("at", "pk")


def get_dispute_file(access: Access, dispute_id: int, pk: int) -> DisputeFile:
    """`NotFound` unless it stands in a dispute that the person sees."""
    dispute = get_visible_dispute(access, dispute_id)
    return one(DisputeFile.objects.filter(note__dispute=dispute), pk)
