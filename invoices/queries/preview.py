"""What a monthly run would bill, and what blocks it or is missing; constant query counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import Count, Sum
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backend.accounts.models import Organisation
from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import Charge, ChargeState, Invoice, InvoiceStatus, MissingData, TaxRate
from invoices.queries.billing import billing_of
from invoices.queries.desk import billable


@dataclass(frozen=True, slots=True)
class Trouble:
    """``blocks``: nothing is issued until it is mended; otherwise one should know. ``url`` leads to where it is."""

    code: str
    text: str
    url: str = ""
    blocks: bool = False


@dataclass(slots=True)
class PreviewRow:
    """One customer in one currency; a total that is not above zero is not drafted."""

    customer: Organisation
    currency: str
    charges: int = 0
    total: Decimal = ZERO
    first: date | None = None
    last: date | None = None
    draft_id: int | None = None
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def can_be_drafted(self) -> bool:
        return self.total > 0

    @property
    def blocked(self) -> bool:
        return any(trouble.blocks for trouble in self.troubles)


@dataclass(frozen=True, slots=True)
class Preview:
    institution: Organisation
    period: str
    rows: list[PreviewRow]
    troubles: list[Trouble]

    @property
    def to_draft(self) -> list[PreviewRow]:
        return [row for row in self.rows if row.can_be_drafted]

    def totals(self) -> dict[str, Decimal]:
        """Of what can be drafted, by currency."""
        sums: dict[str, list[Decimal]] = defaultdict(list)
        for row in self.to_draft:
            sums[row.currency].append(row.total)
        return {currency: add_up(amounts) for currency, amounts in sorted(sums.items())}


def preview_of(institution: Organisation, period: str) -> Preview:
    """Charges up to the end of the month, those first who are owed most; also who has only what waits."""
    rows: dict[tuple[int, str], PreviewRow] = {}
    found = {(row.customer_id, row.currency): row for row in billable(institution.pk, period)}
    held = _held(institution, period)
    drafts = _drafts(institution, period)
    keys = {*found, *(key for key, _state in held), *drafts}
    customers = Organisation.objects.in_bulk({customer for customer, _currency in keys})
    for key in keys:
        row = rows[key] = PreviewRow(customers[key[0]], key[1], draft_id=drafts.get(key))
        if key in found:
            row.charges, row.total = found[key].charges, found[key].total
            row.first, row.last = found[key].first, found[key].last
        row.troubles = list(_troubles(row, institution, period, held))
    blocks = billing_of(institution.pk).missing_data == MissingData.BLOCK
    for row in rows.values():
        row.troubles += _missing_data(row.customer, institution, blocks=blocks)
    ordered = sorted(rows.values(), key=lambda row: (-row.total, row.customer.name, row.currency))
    return Preview(institution, period, ordered, list(_general(institution, blocks=blocks)))


Held = Mapping[tuple[tuple[int, str], str], int]


def _held(institution: Organisation, period: str) -> Held:
    """How many charges cannot be billed yet, by (customer, currency) and why: ``reserved`` or ``disputed``."""
    mine = Charge.objects.filter(institution=institution, service_date__lte=rules.last_day(period), invoice=None)
    counted: dict[tuple[tuple[int, str], str], int] = {}
    for why, rows in (
        ("reserved", mine.filter(state=ChargeState.RESERVED)),
        ("disputed", mine.filter(state=ChargeState.FINAL, disputed=True)),
    ):
        grouped = rows.order_by().values_list("customer_id", "currency").annotate(number=Count("pk"), sum=Sum("total"))
        counted |= {((customer, currency), why): number for customer, currency, number, _sum in grouped}
    return counted


def _drafts(institution: Organisation, period: str) -> dict[tuple[int, str], int]:
    rows = Invoice.objects.filter(institution=institution, period=period, status=InvoiceStatus.DRAFT).order_by()
    return {(customer, currency): pk for customer, currency, pk in rows.values_list("customer_id", "currency", "pk")}


def _troubles(row: PreviewRow, institution: Organisation, period: str, held: Held) -> Iterable[Trouble]:
    key = (row.customer.pk, row.currency)
    if row.charges and row.total <= 0:
        text = _("The sum is not above zero: it waits until more is owed and is set off then.")
        yield Trouble("not_above_zero", text)
    if waiting := held.get((key, "reserved")):
        text = ngettext(
            "%(number)s use is booked but not verified; it is billed in a later month.",
            "%(number)s uses are booked but not verified; they are billed in a later month.",
            waiting,
        )
        yield Trouble("unverified", text % {"number": waiting}, _page("booking:usage"))
    if disputed := held.get((key, "disputed")):
        text = ngettext(
            "%(number)s charge is disputed and is left out until that is decided.",
            "%(number)s charges are disputed and are left out until that is decided.",
            disputed,
        )
        yield Trouble("disputed", text % {"number": disputed}, _page("invoices:disputes"))
    if row.currency != institution.currency:
        text = _("Charged in %(currency)s, but the institution keeps its books in %(home)s.")
        yield Trouble("other_currency", text % {"currency": row.currency, "home": institution.currency})
    if row.draft_id:
        text = _("There is a draft already; what is new is added to it.")
        yield Trouble("drafted", text, reverse("invoices:invoice", args=[row.draft_id]))


def _missing_data(customer: Organisation, institution: Organisation, *, blocks: bool) -> Iterable[Trouble]:
    if missing := missing_words(customer):
        text = _("%(party)s lacks: %(fields)s.") % {"party": customer.name, "fields": missing}
        yield Trouble("customer_data", text, reverse("invoices:ask", args=[institution.pk, customer.pk]), blocks)


def _general(institution: Organisation, *, blocks: bool) -> Iterable[Trouble]:
    if missing := missing_words(institution):
        text = _("%(party)s lacks: %(fields)s.") % {"party": institution.name, "fields": missing}
        yield Trouble("own_data", text, _page("accounts:organisation"), blocks)
    if TaxRate.objects.in_force(institution.pk, rules.day_at(institution, timezone.now())) is None:
        yield Trouble("no_tax_rate", _("No tax rate is in force: documents are made without tax."))


def missing_words(party: Organisation) -> str:
    """What a document will lack of this party, in words; empty if nothing."""
    return ", ".join(str(party_word(name)) for name in rules.PARTY_FIELDS if not getattr(party, name))


def party_word(name: str) -> str:
    words = {"uscc": _("USCC"), "address": _("Address"), "phone": _("Phone"), "bank": _("Bank")}
    return words.get(name, _("Account"))


def _page(name: str, *args: int) -> str:
    """Pages of other rooms, and those that do not exist everywhere: nothing without one."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
