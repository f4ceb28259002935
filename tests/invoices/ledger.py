"""A small ledger that the tests of documents share."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from backend.accounts.models import Organisation, Role, User
from backend.core.errors import YixiangError
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, Invoice, TaxRate
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member

FAPIAO = "26152000000012345678"


class Ledger:
    """An institution, its finance person and a customer."""

    def __init__(self) -> None:
        self.institution: Organisation = make_institution(code="kx", bank="示例银行", bank_account="0602")
        self.customer: Organisation = make_enterprise(uscc="91350100M000100Y43")
        self.finance: User = make_member(self.institution, Role.FINANCE)
        TaxRate.objects.create(name="Services", code="3040105", percent=Decimal(6), valid_from=date(2020, 1, 1))

    def charge(self, *amounts: str, **fields: Any) -> Charge:
        lines = [make_line(amount, f"item{index}") for index, amount in enumerate(amounts or ("100.00",))]
        return make_charge(self.customer, *lines, institution=self.institution, **fields)

    def draft(self, period: str = "2026-12") -> Invoice:
        return draft_invoice(
            institution_id=self.institution.pk, customer_id=self.customer.pk, period=period, by=self.finance
        )

    def issue(self, period: str = "2026-12") -> Invoice:
        return issue_invoice(invoice=self.draft(period), by=self.finance)

    def issued(self, *amounts: str) -> Invoice:
        """A charge of these lines, drafted and issued."""
        self.charge(*amounts)
        return self.issue()


def code_of(raised: pytest.ExceptionInfo[YixiangError]) -> str:
    return raised.value.refusals[0].code
