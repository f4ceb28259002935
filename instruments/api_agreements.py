"""The prices of an agreement: what one customer pays in place of the instruments' own lists."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Router

from backend.accounts.auth import access, person, signed_in
from backend.accounts.queries import get_agreement, get_agreement_to_run
from backend.core.errors import NotFound
from instruments.actions.agreed_prices import save_agreed_prices
from instruments.api import answer
from instruments.models import PriceList
from instruments.queries.price_holders import PriceHolder
from instruments.schemas import PriceDocument

router = Router(auth=signed_in, tags=["agreements"])
PATH = "/agreements/{int:pk}/price-list"


@router.get(PATH, response=PriceDocument, summary="The prices of an agreement")
def show_agreed_prices(request: HttpRequest, pk: int) -> HttpResponse:
    """For both sides: the version in force, else the first to come, as the document that ``PUT`` takes."""
    holder = PriceHolder(agreement=get_agreement(access(request), pk))
    current = holder.in_force() or holder.versions().order_by("valid_from", "version").first()
    if current is None:
        raise NotFound(detail=_("This agreement has no prices of its own: those of the instruments hold."))
    return answer(request, told_version(current))


@router.put(PATH, response=PriceDocument, summary="A new version of the prices of an agreement")
def put_agreed_prices(request: HttpRequest, pk: int, body: PriceDocument) -> HttpResponse:
    """A new dated version for bookings from then on. What would charge nonsense is refused (422) with every reason."""
    made = save_agreed_prices(
        agreement=get_agreement_to_run(access(request), pk),
        by=person(request),
        document=body.model_dump(exclude_unset=True, exclude={"version", "valid_from"}),
        valid_from=body.valid_from,
    )
    return answer(request, told_version(made))


def told_version(version: PriceList) -> dict[str, Any]:
    return {**version.document, "version": version.version, "valid_from": version.valid_from}
