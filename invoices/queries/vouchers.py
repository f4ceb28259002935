"""Who may see which schemes, vouchers and uses; lists of them for pages and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import Count, DateField, F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Role
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden, NotFound
from backend.core.money import ZERO
from invoices import voucher_rules
from invoices.models import (
    GrantFile,
    GrantState,
    UseState,
    VoucherAccount,
    VoucherGrant,
    VoucherPayout,
    VoucherScheme,
    VoucherUse,
)
from invoices.queries.payouts import in_language
from invoices.queries.scope import RECEIVERS, finance_of


def network_of(access: Access) -> Organisation:
    """The network that the person runs; `Forbidden` for everybody else."""
    mine = access.where(Role.OPERATOR)
    if not mine:
        raise Forbidden
    return access.organisations[min(mine)]


def applicants(access: Access) -> list[Organisation]:
    """Enterprises in whose name the person applies for vouchers and reads what became of them."""
    mine = [access.organisations[pk] for pk in access.where(*RECEIVERS)]
    return [one for one in mine if one.kind == "enterprise"]


def get_applicant(access: Access, organisation_id: int | None) -> Organisation:
    """`Forbidden` for plain members, `NotFound` for strangers; without an id the only one of theirs."""
    mine = applicants(access)
    if organisation_id is None:
        if not mine:
            raise Forbidden
        return mine[0]
    found = next((each for each in mine if each.pk == organisation_id), None)
    if found is None:
        raise Forbidden if access.has(organisation_id) else NotFound
    return found


# --- schemes and vouchers --------------------------------------------------------------------------------------------


def schemes_shown(access: Access, today: date) -> QuerySet[VoucherScheme]:
    """All to operators; to others those that they could apply for, and those of their vouchers."""
    if access.is_operator:
        return VoucherScheme.objects.all()
    current = Q(open=True) & (Q(valid_to=None) | Q(valid_to__gte=today))
    own = Q(grants__enterprise__in=[each.pk for each in applicants(access)])
    return VoucherScheme.objects.filter(current | own).distinct()


def get_scheme(access: Access, pk: int, today: date) -> VoucherScheme:
    return one(schemes_shown(access, today), pk)


def get_scheme_to_run(access: Access, pk: int) -> VoucherScheme:
    network_of(access)
    return one(VoucherScheme.objects.all(), pk)


def visible_grants(access: Access) -> QuerySet[VoucherGrant]:
    """All to operators, their own enterprise's to those who receive its invoices."""
    rows = VoucherGrant.objects.select_related("scheme", "enterprise", "applied_by", "decided_by")
    return rows if access.is_operator else rows.filter(enterprise__in=[each.pk for each in applicants(access)])


def get_grant(access: Access, pk: int) -> VoucherGrant:
    """`Forbidden` for other members of the enterprise, `NotFound` for strangers."""
    try:
        return one(visible_grants(access), pk)
    except NotFound:
        one(VoucherGrant.objects.filter(enterprise__in=access.where()), pk)
        raise Forbidden from None


def get_grant_to_decide(access: Access, pk: int) -> VoucherGrant:
    found = get_grant(access, pk)
    if not access.is_operator:
        raise Forbidden
    return found


def get_own_grant(access: Access, pk: int) -> VoucherGrant:
    """For the enterprise itself; operators only read it."""
    found = get_grant(access, pk)
    if found.enterprise_id not in {each.pk for each in applicants(access)}:
        raise Forbidden
    return found


def get_grant_file(grant: VoucherGrant, pk: int) -> GrantFile:
    return one(GrantFile.objects.filter(grant=grant), pk)


@dataclass(frozen=True, slots=True)
class ShownGrant:
    """A voucher as people see it: its derived status, and what is left, reserved and redeemed of it."""

    grant: VoucherGrant
    status: str
    reserved: Decimal
    redeemed: Decimal
    last: date | None

    @property
    def status_label(self) -> str:
        own = {"expired": _("Expired"), "used_up": _("Used up")}
        return own.get(self.status) or self.grant.get_state_display()

    @property
    def tone(self) -> str:
        """To the eye, as in docs/frontend.md."""
        return {"applied": "wait", "granted": "good", "refused": "bad", "revoked": "bad"}.get(self.status, "off")

    @property
    def left(self) -> Decimal:
        return (self.grant.amount or ZERO) - self.grant.used

    @property
    def share_used(self) -> int:
        amount = self.grant.amount
        return min(100, int(self.grant.used * 100 / amount)) if amount else 0


def show_grants(grants: Sequence[VoucherGrant], today: date) -> list[ShownGrant]:
    """One query."""
    rows = VoucherUse.objects.filter(grant__in=[grant.pk for grant in grants]).order_by()
    sums = {
        (grant, state): amount for grant, state, amount in rows.values_list("grant", "state").annotate(Sum("amount"))
    }
    return [
        ShownGrant(
            grant,
            voucher_rules.grant_status(grant, today),
            sums.get((grant.pk, UseState.RESERVED), ZERO),
            sums.get((grant.pk, UseState.REDEEMED), ZERO),
            voucher_rules.last_day(grant),
        )
        for grant in grants
    ]


# --- uses ------------------------------------------------------------------------------------------------------------


def visible_uses(access: Access) -> QuerySet[VoucherUse]:
    """All to operators; those at one's institution to finance; those of one's enterprise to its receivers."""
    rows = VoucherUse.objects.select_related(
        "grant__scheme", "charge__institution", "charge__customer", "charge__user", "charge__invoice"
    ).defer("charge__invoice__snapshot")
    if access.is_operator:
        return rows
    mine = Q(charge__institution__in=finance_of(access)) | Q(charge__customer__in=access.where(*RECEIVERS))
    return rows.filter(mine)


def get_use(access: Access, pk: int) -> VoucherUse:
    return one(visible_uses(access), pk)


@dataclass(frozen=True, slots=True)
class MonthRow:
    """What was redeemed at an institution under a scheme in a month, and how much of it is paid out."""

    month: date
    institution_id: int
    institution: str
    scheme: str
    currency: str
    uses: int
    amount: Decimal
    bonus: Decimal
    paid_out: Decimal

    @property
    def due(self) -> Decimal:
        return self.amount + self.bonus - self.paid_out


def redeemed_by_month(rows: QuerySet[VoucherUse]) -> list[MonthRow]:
    """The newest month first, in the site's zone."""
    month = TruncMonth("redeemed_at", output_field=DateField())
    keys = ("month", "charge__institution", "host", "scheme", "grant__scheme__currency")
    grouped = (
        rows.filter(state=UseState.REDEEMED)
        .annotate(month=month, host=in_language("charge__institution"), scheme=in_language("grant__scheme"))
        .order_by()
        .values_list(*keys)
        .annotate(count=Count("pk"), sum=Sum("amount"), extra=Sum("bonus"), paid=Sum("paid_out"))
    )
    return sorted((MonthRow(*row) for row in grouped), key=lambda row: (-row.month.toordinal(), row.institution))


def uses_of(grant: VoucherGrant) -> list[VoucherUse]:
    rows = grant.uses.select_related("charge__institution", "charge__user", "charge__invoice", "grant__scheme")
    return list(rows.defer("charge__invoice__snapshot").order_by("-pk")[:500])


# --- payouts and caps ------------------------------------------------------------------------------------------------


def visible_payouts(access: Access) -> QuerySet[VoucherPayout]:
    """All to operators; those that were paid to one's institution, or are about to be, to its finance."""
    rows = VoucherPayout.objects.select_related("institution", "scheme", "created_by", "paid_by")
    return rows if access.is_operator else rows.filter(institution__in=finance_of(access))


def get_payout(access: Access, pk: int) -> VoucherPayout:
    return one(visible_payouts(access), pk)


def get_payout_to_run(access: Access, pk: int) -> VoucherPayout:
    found = get_payout(access, pk)
    if not access.is_operator:
        raise Forbidden
    return found


@dataclass(frozen=True, slots=True)
class CapRow:
    """A year account with the enterprises that it stands for."""

    account: VoucherAccount
    names: str

    @property
    def left(self) -> Decimal | None:
        cap = self.account.scheme.cap
        return None if cap is None else cap - self.account.used


def caps_of(access: Access, year: int | None = None) -> list[CapRow]:
    """For operators; three queries."""
    network_of(access)
    rows = VoucherAccount.objects.select_related("scheme").filter(**({} if year is None else {"year": year}))
    accounts = list(rows.order_by("-year", F("used").desc(), "pk"))
    names: dict[int, set[str]] = {}
    used = VoucherUse.objects.filter(account__in=[account.pk for account in accounts]).order_by()
    for account, name in used.values_list("account", "grant__enterprise__name").distinct():
        names.setdefault(account, set()).add(name)
    return [CapRow(account, ", ".join(sorted(names.get(account.pk, ())))) for account in accounts]


@dataclass(frozen=True, slots=True)
class SchemeFigures:
    """What came of a scheme so far."""

    scheme: VoucherScheme
    applied: int
    granted: int
    granted_sum: Decimal
    used: Decimal


def scheme_figures(schemes: Sequence[VoucherScheme]) -> list[SchemeFigures]:
    rows = VoucherGrant.objects.filter(scheme__in=[scheme.pk for scheme in schemes]).order_by()
    by_scheme = {
        scheme: rest
        for scheme, *rest in rows.values_list("scheme").annotate(
            applied=Count("pk", filter=Q(state=GrantState.APPLIED)),
            granted=Count("pk", filter=Q(state=GrantState.GRANTED)),
            sum=Sum("amount", filter=Q(state=GrantState.GRANTED)),
            taken=Sum("used"),
        )
    }
    return [
        SchemeFigures(scheme, applied, granted, total or ZERO, used or ZERO)
        for scheme in schemes
        for applied, granted, total, used in [by_scheme.get(scheme.pk, (0, 0, None, None))]
    ]
