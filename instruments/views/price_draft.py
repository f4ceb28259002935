"""A price list that is being changed, kept in the session until it is saved as a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from instruments.models import PriceList
from instruments.queries.price_holders import PriceHolder

NAMES = {"instrument": "instruments:prices", "agreement": "instruments:agreed_prices"}


@dataclass(frozen=True, slots=True)
class PriceDesk:
    """A price list as one person sees it: ``current`` is changed, ``base`` the last version when that was begun."""

    holder: PriceHolder
    current: PriceList | None
    document: dict[str, Any]
    base: int
    changed: bool


def open_desk(request: HttpRequest, holder: PriceHolder) -> PriceDesk:
    current = holder.in_force()
    kept = request.session.get(_key(holder))
    if kept:
        return PriceDesk(holder, current, kept["document"], kept["base"], True)
    begun = current or holder.versions().last()  # the first one may begin later
    document = begun.document if begun else empty(holder)
    return PriceDesk(holder, begun, document, holder.last_version(), False)


def empty(holder: PriceHolder) -> dict[str, Any]:
    """A list with nothing in it yet; its name is in the language of the institution."""
    with translation.override(settings.LANGUAGE_CODE):
        name = _("Prices of %(name)s") % {"name": title_of(holder)[:60]}
    return {"name": name, "rules": []}


def title_of(holder: PriceHolder) -> str:
    if holder.instrument:
        return holder.instrument.name
    assert holder.agreement is not None
    return f"{holder.agreement.customer.name} {holder.agreement.number}".strip()


def keep(request: HttpRequest, desk: PriceDesk, document: dict[str, Any]) -> None:
    """What equals the list in force is no change."""
    if document == (desk.current.document if desk.current else empty(desk.holder)):
        drop(request, desk.holder)
    else:
        request.session[_key(desk.holder)] = {"document": document, "base": desk.base}


def drop(request: HttpRequest, holder: PriceHolder) -> None:
    request.session.pop(_key(holder), None)


def _key(holder: PriceHolder) -> str:
    return f"prices-{holder.kind}-{holder.pk}"


def addresses(holder: PriceHolder) -> dict[str, str]:
    page = reverse(NAMES[holder.kind], args=[holder.pk])
    return {
        "page_url": page,
        "edit_url": f"{page}edit/",
        "change_url": f"{page}change/",
        "start_url": f"{page}start/",
        "try_url": f"{page}try/",
        "import_url": f"{page}import/",
        "draft_file_url": f"{page}draft.json",
    }


def other_language() -> str:
    return "zh-hans" if (get_language() or "").startswith("en") else "en"


def shown_holder(holder: PriceHolder) -> dict[str, Any]:
    return {
        "holder": holder,
        "holder_name": holder.instrument.label(get_language() or "") if holder.instrument else title_of(holder),
        "instrument": holder.instrument,
        "agreement": holder.agreement,
        "currency": holder.institution.currency,
        "tab": "prices",
        **addresses(holder),
    }
