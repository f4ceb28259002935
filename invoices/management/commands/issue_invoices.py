"""``manage.py issue_invoices --period 2026-03 [--institution CODE] [--user EMAIL]``"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.accounts.models import Membership, Organisation, OrganisationKind, Role, User
from backend.core.errors import YixiangError
from backend.core.money import format_amount
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.running import close_month
from invoices.models import Invoice, InvoiceStatus
from invoices.queries.desk import to_draft
from invoices.rules import is_period


class Command(BaseCommand):
    help = (
        "Draft and issue all invoices of a month. Stopped halfway, it continues where it was: each invoice is one "
        "transaction and no charge is invoiced twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--period", required=True, help="the month, YYYY-MM")
        parser.add_argument("--institution", default="", help="code of one institution (default: all)")
        parser.add_argument("--user", default="", help="who issues (default: the institution's first finance person)")

    def handle(self, *args: Any, period: str, institution: str, user: str, **options: Any) -> None:
        if not is_period(period):
            raise CommandError(f"{period!r} is not a month; write it as 2026-03.")
        institutions = Organisation.objects.filter(kind=OrganisationKind.INSTITUTION).order_by("code")
        if institution:
            institutions = institutions.filter(code=institution)
            if not institutions:
                raise CommandError(f"There is no institution with the code {institution!r}.")
        issued: list[Invoice] = []
        refused = 0
        for one in institutions:
            made, failed = self._institution(one, period, user)
            issued += made
            refused += failed
        totals: dict[str, Decimal] = {}
        for invoice in issued:
            totals[invoice.currency] = totals.get(invoice.currency, Decimal(0)) + invoice.total
        amounts = ", ".join(f"{code} {format_amount(total)}" for code, total in sorted(totals.items())) or "nothing"
        self.stdout.write(f"{period}: {len(issued)} issued ({amounts}), {refused} refused")

    def _institution(self, institution: Organisation, period: str, email: str) -> tuple[list[Invoice], int]:
        close_month(institution, period)
        customers = set(
            Invoice.objects.filter(institution=institution, period=period, status=InvoiceStatus.DRAFT).values_list(
                "customer_id", flat=True
            )
        )
        customers |= {row.customer_id for row in to_draft(institution.pk, period)}
        if not customers:
            return [], 0
        by = self._issuer(institution, email)
        issued: list[Invoice] = []
        refused = 0
        for customer in sorted(customers):
            problem = self._customer(institution, customer, period, by, issued)
            if problem:
                refused += 1
                self.stderr.write(f"{institution.code} → {customer}: {problem}")
        return issued, refused

    def _customer(self, institution: Organisation, customer: int, period: str, by: User, issued: list[Invoice]) -> str:
        """Issue until nothing is left: another currency, or what one document could not hold."""
        while True:
            standing = Invoice.objects.filter(
                institution=institution, customer=customer, period=period, status=InvoiceStatus.DRAFT
            )
            left = any(row.customer_id == customer for row in to_draft(institution.pk, period))
            if not left and not standing.exists():
                return ""
            try:
                draft = draft_invoice(institution_id=institution.pk, customer_id=customer, period=period, by=by)
                invoice = issue_invoice(invoice=draft, by=by)
            except YixiangError as error:
                return str(error.detail or error.title)
            issued.append(invoice)
            self.stdout.write(f"{invoice.number}  {invoice.currency} {format_amount(invoice.total)}")

    def _issuer(self, institution: Organisation, email: str) -> User:
        if email:
            found = User.objects.filter(email=email.lower()).first()
            if found is None:
                raise CommandError(f"There is no person with the address {email!r}.")
            return found
        finance = Membership.objects.current().filter(organisation=institution, role=Role.FINANCE)
        member = finance.select_related("user").order_by("pk").first()
        if member is None:
            raise CommandError(f"{institution.code} has nobody in finance; name the issuer with --user EMAIL.")
        return member.user
