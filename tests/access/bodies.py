"""What the walk sends and which objects it names, so that the answer is about the right and not about the shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile

from booking.policy_forms.editor import opened
from instruments.price_forms.editor import new_rule
from invoices.books.mapping import presets
from tests.access.more import TABLE, picture
from tests.access.world import LICENCE, UNKNOWN, World
from tests.factories import SIMPLE_PRICES

# Changing the rules of a layer, and trying them.
RULE_PAGES: dict[str, Callable[[World], dict[str, Any]]] = {
    "edit": lambda w: {"state": opened({"rules": []}, 0, {"kind": "length", "max": 60}, "length").state, "do": "look"},
    "change": lambda w: {"do": "discard"},
    "start": lambda w: {"starter": "cancel", "cancel-cancel_hours": "24"},
    "try": lambda w: {**WALL, "instrument": w.ids["instrument"], "audience": "enterprise", "mode": "self"},
}
VOUCHER_WISH = {"enterprise_type": "micro", "requested": "5.00", "purpose": "Walk"}
# Which object a parameter names: the longest beginning of "METHOD route" that fits decides.
BANK = "Date,Amount,Payer\n2026-11-20,3.00,Walk\n"
MONEY_BACK = {"amount": "1.00", "date": "2026-11-26", "reference": "Walk"}
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
    "/bookings/series/": {"pk": "series", "date": "skipped"},
    "/api/v1/bookings/series/": {"pk": "series", "date": "skipped"},
    "/bookings/together/": {"pk": "bundle"},
    "/api/v1/bookings/several/": {"pk": "bundle"},
    "/api/v1/bookings/{pk}/withdraw": {"pk": "requested"},
    "/api/v1/bookings/{pk}/approve": {"pk": "requested"},
    "/api/v1/bookings/{pk}/reject": {"pk": "requested"},
    "/api/v1/bookings/{pk}/start": {"pk": "soon"},
    "/api/v1/bookings/{pk}/finish": {"pk": "running"},
    "/desk/": {"pk": "requested"},
    "/bookings/waiting/": {"pk": "wait"},
    "/api/v1/waitlist/": {"pk": "wait"},
    "/bookings/{pk}/replacements/": {"pk": "displaced", "rid": "replacement"},
    "/api/v1/bookings/{pk}/replacements": {"pk": "displaced", "rid": "replacement"},
    "/instruments/{pk}/samples/": {"pk": "sampled"},
    **{
        f"{place}{step}": {"pk": order, "file": "result", "file_id": "result"}
        for place, end in (("/samples/{pk}/", "/"), ("/api/v1/sample-orders/{pk}/", ""))
        for step, order in (
            (f"agree{end}", "submitted_order"),
            (f"accept{end}", "new_order"),
            (f"reject{end}", "new_order"),
            (f"receive{end}", "accepted_order"),
            (f"start{end}", "received_order"),
            (f"machine-time{end}", "received_order"),
            (f"finish{end}", "testing_order"),
            (f"return{end}", "testing_order"),
            ("results", "testing_order"),
            ("labels.pdf", "new_order"),
        )
    },
    "/samples/": {"pk": "new_order"},
    "/api/v1/sample-orders/": {"pk": "new_order"},
    "/samples/{pk}/results/{file}/": {"pk": "done_order", "file": "delivered"},
    "/samples/{pk}/results/{file}/withdraw/": {"pk": "testing_order", "file": "result"},
    "/api/v1/sample-orders/{pk}/results/": {"pk": "done_order", "file_id": "delivered"},
    "/samples/{pk}/files/": {"pk": "new_order", "file": "order_file"},
    "/api/v1/sample-orders/{pk}/files/": {"pk": "new_order", "file_id": "order_file"},
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
    "/manage/instruments/{pk}/outages/{outage}/extend/": {"pk": "broken", "outage": "open_outage"},
    "/api/v1/instruments/{pk}/outages/{outage}/extend": {"pk": "broken", "outage": "open_outage"},
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
    "/finance/": {"form": "=xlsx", "institution": "institution", "customer": "enterprise"},
    "/finance/runs/": {"pk": "run"},
    "/charges/": {"pk": "disputable"},
    "/disputes": {"pk": "dispute", "file": "dispute_file", "form": "=csv"},
    "/money/credit": {"pk": "credit", "form": "=csv"},
    "/finance/transfers/": {"pk": "transfer"},
    "/finance/bank/": {"pk": "bank_row"},
    "/finance/bank/{pk}/reopen/": {"pk": "ignored_row"},
    "/verify/": {"code": "code"},
    "/api/v1/charges/{charge_id}/dispute": {"charge_id": "disputable"},
    "/api/v1/charges/{charge_id}/decide": {"charge_id": "disputed"},
    "/api/v1/disputes/": {"dispute_id": "dispute", "file_id": "dispute_file"},
    "/api/v1/transfers/": {"transfer_id": "transfer"},
    "/api/v1/credits/": {"credit_id": "credit"},
    "/api/v1/bank-rows/": {"row_id": "bank_row"},
    "/api/v1/bank-rows/{row_id}/reopen": {"row_id": "ignored_row"},
    "/api/v1/verify/": {"code": "code"},
    "/api/v1/finance/runs/": {"run_id": "run"},
    "/api/v1/billing/": {"organisation_id": "institution"},
    "/invoices/{pk}/words/": {"pk": "draft"},
    "/api/v1/invoices/{invoice_id}/words": {"invoice_id": "draft"},
    "/vouchers/schemes/": {"pk": "scheme"},
    "/vouchers/schemes/{pk}/apply/": {"pk": "open_scheme"},
    "/vouchers/grants/": {"pk": "granted", "file": "grant_file"},
    "/vouchers/charges/": {"pk": "coverable"},
    "/vouchers/uses/": {"pk": "voucher_use"},
    "/vouchers/uses.": {"form": "=csv"},
    "/vouchers/payouts/": {"pk": "payout"},
    "/vouchers/export/": {"kind": "=grants", "form": "=csv"},
    "/invoices/{pk}/files/": {"pk": "issued", "file": "paper"},
    "/api/v1/voucher-schemes/": {"scheme_id": "scheme"},
    "/api/v1/vouchers/": {"voucher_id": "granted", "file_id": "grant_file"},
    **{
        f"/api/v1/vouchers/{{voucher_id}}/{step}": {"voucher_id": "applied"} for step in ("grant", "refuse", "withdraw")
    },
    **{f"/vouchers/grants/{{pk}}/{step}/": {"pk": "applied"} for step in ("grant", "refuse", "withdraw")},
    "/api/v1/charges/": {"charge_id": "coverable"},
    "/api/v1/charges/{charge_id}/voucher/remove": {"charge_id": "covered"},
    "/api/v1/voucher-uses/": {"use_id": "voucher_use"},
    "/api/v1/voucher-payouts/": {"payout_id": "payout"},
    "/api/v1/invoices/{invoice_id}/files/": {"invoice_id": "issued", "file_id": "paper"},
    "/finance/prepaid/terms/": {"pk": "prepaid_terms"},
    "/prepaid/": {"pk": "prepaid", "form": "=csv", "entry": "prepaid_entry"},
    "/api/v1/prepaid-accounts/": {"pk": "prepaid", "form": "=csv", "entry": "prepaid_entry"},
    "/api/v1/institutions/{pk}/prepaid-terms/": {"pk": "institution", "terms": "prepaid_terms"},
    "/money/": {"form": "=csv"},
    "/money/spending/": {"pk": "spending_rule"},
    "/money/budgets/": {"pk": "project"},
    "/spending/": {"pk": "spending"},
    "/api/v1/spending-rules/": {"pk": "spending_rule"},
    "/api/v1/projects/": {"pk": "project"},
    "/api/v1/spending-requests/": {"pk": "spending"},
    "/invoices/": {"pk": "issued", "form": "=csv"},
    "/invoices/{pk}/payments/": {"pk": "issued", "payment": "payment"},
    "/api/v1/invoices/{invoice_id}/payments/": {"invoice_id": "issued", "payment_id": "payment"},
    "/invoices/export/": {"kind": "=invoices", "form": "=xlsx"},
    "/exports/": {"form": "=csv"},
    "/finance/fapiao-batches/": {"pk": "fapiao_batch"},
    "/finance/settings/": {"kind": "=fapiao"},
    "/api/v1/fapiao-batches/": {"batch_id": "fapiao_batch"},
    "/api/v1/organisations/": {"pk": "enterprise"},
    "/invoices/{pk}/issue/": {"pk": "draft"},
    "/invoices/{pk}/delete/": {"pk": "draft"},
    "/api/v1/invoices/": {"invoice_id": "issued"},
    "/api/v1/invoices/{invoice_id}/issue": {"invoice_id": "draft"},
    "/api/v1/exports/": {"form": "=csv"},
    "/trainings/": {"pk": "training"},
    "/trainings/sessions/": {"pk": "training_session"},
    "/account/qualifications/requests/": {"pk": "training_request"},
    "/manage/trainings/": {"pk": "training"},
    "/manage/trainings/sessions/": {"pk": "training_session"},
    "/manage/trainings/sessions/{pk}/results/": {"pk": "training_begun"},
    "/manage/trainings/requests/": {"pk": "training_request"},
    "/manage/qualifications/": {"pk": "qualification", "form": "=csv"},
    "/manage/agreements/": {"pk": "agreement", "version": "=1"},
    "/account/record/": {"pk": "entry", "form": "=csv"},
    "/manage/violations/": {"pk": "entry", "form": "=csv"},
    "/manage/violations/{pk}/decide/": {"pk": "contested"},
    "/api/v1/violations/": {"pk": "entry"},
    "/api/v1/appeals/": {"pk": "appeal"},
    "/api/v1/trainings/": {"pk": "training"},
    "/api/v1/training-sessions/": {"pk": "training_session"},
    "/api/v1/training-sessions/{pk}/results": {"pk": "training_begun"},
    "/api/v1/training-requests/": {"pk": "training_request"},
    "/api/v1/qualifications/": {"pk": "qualification"},
    "/api/v1/agreements/": {"pk": "agreement"},
    "/account/confirm-email/": {"key": "=x"},
    "/account/password/reset/key/": {"uidb36": "=1", "key": "=x"},
    "/account/2fa/webauthn/keys/": {"pk": "=1"},
}

SLOT = {"start": "2026-12-08T09:00:00+08:00", "end": "2026-12-08T10:00:00+08:00"}
# Within a record of 24 November: from 14 to 15 o'clock, the verified one from 10 to 11.
USED = {"start": "2026-11-24T10:00", "end": "2026-11-24T10:30"}
MEASURED = {name: f"{value}:00+08:00" for name, value in USED.items()}
WALL = {"start": "2026-12-08T09:00", "end": "2026-12-08T10:00"}
COURSE = {"name": "Walk", "level": "A", "rank": 1, "hours": "any", "active": "on"}
LATER_WALL = {"start": "2026-12-08T11:00", "end": "2026-12-08T12:00"}
LATER = {name: f"{value}:00+08:00" for name, value in LATER_WALL.items()}
SERIES = {
    **WALL, "mode": "self", "purpose": "Walk", "frequency": "WEEKLY", "ending": "count", "count": "2",
    "on_conflict": "skip",
}  # fmt: skip
ENTERPRISE = {
    "enterprise-name": "Walk", "enterprise-uscc": LICENCE, "enterprise-region": "X", "enterprise-address": "X",
    "enterprise-phone": "1",
}  # fmt: skip
PERSON = {"name": "Walk", "password1": "quiet river 27", "password2": "quiet river 27"}


def _file(document: Any) -> SimpleUploadedFile:
    return SimpleUploadedFile("walk.json", json.dumps(document).encode())


def _wish(world: World) -> dict[str, Any]:
    return {**SLOT, "instrument": world.ids["instrument"], "mode": "self", "purpose": "Walk"}


def _item(world: World) -> dict[str, Any]:
    return {name: value for name, value in _wish(world).items() if name != "purpose"}


def _step(world: World, kind: str = "confirmed", **more: Any) -> dict[str, Any]:
    return {"version": world.versions(kind), "reason": "Walk", **more}


def _barred(world: World) -> dict[str, Any]:
    return {"institution": world.ids["institution"], "person": world.people["member"].pk}


CREDIT = {
    "start": "100", "floor": "0", "ceiling": "120", "completed": "1", "recovery": "5", "recovery_days": "30",
    "appeal_days": "14",
}  # fmt: skip


def _samples(world: World) -> dict[str, Any]:
    return {"instrument": world.ids["sampled"], "items": [{"name": "Walk", "quantity": 1}]}


SAMPLE_ROW = {"row": ["a"], "item-a-name": "Walk", "item-a-quantity": "1"}
TESTED = {"quantity": "1", "fact_points": "1"}


def _per_item(world: World, kind: str, values: dict[str, str]) -> dict[str, Any]:
    items = world.ids[f"{kind}_items"]
    return {f"item-{pk}-{name}": value for pk in items for name, value in values.items()}


PRICES: dict[str, Callable[[World], Any]] = {
    "import": lambda w: {
        "valid_from": "2026-12-01",
        "file": _file(SIMPLE_PRICES),
    },
    "edit": lambda w: {"state": new_rule({}, {"kind": "price", "name": "Walk", "rate": 1}).state, "do": "look"},
    "change": lambda w: {"do": "discard"},
    "start": lambda w: {"starter": "fee", "fee-name": "Walk", "fee-price-internal": "1"},
    "try": lambda w: {**WALL, "event": "use", "audience": "internal", "mode": "self"},
}


Body = Callable[[World], Any]
BODIES: dict[str, Body] = {
    "POST /instruments/{pk}/samples/": lambda w: {**SAMPLE_ROW, "purpose": "Walk"},
    "POST /instruments/{pk}/samples/check/": lambda w: {**SAMPLE_ROW, "purpose": "Walk"},
    "POST /samples/{pk}/cancel/": lambda w: {"reason": "Walk", "version": w.order_version("new_order")},
    "POST /samples/{pk}/reject/": lambda w: {"reason": "Walk", "version": w.order_version("new_order")},
    "POST /samples/{pk}/messages/": lambda w: {"text": "Walk"},
    "POST /samples/{pk}/receive/": lambda w: _per_item(w, "accepted_order", {"quantity": "1"}),
    "POST /samples/{pk}/finish/": lambda w: _per_item(w, "testing_order", TESTED),
    "POST /samples/{pk}/return/": lambda w: {
        "item": w.ids["testing_order_items"], "reason": "Walk", "version": w.order_version("testing_order"),
    },
    "POST /samples/{pk}/machine-time/": lambda w: WALL,
    "POST /samples/{pk}/results/": lambda w: {"files": SimpleUploadedFile("walk.csv", b"a,b\n1,2\n")},
    "POST /api/v1/sample-orders/check": _samples,
    "POST /api/v1/sample-orders": lambda w: {**_samples(w), "purpose": "Walk"},
    "POST /api/v1/sample-orders/{pk}/reject": lambda w: {"reason": "Walk"},
    "POST /api/v1/sample-orders/{pk}/cancel": lambda w: {"reason": "Walk"},
    "POST /api/v1/sample-orders/{pk}/machine-time": lambda w: SLOT,
    "POST /api/v1/sample-orders/{pk}/messages": lambda w: {"text": "Walk"},
    "POST /api/v1/sample-orders/{pk}/files": lambda w: {"files": SimpleUploadedFile("walk.csv", b"a,b\n1,2\n")},
    "POST /api/v1/sample-orders/{pk}/results": lambda w: {"files": SimpleUploadedFile("walk.csv", b"a,b\n1,2\n")},
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
    "POST /instruments/{pk}/prices/calculate/": lambda w: {**WALL, "audience": "internal", "mode": "self"},
    "POST /instruments/{pk}/wait/": lambda w: {
        "start": "2026-12-01T09:00", "end": "2026-12-01T10:00", "mode": "self", "purpose": "Walk", "minutes": "60",
    },
    "POST /api/v1/waitlist": lambda w: {
        "instrument": w.ids["instrument"], "from": "2026-12-01T09:00:00+08:00", "to": "2026-12-01T10:00:00+08:00",
        "duration_minutes": 60, "mode": "self",
    },
    "POST /api/v1/instruments/{pk}/outages/{outage}/extend": lambda w: {"hits": []},
    "POST /instruments/{pk}/book/": lambda w: {**WALL, "mode": "self", "purpose": "Walk"},
    "POST /manage/instruments/{pk}/hours/": lambda w: {"sets": "1"},
    **{
        f"POST {path}prices/{do}/": body
        for path in ("/manage/instruments/{pk}/", "/manage/agreements/{pk}/")
        for do, body in PRICES.items()
    },
    "POST /bookings/{pk}/withdraw/": lambda w: _step(w, "requested"),
    "POST /bookings/{pk}/cancel/": _step,
    "POST /bookings/{pk}/approve/": lambda w: _step(w, "requested"),
    "POST /bookings/{pk}/reject/": lambda w: _step(w, "requested"),
    "POST /bookings/{pk}/coming/": _step,
    "POST /bookings/{pk}/start/": lambda w: _step(w, "soon"),
    "POST /bookings/{pk}/finish/": lambda w: _step(w, "running", end="2026-11-26T09:00"),
    "POST /bookings/{pk}/move/": lambda w: _step(w, **WALL),
    "POST /bookings/{pk}/move/check/": lambda w: _step(w, **WALL),
    "POST /bookings/{pk}/drag/": lambda w: SLOT,
    "POST /bookings/{pk}/transfer/": lambda w: _step(w, user_email=w.people["colleague"].email),
    "POST /desk/decide/": lambda w: {"decision": "approve", "marked": [f"{w.ids['requested']}:1"]},
    "POST /manage/institutions/{pk}/reasons/": lambda w: {"text": ["Walk"], "text_en": ["Walk"]},
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
    **{
        f"POST {path}rules/{page}/": body
        for path in ("/manage/groups/{pk}/", "/manage/institutions/{pk}/", "/network/", "/manage/instruments/{pk}/")
        for page, body in RULE_PAGES.items()
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
    "POST /finance/prepaid/open/": lambda w: {"customer": "Hidden Enterprise"},
    "POST /finance/prepaid/terms/": lambda w: {"kind": "none"},
    "POST /prepaid/{pk}/top-up/": lambda w: {"amount": "2.00", "date": "2026-11-26", "reference": "W"},
    "POST /prepaid/{pk}/refund/": lambda w: {"amount": "2.00", "date": "2026-11-26", "reference": "W"},
    "POST /prepaid/{pk}/low/": lambda w: {"low_at": "5.00"},
    "POST /prepaid/{pk}/entries/{entry}/reverse/": lambda w: {"reason": "Walk"},
    "POST /money/spending/": lambda w: {"kind": "never"},
    "POST /money/budgets/{pk}/": lambda w: {"amount": "5.00", "period": "year", "warn_percent": 80},
    "POST /spending/approve/": lambda w: {"pick": [w.ids["spending"]]},
    "POST /spending/reject/": lambda w: {"pick": [w.ids["spending"]], "reason": "Walk"},
    "POST /spending/{pk}/reject/": lambda w: {"reason": "Walk"},
    "POST /invoices/{pk}/pay/": lambda w: {"amount": "2.00", "date": "2026-11-26", "reference": "W"},
    "POST /invoices/{pk}/payments/{payment}/reverse/": lambda w: {"reason": "Walk"},
    "POST /invoices/{pk}/credit/": lambda w: {"reason": "Walk"},
    "POST /charges/{pk}/dispute/": lambda w: {"reason": "Walk"},
    "POST /disputes/{pk}/reply/": lambda w: {"text": "Walk"},
    "POST /disputes/{pk}/decide/": lambda w: {"decision": "uphold", "reason": "Walk"},
    "POST /money/credit/{pk}/refund/": lambda w: MONEY_BACK,
    "POST /finance/customers/{customer}/transfer/": lambda w: {**MONEY_BACK, "keep_rest": "on"},
    "POST /finance/transfers/{pk}/reverse/": lambda w: {"reason": "Walk"},
    "POST /finance/terms/": lambda w: {"dispute_days": "9"},
    "POST /finance/bank/": lambda w: {"file": SimpleUploadedFile("walk.csv", BANK.encode())},
    "POST /finance/bank/{pk}/match/": lambda w: {"customer": w.ids["enterprise"], "keep_rest": "on"},
    "POST /finance/bank/{pk}/ignore/": lambda w: {"reason": "Walk"},
    "POST /invoices/{pk}/use-credit/": lambda w: {"amount": "1.00"},
    "POST /invoices/{pk}/hold-reminders/": lambda w: {"reason": "Walk"},
    "POST /api/v1/charges/{charge_id}/dispute": lambda w: {"reason": "Walk"},
    "POST /api/v1/charges/{charge_id}/decide": lambda w: {"decision": "uphold", "reason": "Walk"},
    "POST /api/v1/disputes/{dispute_id}/replies": lambda w: {"text": "Walk"},
    "POST /api/v1/disputes/{dispute_id}/files": lambda w: {"files": SimpleUploadedFile("w.csv", b"a,b")},
    "POST /api/v1/transfers": lambda w: {
        **MONEY_BACK, "institution": w.ids["institution"], "enterprise": w.ids["enterprise"], "keep_rest": True,
    },
    "POST /api/v1/transfers/{transfer_id}/reverse": lambda w: {"reason": "Walk"},
    "POST /api/v1/credits/{credit_id}/refund": lambda w: MONEY_BACK,
    "POST /api/v1/invoices/{invoice_id}/use-credit": lambda w: {"amount": "1.00"},
    "POST /api/v1/invoices/{invoice_id}/hold-reminders": lambda w: {"reason": "Walk"},
    "POST /api/v1/money-terms": lambda w: {"dispute_days": 9},
    "POST /api/v1/bank-statements": lambda w: {"file": SimpleUploadedFile("walk.csv", BANK.encode())},
    "POST /api/v1/bank-rows/match-sure": lambda w: {},
    "POST /api/v1/bank-rows/{row_id}/match": lambda w: {"enterprise": w.ids["enterprise"], "keep_rest": True},
    "POST /api/v1/bank-rows/{row_id}/ignore": lambda w: {"reason": "Walk"},
    **{
        f"POST /vouchers/schemes/{path}/": lambda w: {
            "code": "walk2", "name": "Walk", "valid_from": "2026-01-01", "currency": "CNY", "cap_by": "enterprise",
            "when_higher": "available", "shares-TOTAL_FORMS": "1", "shares-INITIAL_FORMS": "0",
            "shares-0-percent": "50", "version": "1",
        }
        for path in ("new", "{pk}/edit")
    },
    "POST /vouchers/schemes/{pk}/apply/": lambda w: {**VOUCHER_WISH, "declared": "on"},
    "POST /vouchers/grants/{pk}/grant/": lambda w: {"amount": "5.00", "enterprise_type": "micro"},
    "POST /vouchers/grants/{pk}/refuse/": lambda w: {"reason": "Walk"},
    "POST /vouchers/grants/{pk}/revoke/": lambda w: {"reason": "Walk"},
    "POST /vouchers/payouts/prepare/": lambda w: {"institution": w.ids["institution"], "scheme": w.ids["open_scheme"]},
    "POST /vouchers/payouts/{pk}/paid/": lambda w: {"paid_on": "2026-11-26", "reference": "W"},
    "POST /vouchers/charges/{pk}/": lambda w: {"voucher": w.ids["granted"], "voucher_declared": "on"},
    "POST /invoices/{pk}/files/": lambda w: {
        "kind": "fapiao", "files": SimpleUploadedFile("walk.csv", b"a,b\n1,2\n"),
    },
    "POST /api/v1/voucher-schemes": lambda w: {
        "code": "walk2", "name": "Walk", "valid_from": "2026-01-01", "shares": [{"percent": "50"}],
    },
    "PATCH /api/v1/voucher-schemes/{scheme_id}": lambda w: {"note": "Walk"},
    "POST /api/v1/vouchers": lambda w: {
        **VOUCHER_WISH, "scheme": w.ids["open_scheme"], "declared": "true",
        "files": SimpleUploadedFile("walk.csv", b"a,b\n1,2\n"),
    },
    "POST /api/v1/vouchers/{voucher_id}/grant": lambda w: {"amount": "5.00"},
    "POST /api/v1/vouchers/{voucher_id}/refuse": lambda w: {"reason": "Walk"},
    "POST /api/v1/vouchers/{voucher_id}/revoke": lambda w: {"reason": "Walk"},
    "POST /api/v1/charges/{charge_id}/voucher": lambda w: {"voucher": w.ids["granted"], "voucher_declared": True},
    "POST /api/v1/voucher-payouts": lambda w: {"institution": w.ids["institution"], "scheme": w.ids["open_scheme"]},
    "POST /api/v1/voucher-payouts/{payout_id}/paid": lambda w: {"paid_on": "2026-11-26", "reference": "W"},
    "POST /api/v1/invoices/{invoice_id}/files": lambda w: {
        "kind": "fapiao", "files": SimpleUploadedFile("walk.csv", b"a,b\n1,2\n"),
    },
    "POST /usage/verify/": lambda w: {"usage": [w.ids["recorded"]]},
    "POST /finance/draft/": lambda w: {
        "institution": w.ids["institution"], "customer": w.ids["enterprise"], "period": "2026-11",
    },
    "POST /finance/run/start/": lambda w: {
        "institution": w.ids["institution"], "period": "2026-11", "step": "issue", "all": "1",
    },
    "POST /finance/{institution}/logo/change/": lambda w: {"logo": picture()},
    "POST /finance/billing/": lambda w: {"missing_data": "warn"},
    "POST /invoices/{pk}/words/": lambda w: {"remark": "Walk"},
    "POST /invoices/{pk}/fapiao/": lambda w: {"number": "1" * 20},
    "POST /finance/fapiao-results/": lambda w: {"text": f"JS2026000001\t{'1' * 20}", "confirmed": "1"},
    "POST /finance/fapiao-settings/": lambda w: {"do": "json", "json": "{}"},
    "POST /finance/accounts/": lambda w: {"do": "government"},
    "POST /finance/journal/": lambda w: {"period": "2026-11"},
    "POST /manage/trainings/new/": lambda w: {**COURSE, "instruments": [w.ids["instrument"]]},
    "POST /manage/trainings/{pk}/": lambda w: {**COURSE, "instruments": [w.ids["instrument"]]},
    "POST /manage/trainings/{pk}/sessions/new/": lambda w: {**WALL, "places": 2},
    "POST /manage/trainings/sessions/{pk}/edit/": lambda w: {**WALL, "places": 2},
    "POST /manage/trainings/sessions/{pk}/cancel/": lambda w: {"reason": "Walk"},
    "POST /manage/trainings/sessions/{pk}/results/": lambda w: {f"outcome-{w.ids['training_seated']}": "absent"},
    "POST /manage/trainings/requests/{pk}/enrol/": lambda w: {"session": w.ids["training_session"]},
    "POST /manage/trainings/requests/{pk}/reject/": lambda w: {"reason": "Walk"},
    "POST /manage/qualifications/grant/": lambda w: {
        "email": w.people["colleague"].email, "what": f"course:{w.ids['training']}", "reason": "Walk",
    },
    "POST /manage/qualifications/{pk}/revoke/": lambda w: {"reason": "Walk"},
    "POST /account/record/{pk}/appeal/": lambda w: {"reason": "Walk"},
    "POST /manage/violations/new/": lambda w: {
        "name": "walk", "email": w.people["colleague"].email, "instrument": w.ids["instrument"], "reason": "Walk",
    },
    "POST /manage/violations/lift/": lambda w: {**_barred(w), "reason": "Walk"},
    "POST /manage/violations/{pk}/decide/": lambda w: {"decision": "uphold", "answer": "Walk"},
    "POST /manage/violations/{pk}/strike-out/": lambda w: {"reason": "Walk"},
    "POST /manage/institutions/{pk}/credit/": lambda w: CREDIT,
    "POST /network/credit/": lambda w: CREDIT,
    "POST /api/v1/violations": lambda w: {
        "name": "walk", "email": w.people["colleague"].email, "instrument": w.ids["instrument"], "reason": "Walk",
    },
    "POST /api/v1/violations/{pk}/appeal": lambda w: {"reason": "Walk"},
    "POST /api/v1/violations/{pk}/strike-out": lambda w: {"reason": "Walk"},
    "POST /api/v1/appeals/{pk}/decide": lambda w: {"uphold": True, "answer": "Walk"},
    "POST /api/v1/standings/lift": lambda w: {**_barred(w), "reason": "Walk"},
    "PUT /api/v1/institutions/{pk}/credit-rules": lambda w: {"points": {"late": 5}},
    "PUT /api/v1/network/credit-rules": lambda w: {"points": {"late": 5}},
    "POST /manage/agreements/new/": lambda w: {
        "customer": w.people["xadmin"].memberships.get().organisation.name, "number": "W-1", "valid_from": "2026-12-01",
    },
    "POST /manage/agreements/{pk}/": lambda w: {"number": "W-2", "valid_from": "2026-12-01"},
    "POST /manage/agreements/{pk}/end/": lambda w: {"reason": "Walk"},
    "POST /api/v1/trainings": lambda w: {"name": "Walk", "level": "A", "instruments": [w.ids["instrument"]]},
    "PATCH /api/v1/trainings/{pk}": lambda w: {"level": "B"},
    "POST /api/v1/training-sessions": lambda w: {**SLOT, "training": w.ids["training"], "places": 2},
    "PATCH /api/v1/training-sessions/{pk}": lambda w: {"places": 9},
    "POST /api/v1/training-sessions/{pk}/cancel": lambda w: {"reason": "Walk"},
    "POST /api/v1/training-sessions/{pk}/results": lambda w: {
        "results": [{"request": w.ids["training_seated"], "outcome": "absent"}],
    },
    "POST /api/v1/training-requests": lambda w: {"training": w.ids["training"]},
    "POST /api/v1/training-requests/{pk}/enrol": lambda w: {"session": w.ids["training_session"]},
    "POST /api/v1/training-requests/{pk}/reject": lambda w: {"reason": "Walk"},
    "POST /api/v1/qualifications": lambda w: {
        "email": w.people["colleague"].email, "training": w.ids["training"], "reason": "Walk",
    },
    "POST /api/v1/qualifications/{pk}/revoke": lambda w: {"reason": "Walk"},
    "POST /api/v1/agreements": lambda w: {
        "customer": w.people["xadmin"].memberships.get().organisation.name, "number": "W-1", "valid_from": "2026-12-01",
    },
    "PATCH /api/v1/agreements/{pk}": lambda w: {"number": "W-2"},
    "POST /api/v1/agreements/{pk}/end": lambda w: {"reason": "Walk"},
    "POST /api/v1/instruments": lambda w: {"local_no": "W1", "name": "Walk", "category": "0101", "modes": ["self"]},
    "PATCH /api/v1/instruments/{pk}": lambda w: {"name": "Walk"},
    "PUT /api/v1/instruments/{pk}/price-list": lambda w: SIMPLE_PRICES,
    "PUT /api/v1/agreements/{pk}/price-list": lambda w: SIMPLE_PRICES,
    "POST /api/v1/instruments/{pk}/policy/try": lambda w: {**SLOT, "mode": "self"},
    "PUT /api/v1/instruments/{pk}/policy": lambda w: {"policy": {"rules": []}},
    "POST /api/v1/instruments/{pk}/outages": lambda w: {**SLOT, "reason": "Walk"},
    "POST /api/v1/bookings/quote.pdf": lambda w: {k: v for k, v in _wish(w).items() if k != "purpose"},
    "POST /api/v1/bookings/check": lambda w: {k: v for k, v in _wish(w).items() if k != "purpose"},
    "POST /api/v1/bookings": _wish,
    "POST /api/v1/bookings/series": lambda w: {**_wish(w), "rrule": "FREQ=WEEKLY;COUNT=2"},
    "POST /api/v1/bookings/series/preview": lambda w: {
        **{k: v for k, v in _wish(w).items() if k != "purpose"}, "rrule": "FREQ=WEEKLY;COUNT=2",
    },
    "POST /api/v1/bookings/series/{pk}/reschedule": lambda w: LATER,
    "POST /api/v1/bookings/series/{pk}/reschedule/preview": lambda w: LATER,
    "POST /api/v1/bookings/series/{pk}/skipped/{date}/take-up": lambda w: LATER,
    "POST /api/v1/bookings/series/{pk}/reject": lambda w: {"reason": "Walk"},
    "POST /api/v1/bookings/several": lambda w: {"purpose": "Walk", "items": [_item(w)]},
    "POST /api/v1/bookings/several/check": lambda w: {"items": [_item(w)]},
    "POST /api/v1/bookings/several/find": lambda w: {
        "items": [{"instrument": w.ids["instrument"], "minutes": 60, "mode": "self"}],
    },
    "POST /instruments/{pk}/series/preview/": lambda w: SERIES,
    "POST /instruments/{pk}/series/book/": lambda w: SERIES,
    "POST /bookings/series/{pk}/move/": lambda w: {**LATER_WALL, "on_conflict": "fail", "reason": "Walk"},
    "POST /bookings/series/{pk}/move/preview/": lambda w: {**LATER_WALL, "on_conflict": "fail"},
    "POST /bookings/series/{pk}/skipped/{date}/take-up/": lambda w: LATER_WALL,
    "POST /bookings/series/{pk}/reject/": lambda w: {"reason": "Walk"},
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
    "POST /api/v1/prepaid-accounts": lambda w: {"institution": w.ids["institution"], "customer": "Hidden Enterprise"},
    "POST /api/v1/prepaid-accounts/{pk}/top-ups": lambda w: {"amount": "2.00", "date": "2026-11-26", "reference": "W"},
    "POST /api/v1/prepaid-accounts/{pk}/refunds": lambda w: {"amount": "2.00", "date": "2026-11-26", "reference": "W"},
    "POST /api/v1/prepaid-accounts/{pk}/entries/{entry}/reverse": lambda w: {"reason": "Walk"},
    "PUT /api/v1/prepaid-accounts/{pk}/low": lambda w: {"low_at": "5.00"},
    "PUT /api/v1/institutions/{pk}/prepaid-terms": lambda w: {"kind": "none"},
    "PUT /api/v1/organisations/{pk}/spending-rules": lambda w: {"kind": "never"},
    "PUT /api/v1/projects/{pk}/budget": lambda w: {"amount": "5.00"},
    "POST /api/v1/spending-requests/decide": lambda w: {"requests": [w.ids["spending"]], "approve": True},
    "POST /api/v1/spending-requests/{pk}/approve": lambda w: {},
    "POST /api/v1/spending-requests/{pk}/reject": lambda w: {"reason": "Walk"},
    "POST /api/v1/invoices/{invoice_id}/payments": lambda w: {
        "amount": "2.00", "date": "2026-11-26", "reference": "W",
    },
    "POST /api/v1/invoices/{invoice_id}/payments/{payment_id}/reverse": lambda w: {"reason": "Walk"},
    "POST /api/v1/invoices/{invoice_id}/credit": lambda w: {"reason": "Walk"},
    "POST /api/v1/bookings/{pk}/reject": lambda w: {"reason": "Walk"},
    "POST /api/v1/bookings/{pk}/reschedule": lambda w: SLOT,
    "POST /api/v1/bookings/{pk}/extend": lambda w: {"end": "2026-12-01T10:15:00+08:00", "reason": "Walk"},
    "POST /api/v1/bookings/{pk}/shorten": lambda w: {"end": "2026-12-01T09:30:00+08:00", "reason": "Walk"},
    "POST /api/v1/bookings/{pk}/transfer": lambda w: {"user": w.ids["colleague"]},
    "POST /api/v1/bookings/decide": lambda w: {"decision": "approve", "ids": [w.ids["requested"]]},
    "PUT /api/v1/institutions/{pk}/reason-templates": lambda w: {"items": [{"text": "Walk"}]},
    "POST /api/v1/usage": lambda w: {
        "source_ref": "walk", "instrument": w.ids["instrument"], "organisation": w.ids["institution"],
        "user": w.ids["imember"], "start": "2026-11-25T09:00:00+08:00", "end": "2026-11-25T10:00:00+08:00",
    },
    "POST /api/v1/feeds": lambda w: {"scope": "mine"},
    "POST /api/v1/finance/runs": lambda w: {
        "institution": w.ids["institution"], "period": "2026-11", "step": "issue",
    },
    "PUT /api/v1/invoices/{invoice_id}/words": lambda w: {"remark": "Walk"},
    "POST /api/v1/finance/ask-for-tax-data": lambda w: {
        "institution": w.ids["institution"], "customer": w.ids["enterprise"],
    },
    "PUT /api/v1/billing/{organisation_id}": lambda w: {"missing_data": "warn"},
    "POST /api/v1/billing/{organisation_id}/logo": lambda w: {"logo": picture()},
    "POST /api/v1/invoices/draft": lambda w: {
        "institution": w.ids["institution"], "enterprise": w.ids["enterprise"], "period": "2026-11",
    },
    "POST /api/v1/invoices/{invoice_id}/fapiao": lambda w: {"number": "1" * 20},
    "POST /api/v1/fapiao-results": lambda w: {"rows": [{"serial": "JS2026000001", "number": "1" * 20}]},
    "POST /api/v1/journals": lambda w: {"period": "2026-11"},
    "PUT /api/v1/fapiao-settings": lambda w: {"content": {}},
    "PUT /api/v1/account-mapping": lambda w: {"content": presets()["enterprise"]},
    "PATCH /api/v1/organisations/{pk}": lambda w: {"phone": "1"},
}  # fmt: skip
# What a list or an operation without an id in its address needs in its query.
QUERIES: dict[str, Body] = {
    "GET /instruments/{pk}/quote.pdf": lambda w: {**WALL, "mode": "self"},
    **{
        f"GET /api/v1/{path}": lambda w: {"period": "2026-11"} for path in ("finance/preview", "exports/to-bill.{form}")
    },
    **{
        f"GET {path}prices/edit/": lambda w: {"new": "band"}
        for path in ("/manage/instruments/{pk}/", "/manage/agreements/{pk}/")
    },
    **{
        f"GET {path}rules/edit/": lambda w: {"new": "length"}
        for path in ("/manage/groups/{pk}/", "/manage/institutions/{pk}/", "/network/", "/manage/instruments/{pk}/")
    },
    "POST /manage/instruments/{pk}/": lambda w: {"section": "customs"},
    "GET /desk/outage/": lambda w: {"instrument": w.ids["instrument"], **SLOT},
    "GET /api/v1/holidays": lambda w: {"year": 2027},
    "GET /api/v1/exports/journal.{form}": lambda w: {"period": "2026-11"},
    "GET /api/v1/availability": lambda w: {
        "instruments": w.ids["instrument"],
        "from": SLOT["start"],
        "to": SLOT["end"],
    },
    "GET /api/v1/instruments/{pk}/availability": lambda w: {"from": SLOT["start"], "to": SLOT["end"]},
}
# Ids inside a body: to those who may not see the object, it answers as if there were none.
# A number in a name is a place in a list.
NAMED: dict[str, dict[str, str]] = {
    **{
        f"POST /api/v1/bookings/{path}": {
            "organisation": "enterprise", "project": "project", "on_behalf_of": "colleague", "instrument": "hidden",
        }
        for path in ("series", "series/preview")
    },
    **{
        f"POST /api/v1/bookings/several{path}": {
            "organisation": "enterprise", "project": "project", "items.0.instrument": "hidden",
        }
        for path in ("", "/check")
    },
    "POST /api/v1/bookings/several/find": {"organisation": "enterprise", "items.0.instrument": "hidden"},
    "POST /api/v1/waitlist": {"organisation": "enterprise", "project": "project", "instrument": "hidden"},
    "POST /api/v1/training-requests": {"organisation": "enterprise"},
    "POST /api/v1/trainings": {
        "institution": "institution", "group": "instrument_group", "instruments.0": "hidden",
    },
    "POST /api/v1/agreements": {"institution": "institution"},
    "POST /api/v1/violations": {"booking": "confirmed", "instrument": "hidden"},
    "POST /api/v1/standings/lift": {"institution": "institution"},
    "POST /api/v1/bookings": {
        "organisation": "enterprise", "project": "project", "on_behalf_of": "colleague", "instrument": "hidden",
    },
    "POST /api/v1/bookings/quote.pdf": {
        "organisation": "enterprise", "project": "project", "on_behalf_of": "colleague", "instrument": "hidden",
    },
    "POST /api/v1/bookings/check": {
        "organisation": "enterprise", "project": "project", "on_behalf_of": "colleague", "instrument": "hidden",
    },
    "POST /api/v1/sample-orders": {"organisation": "enterprise", "project": "project", "instrument": "hidden"},
    "POST /api/v1/sample-orders/check": {"organisation": "enterprise", "project": "project", "instrument": "hidden"},
    "POST /api/v1/feeds": {"organisation": "enterprise", "instrument": "hidden"},
    "POST /api/v1/usage": {"booking": "confirmed", "instrument": "hidden"},
    "POST /api/v1/invoices/draft": {"institution": "institution"},
    "POST /api/v1/prepaid-accounts": {"institution": "institution"},
    "POST /api/v1/spending-requests/decide": {"requests.0": "spending"},
    "POST /api/v1/finance/runs": {"institution": "institution"},
    "POST /api/v1/finance/ask-for-tax-data": {"institution": "institution"},
    "POST /finance/run/start/": {"institution": "institution"},
    "POST /finance/draft/": {"institution": "institution"},
    "POST /api/v1/transfers": {"institution": "institution"},
    "POST /usage/verify/": {"usage": "recorded"},
    "POST /account/organisation/": {"organisation": "enterprise"},
    "POST /instruments/{pk}/book/": {"organisation": "enterprise", "project": "project"},
    "POST /account/feeds/new/": {"organisation": "enterprise", "instrument": "hidden"},
}  # fmt: skip
