"""Sample orders over HTTP: submitting, the laboratory's steps, results as files."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import File, Query, Router, Status, UploadedFile

from backend.accounts.auth import access, person, signed_in
from backend.core.errors import invalid
from backend.core.http import refusal_out
from booking import sample_schemas as shapes
from booking.actions import ordering, results, sampling
from booking.actions.requesting import quote_out
from booking.api.bookings import asked_party, choose_organisation, choose_project
from booking.api.sample_shapes import order_out, orders_out, result_out
from booking.api.shapes import approval_out
from booking.documents import labels_pdf, result_response
from booking.queries import sample_orders as queries
from booking.queries.order_wishes import OrderWish, assess_order, pieces_of
from instruments.queries.rights import get_visible_instrument

router = Router(auth=signed_in, tags=["samples"])


def _wish(request: HttpRequest, body: shapes.SampleWish) -> OrderWish:
    """Every id looked up within what the caller may name."""
    mine = access(request)
    instrument = get_visible_instrument(mine, body.instrument)
    party = asked_party(mine, instrument, body)
    organisation = party.organisation if party else choose_organisation(mine, body.organisation)
    return OrderWish(
        instrument=instrument,
        organisation=organisation,
        user=party.user if party else person(request),
        pieces=pieces_of(item.model_dump() for item in body.items),
        project=choose_project(mine, organisation, body.project),
        wished_on=body.wished_on,
    )


@router.post(
    "/sample-orders/check",
    response=shapes.SampleCheckOut,
    summary="What the samples would cost, and what speaks against them; writes nothing",
)
def check(request: HttpRequest, body: shapes.SampleWish) -> dict[str, Any]:
    answer = assess_order(_wish(request, body), now=timezone.now())
    return {
        "acceptable": not answer.refusals,
        "refusals": [refusal_out(refusal) for refusal in answer.refusals],
        "approval": {**approval_out(answer), "needed": True},
        "notices": list(answer.notices),
        "quote": quote_out(answer.quote),
    }


@router.post("/sample-orders", response={201: shapes.SampleOrderOut}, summary="Submit samples")
def submit(request: HttpRequest, body: shapes.NewSampleOrder) -> Status[dict[str, Any]]:
    wish = _wish(request, body)
    order = ordering.submit_samples(
        by=person(request),
        user=wish.user,
        organisation=wish.organisation,
        instrument=wish.instrument,
        items=[item.model_dump() for item in body.items],
        purpose=body.purpose,
        requirements=body.requirements,
        return_samples=body.return_samples,
        wished_on=wish.wished_on,
        project=wish.project,
    )
    return Status(201, order_out(access(request), order))


@router.get("/sample-orders", response=shapes.SampleOrderPage, summary="Orders that you may see, the newest first")
def orders(request: HttpRequest, filters: Query[shapes.SampleOrderFilter]) -> dict[str, Any]:
    mine = access(request)
    rows = queries.filtered_orders(
        mine, status=filters.status, instrument=filters.instrument, organisation=filters.organisation
    )
    part = list(rows[filters.offset : filters.offset + filters.limit])
    return {"items": orders_out(mine, part), "count": rows.count()}


@router.get("/sample-orders/{int:pk}", response=shapes.SampleOrderOut, summary="One order")
def order(request: HttpRequest, pk: int) -> dict[str, Any]:
    mine = access(request)
    return order_out(mine, queries.get_visible_order(mine, pk))


@router.post("/sample-orders/{int:pk}/agree", response=shapes.SampleOrderOut, summary="Agree, where rules ask for you")
def agree(request: HttpRequest, pk: int, body: shapes.OrderStep) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_order_to_agree(mine, pk)
    return order_out(mine, ordering.agree_to_samples(order=found, by=person(request), version=body.version))


@router.post("/sample-orders/{int:pk}/accept", response=shapes.SampleOrderOut, summary="Promise to measure them")
def accept(request: HttpRequest, pk: int, body: shapes.Acceptance) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_order(mine, pk)
    done = sampling.accept_samples(order=found, by=person(request), expected_on=body.expected_on, version=body.version)
    return order_out(mine, done)


@router.post("/sample-orders/{int:pk}/reject", response=shapes.SampleOrderOut, summary="Refuse, with a reason")
def reject(request: HttpRequest, pk: int, body: shapes.OrderReason) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_order(mine, pk)
    done = sampling.reject_samples(order=found, by=person(request), reason=body.reason, version=body.version)
    return order_out(mine, done)


@router.post("/sample-orders/{int:pk}/receive", response=shapes.SampleOrderOut, summary="Note what arrived")
def receive(request: HttpRequest, pk: int, body: shapes.Receipt) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_order(mine, pk)
    told = {item.id: item.model_dump(exclude={"id"}) for item in body.items}
    return order_out(mine, sampling.receive_samples(order=found, by=person(request), items=told, version=body.version))


@router.post("/sample-orders/{int:pk}/start", response=shapes.SampleOrderOut, summary="Begin to test")
def start(request: HttpRequest, pk: int, body: shapes.TestingStart) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_order(mine, pk)
    if (body.start is None) != (body.end is None):
        raise invalid("end", _("Please give both the beginning and the end."), "required")
    done = sampling.start_testing(order=found, by=person(request), start=body.start, end=body.end, version=body.version)
    return order_out(mine, done)


@router.post(
    "/sample-orders/{int:pk}/machine-time",
    response=shapes.SampleOrderOut,
    summary="Take time on the instrument for the samples",
)
def machine_time(request: HttpRequest, pk: int, body: shapes.MachineTime) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_order(mine, pk)
    sampling.take_machine_time(order=found, by=person(request), start=body.start, end=body.end, version=body.version)
    return order_out(mine, found)


@router.post(
    "/sample-orders/{int:pk}/finish", response=shapes.SampleOrderOut, summary="Say what was tested; charges it"
)
def finish(request: HttpRequest, pk: int, body: shapes.Finished) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_order(mine, pk)
    told = {item.id: item.model_dump(exclude={"id"}) for item in body.items}
    done = sampling.finish_testing(
        order=found, by=person(request), items=told, report=body.report, version=body.version
    )
    return order_out(mine, done)


@router.post("/sample-orders/{int:pk}/return", response=shapes.SampleOrderOut, summary="Note that samples went back")
def give_back(request: HttpRequest, pk: int, body: shapes.GivenBack) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_order(mine, pk)
    done = sampling.give_samples_back(
        order=found, by=person(request), items=body.items, note=body.note, version=body.version
    )
    return order_out(mine, done)


@router.post("/sample-orders/{int:pk}/cancel", response=shapes.SampleOrderOut, summary="Give an order up")
def cancel(request: HttpRequest, pk: int, body: shapes.OrderReason) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_order(mine, pk)
    done = ordering.cancel_samples(
        order=found,
        by=person(request),
        reason=body.reason,
        version=body.version,
        by_lab=queries.acts_for_lab(mine, found),
    )
    return order_out(mine, done)


@router.post(
    "/sample-orders/{int:pk}/results",
    response={201: list[shapes.ResultOut]},
    summary="Deliver results as files",
    description="One to five files of at most 20 MB each; the customer is given them when the order is done.",
)
def deliver(request: HttpRequest, pk: int, files: File[list[UploadedFile]]) -> Status[list[dict[str, Any]]]:
    found = queries.get_managed_order(access(request), pk)
    rows = results.deliver_results(order=found, by=person(request), files=files)
    return Status(201, [result_out(row, found) for row in rows])


@router.get(
    "/sample-orders/{int:pk}/results/{int:file_id}",
    summary="A result file",
    openapi_extra={"responses": {200: {"description": "The file", "content": {"*/*": {}}}}},
)
def read_result(request: HttpRequest, pk: int, file_id: int) -> HttpResponseBase:
    return result_response(queries.get_result(access(request), pk, file_id))


@router.delete("/sample-orders/{int:pk}/results/{int:file_id}", response={204: None}, summary="Take a wrong file back")
def withdraw(request: HttpRequest, pk: int, file_id: int) -> Status[None]:
    found = queries.get_managed_result(access(request), pk, file_id)
    results.withdraw_result(result=found, by=person(request))
    return Status(204, None)


@router.get(
    "/sample-orders/{int:pk}/labels.pdf",
    summary="Labels for the bags",
    openapi_extra={"responses": {200: {"description": "A PDF", "content": {"application/pdf": {}}}}},
)
def labels(request: HttpRequest, pk: int) -> HttpResponse:
    return labels_pdf(queries.get_order(access(request), pk))
