"""What the walk sends and which objects it names, so that the answer is about the right and not about the shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile

from tests.access.more import TABLE, picture
from tests.access.world import LICENCE, UNKNOWN, World
from tests.factories import SIMPLE_PRICES

# Which object a parameter names: the longest beginning of "METHOD route" that fits decides.
OBJECTS: dict[str, dict[str, str]] = {
    "/api/v1/instruments/": {"pk": "instrument"},
    "/instruments/": {"pk": "instrument"},
    "/manage/instruments/": {"pk": "instrument", "version": "=1"},
    "/bookings/": {"pk": "confirmed"},
    "/bookings/{pk}/withdraw/": {"pk": "requested"},
    "/bookings/{pk}/approve/": {"pk": "requested"},
    "/bookings/{pk}/reject/": {"pk": "requested"},
    "/bookings/{pk}/start/": {"pk": "soon"},
    "/bookings/{pk}/finish/": {"pk": "running"},
    "/api/v1/bookings/": {"pk": "confirmed"},
    "/api/v1/bookings/{pk}/withdraw": {"pk": "requested"},
    "/api/v1/bookings/{pk}/approve": {"pk": "requested"},
    "/api/v1/bookings/{pk}/reject": {"pk": "requested"},
    "/api/v1/bookings/{pk}/start": {"pk": "soon"},
    "/api/v1/bookings/{pk}/finish": {"pk": "running"},
    "/desk/": {"pk": "requested"},
    "/usage/": {"pk": "recorded"},
    "/api/v1/usage/": {"pk": "recorded"},
    "/calendar/": {"token": "calendar"},
    "/account/tokens/": {"pk": "token"},
    "/account/feeds/": {"pk": "feed"},
    "/api/v1/feeds/": {"pk": "feed"},
    "/register/": {"pk": "registration"},
    "/registrations/": {"pk": "registration"},
    "/invitation/": {"secret": "secret"},
    "/organisation/": {"organisation": "enterprise", "user": "colleague"},
    "/organisation/{organisation}/invitations/": {"organisation": "enterprise", "pk": "invitation"},
    "/organisation/{organisation}/groups/": {"organisation": "enterprise", "pk": "group"},
    "/organisation/{organisation}/projects/": {"organisation": "enterprise", "pk": "project"},
    "/instruments/photos/": {"uid": "picture", "size": "=small"},
    "/manage/instruments/import/": {"pk": "table"},
    "/manage/instruments/import/template": {"form": "=csv"},
    "/bookings/{pk}/no-show/": {"pk": "missed"},
    "/api/v1/bookings/{pk}/no-show": {"pk": "missed"},
    "/manage/instruments/{pk}/photos/": {"pk": "instrument", "photo_pk": "photo"},
    "/manage/instruments/{pk}/outages/": {"pk": "idle", "outage": "outage"},
    "/manage/instruments/{pk}/outages/{outage}/end/": {"pk": "idle", "outage": "running_outage"},
    "/api/v1/instruments/{pk}/outages/": {"pk": "idle", "outage": "outage"},
    "/api/v1/instruments/{pk}/outages/{outage}/end": {"pk": "idle", "outage": "running_outage"},
    "/manage/groups/": {"pk": "instrument_group"},
    "/manage/institutions/": {"pk": "institution", "institution": "institution"},
    "/api/v1/instrument-groups/": {"pk": "instrument_group"},
    "/api/v1/institutions/": {"pk": "institution"},
    "/network/holidays/": {"year": "=2027"},
    "/bookings/{pk}/files/": {"pk": "confirmed", "file": "file"},
    "/api/v1/bookings/{pk}/files/": {"pk": "confirmed", "file_id": "file"},
    "/usage/{pk}/correct/": {"pk": "verified"},
    "/api/v1/usage/{pk}/correct": {"pk": "verified"},
    "/usage/export/": {"kind": "=usage", "form": "=csv"},
    "/messages/": {"pk": "message"},
    "/api/v1/messages/": {"pk": "message"},
    "/operator/deliveries/": {"pk": "delivery"},
    "/operator/mail/": {"key": "=x"},
    "/finance/": {"form": "=xlsx"},
    "/invoices/": {"pk": "issued", "form": "=csv"},
    "/invoices/{pk}/payments/": {"pk": "issued", "payment": "payment"},
    "/api/v1/invoices/{invoice_id}/payments/": {"invoice_id": "issued", "payment_id": "payment"},
    "/invoices/export/": {"kind": "=invoices", "form": "=xlsx"},
    "/invoices/{pk}/issue/": {"pk": "draft"},
    "/invoices/{pk}/delete/": {"pk": "draft"},
    "/api/v1/invoices/": {"invoice_id": "issued"},
    "/api/v1/invoices/{invoice_id}/issue": {"invoice_id": "draft"},
    "/api/v1/exports/": {"form": "=csv"},
    "/account/confirm-email/": {"key": "=x"},
    "/account/password/reset/key/": {"uidb36": "=1", "key": "=x"},
    "/account/2fa/webauthn/keys/": {"pk": "=1"},
}

SLOT = {"start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T10:00:00+08:00"}
# Within a record of 24 November: from 14 to 15 o'clock, the verified one from 10 to 11.
USED = {"start": "2026-11-24T10:00", "end": "2026-11-24T10:30"}
MEASURED = {name: f"{value}:00+08:00" for name, value in USED.items()}
WALL = {"start": "2026-12-08T09:00", "end": "2026-12-08T10:00"}
ENTERPRISE = {
    "enterprise-name": "Walk", "enterprise-uscc": LICENCE, "enterprise-region": "X", "enterprise-address": "X",
    "enterprise-phone": "1",
}  # fmt: skip
PERSON = {"name": "Walk", "password1": "quiet river 27", "password2": "quiet river 27"}


def _file(document: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile("walk.json", json.dumps(document).encode())


def _wish(world: World) -> dict[str, Any]:
    return {**SLOT, "instrument": world.ids["instrument"], "mode": "self", "purpose": "Walk"}


def _step(world: World, kind: str = "confirmed", **more: Any) -> dict[str, Any]:
    return {"version": world.versions(kind), "reason": "Walk", **more}


Body = Callable[[World], Any]
BODIES: dict[str, Body] = {
    "POST /account/organisation/": lambda w: {"organisation": w.ids["home"]},
    "POST /account/profile/": lambda w: {"name": "Walk", "language": "en"},
    "POST /account/tokens/new/": lambda w: {"name": "Walk", "days": "9"},
    "POST /account/feeds/new/": lambda w: {"scope": "mine", "detail": "full"},
    "POST /register/": lambda w: {
        **ENTERPRISE, "enterprise-uscc": UNKNOWN, "person-email": "walk@example.org",
        **{f"person-{name}": value for name, value in PERSON.items()},
    },
    "POST /register/{pk}/": lambda w: ENTERPRISE,
    "POST /invitation/{secret}/accept/": lambda w: PERSON,
    "POST /organisation/{organisation}/edit/": lambda w: {"name": "Walk"},
    "POST /organisation/{organisation}/members/{user}/roles/": lambda w: {"roles": ["member", "finance"]},
    "POST /organisation/{organisation}/members/{user}/scope/": lambda w: {"scope": "all"},
    "POST /organisation/{organisation}/invitations/": lambda w: {"email": "walk@example.org", "roles": ["member"]},
    "POST /organisation/{organisation}/groups/": lambda w: {"group-name": "Walk"},
    "POST /organisation/{organisation}/groups/{pk}/": lambda w: {"name": "Walk"},
    "POST /organisation/{organisation}/projects/": lambda w: {"project-code": "W", "project-name": "Walk"},
    "POST /organisation/{organisation}/projects/{pk}/": lambda w: {"code": "W", "name": "Walk"},
    "POST /registrations/{pk}/refuse/": lambda w: {"reason": "Walk"},
    "POST /instruments/{pk}/check/": lambda w: {**WALL, "mode": "self"},
    "POST /instruments/{pk}/book/": lambda w: {**WALL, "mode": "self", "purpose": "Walk"},
    "POST /manage/instruments/{pk}/hours/": lambda w: {"sets": "1"},
    "POST /manage/instruments/{pk}/prices/import/": lambda w: {
        "valid_from": "2026-12-01", "file": _file(SIMPLE_PRICES),
    },
    "POST /bookings/{pk}/withdraw/": lambda w: _step(w, "requested"),
    "POST /bookings/{pk}/cancel/": _step,
    "POST /bookings/{pk}/approve/": lambda w: _step(w, "requested"),
    "POST /bookings/{pk}/reject/": lambda w: _step(w, "requested"),
    "POST /bookings/{pk}/start/": lambda w: _step(w, "soon"),
    "POST /bookings/{pk}/finish/": lambda w: _step(w, "running", end="2026-11-26T09:00"),
    "POST /bookings/{pk}/move/": lambda w: _step(w, **WALL),
    "POST /bookings/{pk}/move/check/": lambda w: _step(w, **WALL),
    "POST /desk/{pk}/approve/": lambda w: _step(w, "requested"),
    "POST /desk/{pk}/reject/": lambda w: _step(w, "requested"),
    "POST /account/notifications/": lambda w: {"on": ["bookings:mail"]},
    "POST /bookings/{pk}/messages/": lambda w: {"text": "Walk"},
    "POST /bookings/{pk}/no-show/": lambda w: _step(w, "missed"),
    "POST /manage/institutions/{institution}/groups/new/": lambda w: {"name": "Walk"},
    "POST /manage/groups/{pk}/": lambda w: {"name": "Walk"},
    **{
        f"POST {path}rules/": lambda w: {"who": "everybody", "approval": "nobody", "self_operation": "everybody"}
        for path in ("/manage/groups/{pk}/", "/manage/institutions/{pk}/", "/network/", "/manage/instruments/{pk}/")
    },
    **{
        f"POST {path}rules/upload/": lambda w: {"file": _file({"rules": []})}
        for path in ("/manage/groups/{pk}/", "/manage/institutions/{pk}/", "/network/", "/manage/instruments/{pk}/")
    },
    "POST /manage/instruments/import/": lambda w: {"file": SimpleUploadedFile("walk.csv", TABLE.encode())},
    "POST /manage/instruments/import/{pk}/": lambda w: {"do": "cancel"},
    "POST /manage/instruments/{pk}/photos/": lambda w: {"file": picture()},
    "POST /manage/instruments/{pk}/outages/": lambda w: {**WALL, "reason": "Walk"},
    "POST /manage/instruments/{pk}/outages/{outage}/": lambda w: {**WALL, "reason": "Walk", "sequence": 0},
    "POST /manage/instruments/{pk}/usage/new/": lambda w: {
        **USED, "reference": str(UUID(int=7)), "email": w.people["imember"].email, "organisation": w.ids["institution"],
    },
    "POST /usage/{pk}/preview/": lambda w: USED,
    "POST /usage/{pk}/amend/": lambda w: {**USED, "reason": "Walk"},
    "POST /usage/{pk}/correct/": lambda w: {**USED, "reason": "Walk"},
    "POST /invoices/{pk}/pay/": lambda w: {"amount": "2.00", "date": "2026-11-26", "reference": "W"},
    "POST /invoices/{pk}/payments/{payment}/reverse/": lambda w: {"reason": "Walk"},
    "POST /invoices/{pk}/credit/": lambda w: {"reason": "Walk"},
    "POST /usage/verify/": lambda w: {"usage": [w.ids["recorded"]]},
    "POST /finance/draft/": lambda w: {
        "institution": w.ids["institution"], "customer": w.ids["enterprise"], "period": "2026-11",
    },
    "POST /invoices/{pk}/fapiao/": lambda w: {"number": "1" * 20},
    "POST /api/v1/instruments": lambda w: {"local_no": "W1", "name": "Walk", "category": "0101", "modes": ["self"]},
    "PATCH /api/v1/instruments/{pk}": lambda w: {"name": "Walk"},
    "PUT /api/v1/instruments/{pk}/price-list": lambda w: SIMPLE_PRICES,
    "PUT /api/v1/instruments/{pk}/policy": lambda w: {"policy": {"rules": []}},
    "POST /api/v1/instruments/{pk}/outages": lambda w: {**SLOT, "reason": "Walk"},
    "POST /api/v1/bookings/check": lambda w: {k: v for k, v in _wish(w).items() if k != "purpose"},
    "POST /api/v1/bookings": _wish,
    "PATCH /api/v1/instruments/{pk}/outages/{outage}": lambda w: {"reason": "Walk"},
    "POST /api/v1/instruments/import": lambda w: {"file": SimpleUploadedFile("walk.csv", TABLE.encode())},
    "POST /api/v1/instrument-groups": lambda w: {"institution": w.ids["institution"], "name": "Walk"},
    "PATCH /api/v1/instrument-groups/{pk}": lambda w: {"name": "Walk"},
    **{
        f"PUT /api/v1/{path}/policy": lambda w: {"policy": {"rules": []}}
        for path in ("instrument-groups/{pk}", "institutions/{pk}", "network")
    },
    "POST /api/v1/bookings/{pk}/messages": lambda w: {"text": "Walk"},
    "POST /api/v1/bookings/{pk}/files": lambda w: {"files": SimpleUploadedFile("walk.csv", b"a,b\n1,2\n")},
    "POST /api/v1/bookings/{pk}/no-show": lambda w: {"reason": "Walk"},
    "PATCH /api/v1/usage/{pk}": lambda w: {**MEASURED, "reason": "Walk"},
    "POST /api/v1/usage/{pk}/correct": lambda w: {**MEASURED, "reason": "Walk"},
    "PUT /api/v1/messages/preferences": lambda w: [{"topic": "bookings", "in_app": True, "mail": False}],
    "POST /api/v1/invoices/{invoice_id}/payments": lambda w: {
        "amount": "2.00", "date": "2026-11-26", "reference": "W",
    },
    "POST /api/v1/invoices/{invoice_id}/payments/{payment_id}/reverse": lambda w: {"reason": "Walk"},
    "POST /api/v1/invoices/{invoice_id}/credit": lambda w: {"reason": "Walk"},
    "POST /api/v1/bookings/{pk}/reject": lambda w: {"reason": "Walk"},
    "POST /api/v1/bookings/{pk}/reschedule": lambda w: SLOT,
    "POST /api/v1/usage": lambda w: {
        "source_ref": "walk", "instrument": w.ids["instrument"], "organisation": w.ids["institution"],
        "user": w.ids["imember"], "start": "2026-11-25T09:00:00+08:00", "end": "2026-11-25T10:00:00+08:00",
    },
    "POST /api/v1/feeds": lambda w: {"scope": "mine"},
    "POST /api/v1/invoices/draft": lambda w: {
        "institution": w.ids["institution"], "enterprise": w.ids["enterprise"], "period": "2026-11",
    },
    "POST /api/v1/invoices/{invoice_id}/fapiao": lambda w: {"number": "1" * 20},
}  # fmt: skip
# What a list or an operation without an id in its address needs in its query.
QUERIES: dict[str, Body] = {
    "POST /manage/instruments/{pk}/": lambda w: {"section": "customs"},
    "GET /api/v1/holidays": lambda w: {"year": 2027},
    "GET /api/v1/availability": lambda w: {
        "instruments": w.ids["instrument"],
        "from": SLOT["start"],
        "to": SLOT["end"],
    },
    "GET /api/v1/instruments/{pk}/availability": lambda w: {"from": SLOT["start"], "to": SLOT["end"]},
}
# Ids inside a body: to those who may not see the object, it answers as if there were none.
NAMED: dict[str, dict[str, str]] = {
    "POST /api/v1/bookings": {
        "organisation": "enterprise", "project": "project", "on_behalf_of": "colleague", "instrument": "hidden",
    },
    "POST /api/v1/bookings/check": {
        "organisation": "enterprise", "project": "project", "on_behalf_of": "colleague", "instrument": "hidden",
    },
    "POST /api/v1/feeds": {"organisation": "enterprise", "instrument": "hidden"},
    "POST /api/v1/usage": {"booking": "confirmed", "instrument": "hidden"},
    "POST /api/v1/invoices/draft": {"institution": "institution"},
    "POST /finance/draft/": {"institution": "institution"},
    "POST /usage/verify/": {"usage": "recorded"},
    "POST /account/organisation/": {"organisation": "enterprise"},
    "POST /instruments/{pk}/book/": {"organisation": "enterprise", "project": "project"},
    "POST /account/feeds/new/": {"organisation": "enterprise", "instrument": "hidden"},
}  # fmt: skip
