"""The organisation's own rules for spending, budgets of its projects, and its year in figures."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, current_organisation, page, person
from backend.accounts.models import Organisation, Role
from backend.core.errors import Forbidden, NotFound
from backend.core.export import Format
from backend.core.text import whole_number
from invoices.actions.budgets import set_budget, set_leader
from invoices.actions.spending import WantedRule, delete_spending_rule, set_spending_rule
from invoices.exports.own import export_budgets, export_year
from invoices.exports.tables import Download
from invoices.models import ChargeState
from invoices.prepaid_forms import BudgetForm, RuleForm
from invoices.queries.budgets import get_project_to_budget, may_budget, money_of_projects, visible_projects
from invoices.queries.own import Wanted, year_of
from invoices.queries.scope import RECEIVERS
from invoices.queries.spending import get_rule, rules_of

FIRST_YEAR, LAST_YEAR = 2000, 2100


def own(request: HttpRequest) -> Organisation:
    """The organisation that the person acts for; `NotFound` for who has none."""
    found = current_organisation(request)
    if found is None:
        raise NotFound
    return found


def wanted_of(request: HttpRequest) -> Wanted:
    """What is not understood is ignored, as in any address somebody shortened."""
    year = whole_number(request.GET.get("year", "")) or timezone.localdate().year
    state = request.GET.get("state", "")
    return Wanted(
        year=min(max(year, FIRST_YEAR), LAST_YEAR),
        institution=whole_number(request.GET.get("institution", "")),
        project=whole_number(request.GET.get("project", "")),
        state=state if state in ChargeState.values else "",
    )


@page
@require_GET
def figures_export(request: HttpRequest, form: Format) -> Download:
    """The year as seen."""
    return export_year(year_of(access(request), own(request), wanted_of(request)), form)


# --- whose agreement is wanted ---------------------------------------------------------------------------------------


@page
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest) -> HttpResponse:
    """Administrators write them, finance reads them."""
    organisation = own(request)
    may = access(request)
    if not may.has(organisation.pk, *RECEIVERS):
        raise Forbidden
    form = RuleForm(organisation=organisation)
    if request.method == "POST":
        if not may.has(organisation.pk, Role.ADMIN):
            raise Forbidden
        form = RuleForm(request.POST, organisation=organisation)
        if form.is_valid():
            set_spending_rule(organisation=organisation, wanted=WantedRule(**form.cleaned_data), by=person(request))
            messages.success(request, _("Saved. It holds for what is booked from now on."))
            return redirect("invoices:spending_rules")
    context = {
        "organisation": organisation,
        "rules": rules_of(organisation),
        "form": form,
        "administers": may.has(organisation.pk, Role.ADMIN),
        "nav": "invoices:mine",
    }
    return render(request, "invoices/spending_rules.html", context, status=422 if form.is_bound else 200)


@page
@require_POST
def delete_rule(request: HttpRequest, pk: int) -> HttpResponse:
    delete_spending_rule(rule=get_rule(access(request), pk), by=person(request))
    messages.success(request, _("The rule is gone."))
    return redirect("invoices:spending_rules")


# --- budgets ---------------------------------------------------------------------------------------------------------


def _budgets(request: HttpRequest) -> dict[str, Any]:
    organisation, may = own(request), access(request)
    projects = list(visible_projects(may, organisation))
    rows = money_of_projects(projects, organisation.currency, timezone.localdate())
    shown = [row for row in rows if row.project.active or row.used or row.budget]
    return {
        "organisation": organisation,
        "rows": [(row, may_budget(may, row.project)) for row in shown],
        "administers": may.has(organisation.pk, Role.ADMIN),
        "nav": "invoices:mine",
    }


@page
@require_GET
def budgets(request: HttpRequest) -> HttpResponse:
    """All projects for administrators and finance, their own for leaders."""
    return render(request, "invoices/budgets.html", _budgets(request))


@page
@require_GET
def budgets_export(request: HttpRequest, form: Format) -> Download:
    return export_budgets([row for row, _may in _budgets(request)["rows"]], form)


@page
@require_http_methods(["GET", "POST"])
def budget(request: HttpRequest, pk: int) -> HttpResponse:
    project = get_project_to_budget(access(request), pk)
    form = BudgetForm(request.POST or None, project=project)
    administers = access(request).has(project.organisation_id, Role.ADMIN)
    if not administers:
        del form.fields["leader"]
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        leader = data.pop("leader", project.leader)
        if leader != project.leader:
            set_leader(project=project, leader=leader, by=person(request))
        set_budget(project=project, by=person(request), **data)
        messages.success(request, _("Saved."))
        return redirect("invoices:budgets")
    [money] = money_of_projects([project], project.organisation.currency, timezone.localdate())
    context = {"project": project, "money": money, "form": form, "nav": "invoices:mine"}
    return render(request, "invoices/budget.html", context, status=422 if form.is_bound else 200)
