"""Everything that is told about one instrument."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.core.errors import NotFound
from instruments.models import Instrument, Mode, OpeningHours, PriceList, SpecialDay
from instruments.pricing.phrases import listed
from instruments.pricing.published import published_table
from instruments.pricing.reading import parse_price_list
from instruments.queries.catalogue import item_of
from instruments.queries.photos import told_photos
from instruments.queries.rights import manages, visible_instruments
from instruments.queries.viewers import Viewer, with_price

Sentences = Callable[[Instrument], list[str]]
_policy: list[Sentences] = []


def tell_policy(sentences: Sentences) -> None:
    """Rules of booking are told here too, but this room does not know them: the one that does registers itself."""
    _policy[:] = [sentences]


def policy_sentences(instrument: Instrument) -> list[str]:
    """The rules of booking, told by the room that knows them."""
    return [sentence for tell in _policy for sentence in tell(instrument)]


def audience_labels() -> dict[str, str]:
    """The usual audiences in the reader's language; others go by their own name."""
    return {
        "internal": _("Own institution"),
        "academic": _("Universities and institutes"),
        "enterprise": _("Enterprises"),
    }


def price_labels() -> dict[str, str]:
    """What price lists call by codes: audiences and modes."""
    return audience_labels() | {f"mode:{mode.value}": str(mode.label) for mode in Mode}


def price_list_in_force(instrument: Instrument, day: date | None = None) -> PriceList | None:
    day = day or timezone.localdate(timezone=instrument.zone)
    return instrument.price_lists.in_force(day).first()


def told(instrument: Instrument, viewer: Viewer) -> dict[str, Any]:
    """The contract's form of one instrument that the viewer may see; twelve queries at most."""
    row = with_price(visible_instruments(viewer.access), viewer).filter(pk=instrument.pk)
    item = item_of(row)
    if item is None:
        raise NotFound
    current = price_list_in_force(instrument)
    return {
        **item,
        "description": instrument.function,
        "specifications": instrument.technical,
        "services": instrument.service_content,
        "sample_requirements": instrument.requirement,
        "opening_hours": [_hours(one) for one in instrument.opening_hours.all()],
        "special_days": [_special(one) for one in instrument.special_days.filter(day__gte=timezone.localdate())],
        "policy": policy_sentences(instrument),
        "price_list": current and published(current),
        "photos": told_photos(instrument),
        "contact": {
            "name": instrument.contact_name,
            "phone": instrument.contact_phone,
            "email": instrument.contact_email,
        },
        "sharing": instrument.sharing,
        "setup_minutes": instrument.setup_minutes,
        "cleaning_minutes": instrument.cleaning_minutes,
        "version": instrument.version,
        **{name: getattr(instrument, name) for name in _RECORD},
        "for_managers": {name: getattr(instrument, name) for name in _FOR_MANAGERS}
        if manages(viewer.access, instrument)
        else None,
    }


# What the national record says, under the same names as in changes.
_RECORD = (
    "kind", "source", "worth", "nation", "begin_date", "belongs_type", "belongs_name", "subjects", "regulations", "fee",
    "service_url", "run_hours", "service_hours", "department", "province", "city", "county", "street", "address",
    "postcode",
)  # fmt: skip
# What an institution tells the network, not its users.
_FOR_MANAGERS = ("funds", "customs_supervised", "declaration_no", "declaration_date")


def published(version: PriceList) -> dict[str, Any]:
    """A price list as a table for readers."""
    rows = published_table(parse_price_list(version.document), price_labels())
    return {
        "version": version.version,
        "valid_from": version.valid_from,
        "name": str(version.document.get("name", "")),
        "currency": version.currency,
        "rows": [
            {
                "item": row.item,
                "audience": listed(row.audiences),
                "price": row.price,
                "unit": row.unit,
                "note": row.note,
            }
            for row in rows
        ],
    }


def _hours(row: OpeningHours) -> dict[str, Any]:
    return {"weekday": row.weekday, **_clock(row), "valid_from": row.valid_from, "valid_to": row.valid_to}


def _special(row: SpecialDay) -> dict[str, Any]:
    return {"day": row.day, **_clock(row), "note": row.note}


def _clock(row: OpeningHours | SpecialDay) -> dict[str, str | None]:
    return {
        "opens": f"{row.opens:%H:%M}" if row.opens else None,
        "closes": f"{row.closes:%H:%M}" if row.closes else None,
    }
