"""``/api/v1/me``, and contracts with customers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.forms import OrganisationForm
from backend.accounts.models import Agreement, Organisation, Role
from backend.accounts.own_actions.agreements import change_agreement, create_agreement, end_agreement
from backend.accounts.own_actions.organisations import change_organisation
from backend.accounts.queries import (
    Access,
    find_customer,
    get_administered,
    get_agreement,
    get_agreement_to_run,
    visible_agreements,
)
from backend.accounts.schemas import (
    AgreementChange,
    AgreementEnd,
    AgreementFilter,
    AgreementOut,
    AgreementPage,
    Me,
    NewAgreement,
    OrganisationChange,
    OrganisationOut,
)
from backend.core.api import page_of
from backend.core.errors import Forbidden, invalid
from backend.core.fields import checked

router = Router(auth=signed_in, tags=["accounts"])


@router.get("/me", response=Me, summary="Who am I, and what may I do where")
def me(request: HttpRequest) -> dict[str, Any]:
    user, mine = person(request), access(request)
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "language": user.language,
        "organisations": [
            {"id": o.pk, "name": o.name, "kind": o.kind, "roles": sorted(mine.roles[o.pk])}
            for o in mine.organisations.values()
        ],
    }


ORGANISATION = tuple(OrganisationOut.model_fields)


@router.get("/organisations/{int:pk}", response=OrganisationOut, summary="The data of an organisation that you run")
def read_organisation(request: HttpRequest, pk: int) -> dict[str, Any]:
    found = get_administered(access(request), pk)
    return {name: getattr(found, name) for name in ORGANISATION}


@router.patch("/organisations/{int:pk}", response=OrganisationOut, summary="Change it; issued documents stay")
def edit_organisation(request: HttpRequest, pk: int, body: OrganisationChange) -> dict[str, Any]:
    found = get_administered(access(request), pk)
    given = {key: value for key, value in body.dict(exclude_unset=True).items() if value is not None}
    now = {name: getattr(found, name) or "" for name in OrganisationForm.base_fields}
    values: dict[str, str] = checked(OrganisationForm({**now, **given}, organisation=found))
    # What the form has no field for here, the action refuses or takes.
    for key in {"uscc", "currency"} & set(given) - set(values):
        values[key] = given[key]
    saved = change_organisation(organisation=found, values=values, by=person(request))
    return {name: getattr(saved, name) for name in ORGANISATION}


def agreement_out(row: Agreement) -> dict[str, Any]:
    return {
        "id": row.pk,
        "version": row.version,
        "institution": {"id": row.institution_id, "name": row.institution.name},
        "customer": {"id": row.customer_id, "name": row.customer.name},
        "number": row.number,
        "audience": row.audience,
        "valid_from": row.valid_from,
        "valid_to": row.valid_to,
    }


def _home(mine: Access, pk: int | None) -> Organisation:
    """The institution that gives the agreement; must be named by who administers several."""
    homes = mine.institutions(Role.ADMIN)
    if pk is not None and pk not in homes:
        get_administered(mine, pk)
        raise invalid("institution", _("Only an institution has agreements with customers."), "no_institution")
    if not homes:
        raise Forbidden
    if pk is None and len(homes) > 1:
        raise invalid("institution", _("You administer several institutions: say which one is meant."), "several")
    return mine.organisations[pk or homes[0]]


@router.get("/agreements", response=AgreementPage, summary="Contracts that your organisations have given or received")
def list_agreements(request: HttpRequest, filters: Query[AgreementFilter]) -> dict[str, Any]:
    rows = visible_agreements(access(request))
    if filters.institution:
        rows = rows.filter(institution=filters.institution)
    if filters.customer:
        rows = rows.filter(customer=filters.customer)
    if filters.in_force:
        rows = rows.filter(pk__in=Agreement.objects.in_force(filters.in_force).values("pk"))
    return page_of(rows, filters, agreement_out)


@router.post("/agreements", response={201: AgreementOut}, summary="Enter a contract with a customer")
def enter_agreement(request: HttpRequest, body: NewAgreement) -> Status[dict[str, Any]]:
    home = _home(access(request), body.institution)
    values = body.model_dump(exclude={"institution", "customer"})
    made = create_agreement(institution=home, customer=find_customer(body.customer), by=person(request), **values)
    return Status(201, agreement_out(made))


@router.get("/agreements/{int:pk}", response=AgreementOut, summary="One contract")
def one_agreement(request: HttpRequest, pk: int) -> dict[str, Any]:
    return agreement_out(get_agreement(access(request), pk))


@router.patch("/agreements/{int:pk}", response=AgreementOut, summary="Another number, audience or period")
def edit_agreement(request: HttpRequest, pk: int, body: AgreementChange) -> dict[str, Any]:
    found = get_agreement_to_run(access(request), pk)
    values = body.model_dump(exclude_unset=True)
    # Only the end may be empty.
    values = {name: value for name, value in values.items() if value is not None or name == "valid_to"}
    return agreement_out(change_agreement(agreement=found, by=person(request), **values))


@router.post("/agreements/{int:pk}/end", response=AgreementOut, summary="End a contract, with a reason")
def finish_agreement(request: HttpRequest, pk: int, body: AgreementEnd) -> dict[str, Any]:
    found = get_agreement_to_run(access(request), pk)
    return agreement_out(
        end_agreement(agreement=found, by=person(request), day=body.day, reason=body.reason, version=body.version)
    )
