"""What the page of a sample order shows, and to whom which steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from backend.accounts.queries import Access
from backend.core.periods import clock_words
from booking.models import OrderStatus, SampleOrder
from booking.queries import sample_orders as queries
from booking.queries.differences import quoted_items
from booking.queries.owed import Owed, compare, final_items
from booking.queries.sample_prices import cancelling_price, questions
from booking.queries.scope import OWN_DESKS, is_customer, roles_held
from booking.rules.samples import possible
from booking.sample_forms import AcceptForm, ReceivedForm, ReportForm, TestedForm, TimeForm, fact_label
from booking.views import show
from instruments.queries.rights import manages

TONES = {
    OrderStatus.SUBMITTED: "wait",
    OrderStatus.ACCEPTED: "good",
    OrderStatus.RECEIVED: "busy",
    OrderStatus.TESTING: "busy",
    OrderStatus.DONE: "good",
    OrderStatus.REJECTED: "bad",
}
ROAD = (
    (OrderStatus.SUBMITTED, "submitted_at"),
    (OrderStatus.ACCEPTED, "accepted_at"),
    (OrderStatus.RECEIVED, "received_at"),
    (OrderStatus.TESTING, "started_at"),
    (OrderStatus.DONE, "done_at"),
)


def tone(order: SampleOrder) -> str:
    return TONES.get(OrderStatus(order.status), "off")


def context_of(access: Access, order: SampleOrder, now: datetime, *, item: str = "") -> dict[str, Any]:
    """Everything but the messages; ``item`` is the bag whose label was read."""
    customer, lab = is_customer(access, order), manages(access, order.instrument)
    items = list(order.items.all())
    steps = _steps(access, order, customer=customer, lab=lab)
    owed = queries.owed_for_orders([order]).get(order.pk)
    zone = order.instrument.zone
    return {
        "order": order,
        "instrument": order.instrument,
        "zone": order.instrument.timezone,
        "tone": tone(order),
        "road": _road(order),
        "items": [
            {"row": one, "facts": _facts(one.parameters), "tested": _facts(one.tested_parameters)} for one in items
        ],
        "read_item": next((one for one in items if str(one.pk) == item), None),
        "customer": customer,
        "lab": lab and not customer,
        "steps": steps,
        "results": list(queries.results_of(access, order)),
        "bookings": list(order.bookings.order_by("start")),
        "agreements": _agreements(order),
        "reasons": show.reasons_to_reject(order.instrument) if "reject" in steps else [],
        "story": _story(queries.history(order), zone, files=queries.sees_results(access, order)),
        "fee": cancelling_price(order, items, now=now) if "cancel" in steps and customer else None,
        **_price(order, owed),
        **_forms(order, steps),
    }


def _steps(access: Access, order: SampleOrder, *, customer: bool, lab: bool) -> set[str]:
    """What this person can do now."""
    can, found = possible(order.status), set()
    if lab and not customer:
        found = can - {"cancel", "agree"}
        if order.items.filter(received_quantity__gt=0, returned_at=None).exists() is False:
            found.discard("return")
    if customer:
        found |= can & {"cancel"}
    given = {one["role"] for one in order.agreed}
    open_roles = [role for role in order.approval_roles if role not in given]
    # The lab agrees by accepting.
    if "agree" in can and not (customer or lab) and roles_held(access, open_roles, order.instrument):
        found.add("agree")
    return found


def _road(order: SampleOrder) -> list[dict[str, Any]]:
    """The five steps, with when each was done."""
    return [
        {
            "word": status.label,
            "at": getattr(order, moment),
            "now": order.status == status,
            "done": getattr(order, moment) is not None,
        }
        for status, moment in ROAD
    ]


def _facts(parameters: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(fact_label(name), value) for name, value in parameters.items()]


def _agreements(order: SampleOrder) -> list[dict[str, Any]]:
    """Roles that agree apart from the lab, whose accepting is its agreement."""
    given = {one["role"]: one for one in order.agreed}
    asked = [role for role in order.approval_roles if role in OWN_DESKS]
    silent = _("nobody answered in time")
    return [
        {"role": show.role_word(role), "by": given[role]["by"] or silent if role in given else None} for role in asked
    ]


def _price(order: SampleOrder, owed: Owed | None) -> dict[str, Any]:
    """The quote; beside it the charge once that is final."""
    final = owed is not None and owed.is_final
    compared = compare(quoted_items(order.quote), final_items(owed)) if final and owed else []
    return {
        "lines": show.lines(order.quote),
        "quote": order.quote,
        "owed": owed,
        "final": final,
        "released": owed is not None and owed.first.state == "released",
        "compared": compared,
    }


def _forms(order: SampleOrder, steps: set[str]) -> dict[str, Any]:
    """The fields of the steps that are possible."""
    forms: dict[str, Any] = {}
    if "accept" in steps:
        forms["accept_form"] = AcceptForm(initial={"version": order.version, "expected_on": order.wished_on})
    if "receive" in steps:
        forms["received"] = [ReceivedForm(item=item) for item in order.items.all()]
    if "finish" in steps:
        asked = questions(order.price_list)
        forms["tested"] = [TestedForm(item=item, questions=asked) for item in order.items.all()]
        forms["report_form"] = ReportForm(initial={"version": order.version})
    if "take_time" in steps:
        forms["time_form"] = TimeForm(zone=order.instrument.zone, auto_id="id_time_%s")
    return forms


def _words() -> dict[str, tuple[str, str]]:
    return {
        "samples.submit": (pgettext("samples", "Submitted"), "wait"),
        "samples.agree": (_("One role agreed"), "wait"),
        "samples.accept": (_("Accepted by the lab"), "good"),
        "samples.reject": (pgettext("samples", "Not accepted"), "bad"),
        "samples.receive": (pgettext("samples", "Samples received"), "busy"),
        "samples.start": (_("Testing begun"), "busy"),
        "samples.take_time": (_("Machine time taken"), "busy"),
        "samples.deliver": (_("Files added"), "good"),
        "samples.withdraw_result": (_("A file was taken back"), "off"),
        "samples.finish": (pgettext("samples", "Done"), "good"),
        "samples.return": (_("Samples sent back"), "off"),
        "samples.cancel": (pgettext("samples", "Cancelled"), "off"),
    }


ABOUT_FILES = ("samples.deliver", "samples.withdraw_result")


def _story(history: Iterable[Mapping[str, Any]], zone: ZoneInfo, *, files: bool) -> list[dict[str, Any]]:
    """The timeline's entries; of ``files`` only for whom they are."""
    words = _words()
    out = []
    for row in history:
        if row["action"] in ABOUT_FILES and not files:
            continue
        after = row["after"]
        text, colour = words.get(row["action"], (row["action"], "off"))
        detail = [", ".join(after.get("files", [])) if row["action"] == "samples.deliver" else "", row["reason"]]
        if "start" in after and "end" in after:
            start, end = (datetime.fromisoformat(after[name]) for name in ("start", "end"))
            detail.append(clock_words(start, end, zone))
        if after.get("fee", "0.00") != "0.00":
            detail.append(_("fee %(fee)s") % {"fee": after["fee"]})
        told = " · ".join(part for part in detail if part)
        out.append({"at": row["at"], "text": text, "by": row["by"] or _("the system"), "detail": told, "tone": colour})
    return out
