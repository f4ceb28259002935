"""Shapes of prepaid accounts, rules for spending and budgets in the API."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, PLAIN, Day, In, Page
from backend.core.money import format_amount
from invoices.models import (
    Approver,
    BudgetPeriod,
    PrepaidAccount,
    PrepaidEntry,
    PrepaidKind,
    PrepaidTerms,
    SpendingKind,
    SpendingRule,
)
from invoices.queries.budgets import ProjectMoney
from invoices.schemas import Id, Named

Amount = Annotated[Decimal, Field(max_digits=14, decimal_places=2, gt=0, examples=["1200.00"])]
Line = Annotated[str, Field(max_length=150), LINE]


class AccountFilter(Page):
    institution: Id | None = None
    customer: Id | None = None


class AccountIn(In):
    """``customer``: credit code or exact name; ``project`` by its number or ``group`` by its name, for theirs alone."""

    institution: Id
    customer: Annotated[str, Field(min_length=1, max_length=150), LINE]
    project: Line = ""
    group: Line = ""


class MoneyIn(In):
    amount: Amount
    date: Day
    reference: Annotated[str, Field(min_length=1, max_length=100), LINE]
    note: Annotated[str, Field(max_length=500), PLAIN] = ""


class ReasonIn(In):
    reason: Annotated[str, Field(min_length=1, max_length=500), PLAIN]


class LowIn(In):
    low_at: Amount | None = Field(None, description="The customer is told when less is available; null for never")


class AccountOut(Schema):
    id: int
    uid: str
    institution: Named
    customer: Named
    project: Named | None
    group: Named | None
    currency: str
    balance: str
    frozen: str
    available: str
    low_at: str | None


class AccountPage(Schema):
    items: list[AccountOut]
    count: int


class EntryOut(Schema):
    id: int
    uid: str
    kind: str
    date: date
    amount: str = Field(description="Change of the balance")
    held: str = Field(description="Change of what is frozen")
    balance_after: str
    frozen_after: str
    charge: str | None = Field(description="The charge's uid")
    subject: str
    reference: str
    note: str
    reverses: int | None
    recorded_at: datetime


class EntryPage(Schema):
    items: list[EntryOut]
    count: int


class TermsIn(In):
    kind: PrepaidKind
    percent: Annotated[Decimal, Field(max_digits=5, decimal_places=2, gt=0, le=100)] | None = None
    amount: Amount | None = None
    inside: bool = False
    instrument: Id | None = Field(None, description="Terms for this instrument alone")
    version: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class TermsOut(Schema):
    id: int
    instrument: Named | None
    kind: str
    percent: str | None
    amount: str | None
    inside: bool
    version: int


class RuleIn(In):
    kind: SpendingKind
    amount: Annotated[Decimal, Field(max_digits=14, decimal_places=2, ge=0)] | None = None
    approvers: list[Approver] = Field(default_factory=list, max_length=3)
    person: Id | None = None
    project: Id | None = None
    group: Id | None = None


class RuleOut(Schema):
    id: int
    kind: str
    amount: str | None
    approvers: list[str]
    person: Named | None
    project: Named | None
    group: Named | None


class BudgetIn(In):
    amount: Amount | None = Field(None, description="Null: no budget any more")
    period: BudgetPeriod = BudgetPeriod.YEAR
    warn_percent: Annotated[int, Field(ge=1, le=100)] = 80
    stop: bool = False


class BudgetOut(Schema):
    project: Named
    leader: Named | None
    currency: str
    amount: str | None
    period: str | None
    warn_percent: int | None
    stop: bool
    reserved: str
    final: str
    invoiced: str
    used: str
    left: str | None


def _named(row: Any) -> dict[str, Any] | None:
    return {"id": row.pk, "name": str(row)} if row is not None else None


def account_out(row: PrepaidAccount) -> dict[str, Any]:
    return {
        "id": row.pk,
        "uid": str(row.uid),
        "institution": _named(row.institution),
        "customer": _named(row.customer),
        "project": _named(row.project),
        "group": _named(row.group),
        "currency": row.currency,
        "balance": format_amount(row.balance),
        "frozen": format_amount(row.frozen),
        "available": format_amount(row.available),
        "low_at": format_amount(row.low_at) if row.low_at is not None else None,
    }


def entry_out(row: PrepaidEntry) -> dict[str, Any]:
    return {
        "id": row.pk,
        "uid": str(row.uid),
        "kind": row.kind,
        "date": row.date,
        "amount": format_amount(row.amount),
        "held": format_amount(row.held),
        "balance_after": format_amount(row.balance_after),
        "frozen_after": format_amount(row.frozen_after),
        "charge": str(row.charge.uid) if row.charge else None,
        "subject": row.charge.subject if row.charge else "",
        "reference": row.reference,
        "note": row.note,
        "reverses": row.reverses_id,
        "recorded_at": row.recorded_at,
    }


def terms_out(row: PrepaidTerms) -> dict[str, Any]:
    return {
        "id": row.pk,
        "instrument": _named(row.instrument),
        "kind": row.kind,
        "percent": format_amount(row.percent) if row.percent is not None else None,
        "amount": format_amount(row.amount) if row.amount is not None else None,
        "inside": row.inside,
        "version": row.version,
    }


def rule_out(row: SpendingRule) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "amount": format_amount(row.amount) if row.amount is not None else None,
        "approvers": row.approvers,
        "person": _named(row.person),
        "project": _named(row.project),
        "group": _named(row.group),
    }


def budget_out(row: ProjectMoney) -> dict[str, Any]:
    budget = row.budget
    return {
        "project": _named(row.project),
        "leader": _named(row.project.leader),
        "currency": row.currency,
        "amount": format_amount(budget.amount) if budget else None,
        "period": budget.period if budget else None,
        "warn_percent": budget.warn_percent if budget else None,
        "stop": budget.stop if budget else False,
        "reserved": format_amount(row.reserved),
        "final": format_amount(row.final),
        "invoiced": format_amount(row.invoiced),
        "used": format_amount(row.used),
        "left": format_amount(row.left) if budget else None,
    }
