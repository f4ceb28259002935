"""Who may see which charges and papers; what is not for the caller is not found."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden, NotFound, invalid
from invoices import rules
from invoices.models import (
    Charge,
    ChargeQuerySet,
    Invoice,
    InvoiceQuerySet,
    InvoiceStatus,
    Payment,
)


def finance_of(access: Access) -> list[int]:
    """Institutions whose ledger the person keeps."""
    return access.institutions(Role.FINANCE)


# Who reads what the organisation receives. An invoice names everybody's use, so other members do not.
RECEIVERS = (Role.ADMIN, Role.FINANCE)


def may_receive(access: Access, customer_id: int) -> bool:
    return access.has(customer_id, *RECEIVERS)


def visible_invoices(access: Access) -> InvoiceQuerySet:
    """All of one's institution for finance; the issued ones to their organisation for those who `may_receive`."""
    received = Q(customer__in=access.where(*RECEIVERS)) & ~Q(status=InvoiceStatus.DRAFT)
    return Invoice.objects.filter(Q(institution__in=finance_of(access)) | received)


def visible_charges(access: Access) -> ChargeQuerySet:
    """All of one's institution for finance; all of their customer for its administrators; one's own use."""
    customers = access.where(*RECEIVERS)
    # Apart, so that a receiver's list is one range of an index.
    own = Q(customer__in=[pk for pk in access.where() if pk not in customers], user=access.user_id)
    return Charge.objects.filter(Q(institution__in=finance_of(access)) | Q(customer__in=customers) | own)


def charges_to_export(access: Access, period: str, institution: int | None, state: str | None) -> ChargeQuerySet:
    """What the caller may see, of a month, an institution and a status where these are given."""
    rows = visible_charges(access)
    if period:
        rows = rows.filter(service_date__range=(rules.first_day(period), rules.last_day(period)))
    wanted = {"institution": institution, "state": state}
    return rows.filter(**{key: value for key, value in wanted.items() if value})


def get_visible_invoice(access: Access, pk: int) -> Invoice:
    """`NotFound` if it does not exist or is not for the caller's eyes."""
    rows = visible_invoices(access).with_charged().select_related("institution", "customer", "credits")
    return one(rows, pk)


def get_managed_invoice(access: Access, pk: int) -> Invoice:
    """For finance; `Forbidden` for those who may only read it, `NotFound` for all others."""
    found = get_visible_invoice(access, pk)
    if found.institution_id not in finance_of(access):
        raise Forbidden
    return found


def get_ledger(access: Access, institution_id: int) -> Organisation:
    """An institution whose ledger the caller keeps; `Forbidden` inside it without the role, else `NotFound`."""
    if institution_id in finance_of(access):
        return access.organisations[institution_id]
    raise Forbidden if access.has(institution_id) else NotFound


def get_ledger_of(access: Access, institution_id: int | None) -> Organisation:
    """The same; without an id the only one that the caller keeps. `Invalid` if they keep several."""
    if institution_id is not None:
        return get_ledger(access, institution_id)
    ledgers = finance_of(access)
    if not ledgers:
        raise Forbidden
    if len(ledgers) > 1:
        raise invalid("institution", _("You keep the ledgers of several institutions. Name one."))
    return access.organisations[ledgers[0]]


def get_charged_customer(institution_id: int, customer_id: int) -> Organisation:
    """A customer that the institution has charged at least once: it may not learn of any other."""
    charged = Charge.objects.filter(institution=institution_id, customer=customer_id)
    found = Organisation.objects.filter(pk__in=charged.values("customer")).first()
    if found is None:
        raise NotFound
    return found


def get_payment(invoice: Invoice, pk: int) -> Payment:
    """`NotFound` unless it stands on the invoice."""
    return one(invoice.payments.select_related("invoice"), pk)
