"""What stands around one booking: who decided, what became of it, and for the lab who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from backend.accounts.models import Agreement
from backend.accounts.queries import Access
from booking.models import OCCUPYING, Approval, Booking, Note, Qualification, Usage
from booking.queries.conversation import conversation
from booking.queries.lists import neighbours, track_record
from booking.queries.qualified import covering, standing, with_last_use
from booking.queries.scope import managed_bookings
from booking.rules.training import Standing
from instruments.models import Condition
from instruments.queries.rights import manages
from invoices.models import Charge, ChargeLine
from invoices.queries.charges import standing_lines, with_lines

# The newest messages that a decision is shown.
LAST_NOTES = 3


@dataclass(frozen=True, slots=True)
class Ending:
    """``charge`` and its ``lines`` are what is owed or reserved now."""

    approvals: list[Approval]
    usage: Usage | None
    charge: Charge | None
    lines: list[ChargeLine]


def ending_of(booking: Booking) -> Ending:
    """Four queries at most."""
    usage = booking.usages.select_related("recorded_by", "verified_by").order_by("-id").first()
    charge = with_lines(Charge.objects.filter(source="booking", source_uid=booking.uid)).first()
    return Ending(
        approvals=list(booking.approvals.select_related("by")),
        usage=usage,
        charge=charge,
        lines=standing_lines(charge) if charge else [],
    )


@dataclass(frozen=True, slots=True)
class QualificationSeen:
    qualification: Qualification
    standing: Standing


@dataclass(frozen=True, slots=True)
class Dossier:
    """What a manager weighs before deciding."""

    agreement: Agreement | None
    record: Mapping[str, int]
    before: list[Booking]
    after: list[Booking]
    elsewhere: list[Booking]
    out_of_order: bool
    notes: list[Note]
    qualified: list[QualificationSeen]

    @property
    def has_conflicts(self) -> bool:
        return bool(self.elsewhere) or self.out_of_order


def dossier_of(access: Access, booking: Booking, now: datetime) -> Dossier:
    """Eight queries."""
    instrument = booking.instrument
    day = booking.start.astimezone(instrument.zone).date()
    agreements = Agreement.objects.in_force(day).filter(
        institution=instrument.institution_id, customer=booking.organisation_id
    )
    # Who else is there concerns those who run the instrument, not another role that must agree.
    near = list(neighbours(booking)) if manages(access, instrument) else []
    return Dossier(
        agreement=agreements.order_by("-valid_from").first(),
        record=track_record(booking),
        before=[row for row in near if row.start < booking.start],
        after=[row for row in near if row.start >= booking.start],
        elsewhere=list(_elsewhere(access, booking)),
        out_of_order=instrument.condition in (Condition.REPAIR, Condition.SCRAP),
        notes=list(conversation(booking).order_by("-at", "-pk")[:LAST_NOTES])[::-1],
        qualified=_qualified(booking, now),
    )


def _qualified(booking: Booking, now: datetime) -> list[QualificationSeen]:
    """What the person's trainings say of the instrument; one query."""
    rows = Qualification.objects.filter(covering(booking.instrument), user=booking.user_id, replaced_at=None)
    known = with_last_use(rows.select_related("institution", "course")).distinct()
    return [QualificationSeen(row, standing(row, now)) for row in known]


def _elsewhere(access: Access, booking: Booking) -> QuerySet[Booking]:
    """Other bookings of the same person at the same time, as far as the manager may know of them."""
    rows = managed_bookings(access).filter(user=booking.user_id, status__in=OCCUPYING)
    return rows.overlapping(booking.start, booking.end).exclude(pk=booking.pk).select_related("instrument")
