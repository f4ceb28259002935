"""Tables of vouchers: applications, uses, payouts and caps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.core.export import Cell, Format, table_response
from invoices.exports.tables import Download
from invoices.models import EnterpriseType, UseState, VoucherGrant, VoucherPayout, VoucherUse
from invoices.queries.vouchers import CapRow, show_grants
from invoices.rules import day_at

CHUNK = 500


def export_grants(rows: QuerySet[VoucherGrant], form: Format) -> Download:
    header = [
        _("Voucher"),
        _("Scheme"),
        _("Enterprise"),
        _("Unified social credit code"),
        _("Kind of enterprise"),
        _("Controller"),
        _("Status"),
        _("Applied on"),
        _("Amount applied for"),
        _("Amount granted"),
        _("Reserved"),
        _("Redeemed"),
        _("Left"),
        _("Currency"),
        _("Last day"),
        _("Reason"),
    ]
    return table_response(form, "vouchers", header, _grant_rows(list(rows)))


def _grant_rows(grants: Sequence[VoucherGrant]) -> Iterator[list[Cell]]:
    for shown in show_grants(grants, timezone.localdate()):
        grant = shown.grant
        yield [
            grant.number,
            grant.scheme.name,
            grant.enterprise.name,
            grant.enterprise.uscc,
            str(EnterpriseType(grant.enterprise_type).label),
            grant.controller,
            shown.status_label,
            timezone.localdate(grant.applied_at),
            grant.requested,
            grant.amount,
            shown.reserved,
            shown.redeemed,
            shown.left if grant.amount is not None else None,
            grant.scheme.currency,
            shown.last,
            grant.reason,
        ]


def export_uses(rows: QuerySet[VoucherUse], form: Format) -> Download:
    """One row for each charge that a voucher covers."""
    header = [
        _("Voucher"),
        _("Scheme"),
        _("Status"),
        _("Institution"),
        _("Enterprise"),
        _("Unified social credit code"),
        _("Date of service"),
        _("Instrument"),
        _("Person"),
        _("Charged"),
        _("Share %"),
        _("Covered"),
        _("For the institution"),
        _("Paid out"),
        _("Currency"),
        _("Invoice"),
        _("Redeemed on"),
    ]
    return table_response(form, "voucher-uses", header, _use_rows(rows))


def _use_rows(rows: QuerySet[VoucherUse]) -> Iterator[list[Cell]]:
    for use in rows.order_by("pk").iterator(chunk_size=CHUNK):
        charge = use.charge
        redeemed = use.state == UseState.REDEEMED and use.redeemed_at
        yield [
            use.grant.number,
            use.grant.scheme.name,
            str(UseState(use.state).label),
            charge.institution.name,
            charge.customer.name,
            charge.customer.uscc,
            charge.service_date,
            charge.subject,
            charge.user.name,
            charge.total,
            use.percent,
            use.amount,
            use.bonus,
            use.paid_out,
            charge.currency,
            charge.invoice.number if charge.invoice else "",
            day_at(charge.institution, redeemed) if redeemed else None,
        ]


def export_payouts(rows: QuerySet[VoucherPayout], form: Format) -> Download:
    header = [
        _("Batch"),
        _("Institution"),
        _("Scheme"),
        _("Status"),
        _("Total"),
        _("Currency"),
        _("Prepared on"),
        _("Paid on"),
        _("Reference"),
    ]
    cells: Iterator[list[Cell]] = (
        [
            row.number,
            row.institution.name,
            row.scheme.name,
            row.get_state_display(),
            row.total,
            row.scheme.currency,
            timezone.localdate(row.created_at),
            row.paid_on,
            row.reference,
        ]
        for row in rows.order_by("pk").iterator(chunk_size=CHUNK)
    )
    return table_response(form, "voucher-payouts", header, cells)


def export_caps(rows: Iterable[CapRow], form: Format) -> Download:
    header = [
        _("Year"),
        _("Scheme"),
        _("Unified social credit code"),
        _("Enterprises"),
        _("Cap"),
        _("Used"),
        _("Left"),
        _("Currency"),
    ]
    cells: Iterator[list[Cell]] = (
        [
            row.account.year,
            row.account.scheme.name,
            row.account.holder,
            row.names,
            row.account.scheme.cap,
            row.account.used,
            row.left,
            row.account.scheme.currency,
        ]
        for row in rows
    )
    return table_response(form, "voucher-caps", header, cells)
