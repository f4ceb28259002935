"""Who may see which prepaid accounts, and what stands on them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, Project, Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden, NotFound, invalid
from backend.core.money import ZERO, add_up
from instruments.models import Instrument
from invoices.models import PrepaidAccount, PrepaidEntry, PrepaidTerms
from invoices.queries.scope import RECEIVERS, finance_of

# Who decides what is asked before booking.
SETTERS = (Role.FINANCE, Role.ADMIN)


def visible_accounts(access: Access) -> QuerySet[PrepaidAccount]:
    """Those that the person keeps as finance, and their organisations' own for administrators and finance."""
    mine = Q(institution__in=finance_of(access)) | Q(customer__in=access.where(*RECEIVERS))
    return PrepaidAccount.objects.filter(mine).select_related("institution", "customer", "group", "project")


def get_account(access: Access, pk: int) -> PrepaidAccount:
    return one(visible_accounts(access), pk)


def get_kept_account(access: Access, pk: int) -> PrepaidAccount:
    """For the institution's finance; `Forbidden` for the customer, who sees it."""
    account = get_account(access, pk)
    if account.institution_id not in finance_of(access):
        raise Forbidden
    return account


def get_entry(account: PrepaidAccount, pk: int) -> PrepaidEntry:
    return one(entries_of(account), pk)


def entries_of(account: PrepaidAccount) -> QuerySet[PrepaidEntry]:
    """The newest first."""
    rows = account.entries.select_related("charge__user", "charge__invoice", "recorded_by", "reverses", "reversal")
    return rows.defer("charge__invoice__snapshot").order_by("-pk")


def accounts_kept(institution: Organisation, text: str = "", *, low: bool = False) -> QuerySet[PrepaidAccount]:
    rows = PrepaidAccount.objects.filter(institution=institution)
    if text:
        named = Q(customer__name__icontains=text) | Q(customer__name_en__icontains=text) | Q(customer__uscc=text)
        rows = rows.filter(named)
    if low:
        rows = rows.filter(low_told=True)
    return rows.select_related("institution", "customer", "group", "project").order_by("customer__name", "pk")


@dataclass(frozen=True, slots=True)
class Held:
    """What an institution holds for its customers in its own currency."""

    balance: Decimal
    frozen: Decimal
    accounts: int

    @property
    def available(self) -> Decimal:
        return self.balance - self.frozen


def held_by(institution: Organisation) -> Held:
    rows = PrepaidAccount.objects.filter(institution=institution, currency=institution.currency)
    found = list(rows.values_list("balance", "frozen"))
    return Held(add_up(row[0] for row in found), add_up(row[1] for row in found) or ZERO, len(found))


def terms_of(institution: Organisation) -> list[PrepaidTerms]:
    """The institution's own first, then those of single instruments."""
    rows = PrepaidTerms.objects.filter(institution=institution).select_related("instrument", "changed_by")
    return sorted(rows, key=lambda row: (row.instrument is not None, row.instrument.name if row.instrument else ""))


def get_setting_institution(access: Access, institution_id: int) -> Organisation:
    """An institution whose terms the person sets; `Forbidden` inside it without the role, else `NotFound`."""
    if institution_id in access.institutions(*SETTERS):
        return access.organisations[institution_id]
    raise Forbidden if access.has(institution_id) else NotFound


def get_terms(institution: Organisation, pk: int) -> PrepaidTerms:
    return one(PrepaidTerms.objects.filter(institution=institution).select_related("institution"), pk)


def get_instrument_of(institution: Organisation, pk: int) -> Instrument:
    return one(Instrument.objects.filter(institution=institution), pk)


def find_part(customer: Organisation, project: str, group: str) -> tuple[Project | None, Group | None]:
    """A project of the customer by its number, a group by its name; `Invalid` where there is none."""
    found_project = Project.objects.filter(organisation=customer, code__iexact=project.strip()).first()
    found_group = Group.objects.filter(organisation=customer, name__iexact=group.strip()).first()
    if project.strip() and found_project is None:
        raise invalid("project", _("This customer has no project with this number."), "unknown")
    if group.strip() and found_group is None:
        raise invalid("group", _("This customer has no group with this name."), "unknown")
    return (found_project if project.strip() else None), (found_group if group.strip() else None)
