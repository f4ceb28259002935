"""``/api/v1``: prepaid accounts and their terms, an organisation's rules for spending, budgets of projects."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Organisation, Project
from backend.accounts.queries import (
    find_customer,
    get_administered,
    get_group,
    get_member,
    get_own_organisation,
    get_project,
)
from backend.core.api import Page, page_of
from invoices import prepaid_schemas as shapes
from invoices.actions.budgets import set_budget
from invoices.actions.prepaid import (
    delete_prepaid_terms,
    open_account,
    refund,
    reverse_entry,
    set_prepaid_terms,
    tell_when_below,
    top_up,
)
from invoices.actions.spending import WantedRule, delete_spending_rule, set_spending_rule
from invoices.exports.prepaid import export_entries
from invoices.exports.tables import Download
from invoices.queries.budgets import get_project_to_budget, money_of_projects, visible_projects
from invoices.queries.prepaid import (
    entries_of,
    find_part,
    get_account,
    get_entry,
    get_instrument_of,
    get_kept_account,
    get_setting_institution,
    get_terms,
    terms_of,
    visible_accounts,
)
from invoices.queries.scope import get_ledger
from invoices.queries.spending import get_rule, rules_of
from invoices.schemas import ExportFormat

router = Router(auth=signed_in, tags=["invoices"])

_TABLE: dict[str, Any] = {
    "responses": {
        200: {"content": {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}}
    }
}


@router.get("/prepaid-accounts", response=shapes.AccountPage, summary="Prepaid accounts that you keep or own")
def list_accounts(request: HttpRequest, filters: Query[shapes.AccountFilter]) -> dict[str, Any]:
    wanted = {"institution": filters.institution, "customer": filters.customer}
    rows = visible_accounts(access(request)).filter(**{key: v for key, v in wanted.items() if v is not None})
    return page_of(rows.order_by("customer__name", "pk"), filters, shapes.account_out)


@router.post("/prepaid-accounts", response={201: shapes.AccountOut}, summary="Open one for a customer")
def open_one(request: HttpRequest, payload: shapes.AccountIn) -> Status[dict[str, Any]]:
    institution = get_ledger(access(request), payload.institution)
    customer = find_customer(payload.customer)
    project, group = find_part(customer, payload.project, payload.group)
    account = open_account(institution=institution, customer=customer, project=project, group=group, by=person(request))
    return Status(201, shapes.account_out(account))


@router.get("/prepaid-accounts/{pk}", response=shapes.AccountOut, summary="Balance, frozen and available")
def get_one(request: HttpRequest, pk: int) -> dict[str, Any]:
    return shapes.account_out(get_account(access(request), pk))


@router.get("/prepaid-accounts/{pk}/entries", response=shapes.EntryPage, summary="Its statement, newest first")
def list_entries(request: HttpRequest, pk: int, page: Query[Page]) -> dict[str, Any]:
    return page_of(entries_of(get_account(access(request), pk)), page, shapes.entry_out)


@router.get("/prepaid-accounts/{pk}/entries.{form}", summary="Its statement as a table", openapi_extra=_TABLE)
def entries_table(request: HttpRequest, pk: int, form: ExportFormat) -> Download:
    return export_entries(get_account(access(request), pk), form.value)


@router.post("/prepaid-accounts/{pk}/top-ups", response={201: shapes.EntryOut}, summary="Record money that came in")
def pay_in(request: HttpRequest, pk: int, payload: shapes.MoneyIn) -> Status[dict[str, Any]]:
    account = get_kept_account(access(request), pk)
    return Status(201, shapes.entry_out(top_up(account=account, by=person(request), **payload.dict())))


@router.post("/prepaid-accounts/{pk}/refunds", response={201: shapes.EntryOut}, summary="Record money paid back")
def pay_out(request: HttpRequest, pk: int, payload: shapes.MoneyIn) -> Status[dict[str, Any]]:
    account = get_kept_account(access(request), pk)
    return Status(201, shapes.entry_out(refund(account=account, by=person(request), **payload.dict())))


@router.post(
    "/prepaid-accounts/{pk}/entries/{entry}/reverse",
    response={201: shapes.EntryOut},
    summary="Take a wrong top-up or refund back",
)
def reverse(request: HttpRequest, pk: int, entry: int, payload: shapes.ReasonIn) -> Status[dict[str, Any]]:
    row = get_entry(get_kept_account(access(request), pk), entry)
    return Status(201, shapes.entry_out(reverse_entry(entry=row, reason=payload.reason, by=person(request))))


@router.put("/prepaid-accounts/{pk}/low", response=shapes.AccountOut, summary="From where on the customer is told")
def low(request: HttpRequest, pk: int, payload: shapes.LowIn) -> dict[str, Any]:
    account = get_kept_account(access(request), pk)
    return shapes.account_out(tell_when_below(account=account, low_at=payload.low_at, by=person(request)))


# --- what is asked before booking ------------------------------------------------------------------------------------


@router.get("/institutions/{pk}/prepaid-terms", response=list[shapes.TermsOut], summary="What is paid before booking")
def list_terms(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    return [shapes.terms_out(row) for row in terms_of(get_setting_institution(access(request), pk))]


@router.put("/institutions/{pk}/prepaid-terms", response=shapes.TermsOut, summary="Set it, for all or one instrument")
def put_terms(request: HttpRequest, pk: int, payload: shapes.TermsIn) -> dict[str, Any]:
    institution = get_setting_institution(access(request), pk)
    instrument = get_instrument_of(institution, payload.instrument) if payload.instrument is not None else None
    values = {**payload.dict(), "instrument": instrument}
    return shapes.terms_out(set_prepaid_terms(institution=institution, by=person(request), **values))


@router.delete("/institutions/{pk}/prepaid-terms/{terms}", response={204: None}, summary="Ask for nothing any more")
def remove_terms(request: HttpRequest, pk: int, terms: int) -> Status[None]:
    institution = get_setting_institution(access(request), pk)
    delete_prepaid_terms(terms=get_terms(institution, terms), by=person(request))
    return Status(204, None)


# --- the customer's own rules and budgets ----------------------------------------------------------------------------


@router.get(
    "/organisations/{pk}/spending-rules", response=list[shapes.RuleOut], summary="When your organisation must agree"
)
def list_rules(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    return [shapes.rule_out(row) for row in rules_of(get_administered(access(request), pk))]


@router.put("/organisations/{pk}/spending-rules", response=shapes.RuleOut, summary="Write the rule for somebody or all")
def put_rule(request: HttpRequest, pk: int, payload: shapes.RuleIn) -> dict[str, Any]:
    organisation = get_administered(access(request), pk)
    wanted = WantedRule(
        kind=payload.kind,
        amount=payload.amount,
        approvers=payload.approvers,
        person=get_member(organisation, payload.person) if payload.person is not None else None,
        project=get_project(organisation, payload.project) if payload.project is not None else None,
        group=get_group(organisation, payload.group) if payload.group is not None else None,
    )
    return shapes.rule_out(set_spending_rule(organisation=organisation, wanted=wanted, by=person(request)))


@router.delete("/spending-rules/{pk}", response={204: None}, summary="Remove a rule")
def remove_rule(request: HttpRequest, pk: int) -> Status[None]:
    delete_spending_rule(rule=get_rule(access(request), pk), by=person(request))
    return Status(204, None)


@router.get("/organisations/{pk}/budgets", response=list[shapes.BudgetOut], summary="Budgets and what is used of them")
def list_budgets(request: HttpRequest, pk: int) -> list[dict[str, Any]]:
    """All projects for administrators and finance, for others those that they lead."""
    organisation = get_own_organisation(access(request), pk)
    return _budgets(organisation, list(visible_projects(access(request), organisation)))


@router.put("/projects/{pk}/budget", response=shapes.BudgetOut, summary="Set a project's budget, or none")
def put_budget(request: HttpRequest, pk: int, payload: shapes.BudgetIn) -> dict[str, Any]:
    project = get_project_to_budget(access(request), pk)
    set_budget(project=project, by=person(request), **payload.dict())
    return _budgets(project.organisation, [get_project_to_budget(access(request), pk)])[0]


def _budgets(organisation: Organisation, projects: list[Project]) -> list[dict[str, Any]]:
    rows = money_of_projects(projects, organisation.currency, timezone.localdate())
    return [shapes.budget_out(row) for row in rows]
