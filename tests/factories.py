"""Plain functions that make valid rows; give what a test is about, the rest is filled in."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from backend.accounts.models import Membership, Organisation, OrganisationKind, Role, User
from instruments.models import Category, Instrument, OpeningHours, PriceList
from invoices.actions.charges import finalise_charges, reserve_charges
from invoices.models import Charge
from invoices.rules import Line

_numbers = itertools.count(1)

# A Tuesday; opening hours of `make_instrument` are 08:00–20:00 Shanghai time, that is 00:00–12:00 UTC.
DAY = date(2026, 12, 1)


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    """An instant by Shanghai wall time."""
    shanghai_offset = 8
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() - shanghai_offset * 3600
    return datetime.fromtimestamp(midnight + hour * 3600 + minute * 60, UTC)


def make_user(name: str = "", **fields: Any) -> User:
    n = next(_numbers)
    fields.setdefault("email", f"user{n}@example.org")
    fields.setdefault("language", "en")
    return User.objects.create_user(password="correct horse", name=name or f"User {n}", **fields)


def make_institution(**fields: Any) -> Organisation:
    n = next(_numbers)
    return Organisation.objects.create(
        **{"kind": OrganisationKind.INSTITUTION, "code": f"inst{n}", "name": f"Example Institute {n}", **fields}
    )


def make_enterprise(**fields: Any) -> Organisation:
    n = next(_numbers)
    return Organisation.objects.create(
        **{"kind": OrganisationKind.ENTERPRISE, "code": f"ent{n}", "name": f"Example Company {n}", **fields}
    )


def make_member(organisation: Organisation, *roles: str, user: User | None = None, **fields: Any) -> User:
    """A person with the given roles (default: member) in the organisation."""
    user = user or make_user()
    for role in roles or (Role.MEMBER,):
        Membership.objects.create(user=user, organisation=organisation, role=role, **fields)
    return user


def make_manager(institution: Organisation, **fields: Any) -> User:
    return make_member(institution, Role.MANAGER, **fields)


def make_instrument(institution: Organisation | None = None, *, hours: bool = True, **fields: Any) -> Instrument:
    """Open 08:00–20:00 every day unless ``hours`` is off; self-operated and operator-assisted."""
    n = next(_numbers)
    category, _ = Category.objects.get_or_create(
        code="0101", defaults={"name": "电子光学仪器", "name_en": "Electron optics"}
    )
    instrument = Instrument.objects.create(
        **{
            "institution": institution or make_institution(),
            "local_no": str(n),
            "name": f"扫描电子显微镜 {n}",
            "name_en": f"Scanning electron microscope {n}",
            "category": category,
            "mode_self": True,
            "mode_operator": True,
            **fields,
        }
    )
    if hours:
        OpeningHours.objects.bulk_create(
            OpeningHours(instrument=instrument, weekday=day, opens=time(8), closes=time(20)) for day in range(1, 8)
        )
    return instrument


# 100 per hour of booked time for everybody.
SIMPLE_PRICES = {
    "name": "Simple",
    "currency": "CNY",
    "rules": [
        {
            "code": "time",
            "name": "Machine time",
            "kind": "price",
            "required": True,
            "qty": ["booked"],
            "rate": 100,
            "when": {"event": "use"},
        }
    ],
}


def make_price_list(instrument: Instrument, document: Any = None, **fields: Any) -> PriceList:
    version = instrument.price_lists.count() + 1
    return PriceList.objects.create(
        **{
            "instrument": instrument,
            "version": version,
            "valid_from": date(2026, 1, 1),
            "document": document or SIMPLE_PRICES,
            **fields,
        }
    )


def make_line(amount: str = "100.00", code: str = "time", **fields: Any) -> Line:
    return Line(
        **{
            "code": code,
            "name": "机时费",
            "quantity": 1,
            "unit": "小时",
            "unit_price": Decimal(amount),
            "amount": Decimal(amount),
            "why": f"1 × {amount} = {amount}",
            **fields,
        }
    )


def make_charge(
    customer: Organisation | None = None,
    *lines: Line,
    institution: Organisation | None = None,
    final: bool = True,
    **fields: Any,
) -> Charge:
    """A charge of 100.00 on DAY unless lines say otherwise; ``final=False`` leaves it reserved."""
    customer = customer or make_enterprise()
    source = {"source": "booking", "source_uid": fields.pop("source_uid", None) or uuid.uuid4()}
    lines = lines or (make_line(),)
    user = fields.pop("user", None) or make_member(customer)
    charge = reserve_charges(
        **source,
        **{
            "institution_id": (institution or make_institution()).pk,
            "customer_id": customer.pk,
            "project_id": None,
            "user_id": user.pk,
            "subject": "扫描电子显微镜",
            "service_date": DAY,
            "price_list": "Simple v1",
            "currency": "CNY",
            **fields,
        },
        lines=lines,
    )
    return finalise_charges(**source, lines=lines, differences=[]) if final else charge
