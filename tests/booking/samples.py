"""Samples for the tests: a lab that takes them at 80.00 each, and 20.00 for each point."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from backend.accounts.models import User
from backend.outbox.models import Channel, Message
from booking.actions import ordering, results, sampling
from booking.models import OrderStatus, SampleOrder
from invoices.models import Charge
from tests.booking.lab import Lab
from tests.factories import make_price_list

USE = {"event": "use", "mode": "sample"}
PRICES: dict[str, Any] = {
    "name": "Samples",
    "currency": "CNY",
    "rules": [
        {
            "code": "hour", "name": "Use", "kind": "price", "when": {"event": "use", "mode": "self"}, "qty": ["hours"],
            "rate": 50,
        },
        {"code": "setup", "name": "Set-up", "kind": "price", "when": USE, "rate": 100},
        {
            "code": "sample", "name": "Test", "kind": "price", "required": True, "when": USE, "qty": ["samples"],
            "rate": 80,
        },
        {"code": "points", "name": "Points", "kind": "price", "when": USE, "qty": ["samples", "points"], "rate": 20},
        {
            "code": "late_cancel", "name": "Cancelled", "kind": "percent", "rate": 50, "on": ["sample"],
            "when": {"event": "cancel"}, "as_if": {"event": "use"},
        },
    ],
}  # fmt: skip
ITEMS: list[dict[str, Any]] = [
    {"name": "LFP powder", "quantity": 3, "tests": ["XRD"], "parameters": {"points": 4}},
    {"name": "Copper foil", "quantity": 2, "parameters": {"points": 4}},
]


class Bench(Lab):
    """A `Lab` whose instrument takes samples."""

    def __init__(self, *, prices: dict[str, Any] | None = None, **fields: Any) -> None:
        super().__init__(**{"mode_sample": True, **fields})
        make_price_list(self.instrument, prices or PRICES)

    def submit(
        self, items: Any = None, *, user: User | None = None, by: User | None = None, **fields: Any
    ) -> SampleOrder:
        user = user or self.engineer
        return ordering.submit_samples(
            **{
                "by": by or user,
                "user": user,
                "organisation": self.enterprise,
                "instrument": self.instrument,
                "items": ITEMS if items is None else items,
                "purpose": "Phase purity",
                **fields,
            }
        )

    def at_state(self, status: str, **fields: Any) -> SampleOrder:
        """An order brought to a state by the real steps."""
        order = self.submit(**fields)
        if status == OrderStatus.CANCELLED:
            return ordering.cancel_samples(order=order, by=self.engineer)
        if status == OrderStatus.REJECTED:
            return sampling.reject_samples(order=order, by=self.manager, reason="Too large")
        steps = (
            (OrderStatus.ACCEPTED, sampling.accept_samples),
            (OrderStatus.RECEIVED, sampling.receive_samples),
            (OrderStatus.TESTING, sampling.start_testing),
            (OrderStatus.DONE, sampling.finish_testing),
        )
        for state, step in steps:
            if order.status == status:
                break
            order = step(order=order, by=self.manager)  # type: ignore[operator]
            assert order.status == state
        return order

    def deliver(self, order: SampleOrder, name: str = "result.csv", content: bytes = b"a,b\n1,2\n") -> Any:
        return results.deliver_results(order=order, by=self.manager, files=[SimpleUploadedFile(name, content)])


LEAD = {
    "rules": [
        {"id": "lead", "kind": "deadline", "topic": "lead", "if": {"mode": "sample"}, "latest": "start -7d"},
        {"id": "length", "kind": "length", "topic": "length", "min": 60},
    ]
}
FROM = date(2026, 1, 1)
S = OrderStatus


def told(kind: str) -> set[int]:
    return set(Message.objects.filter(kind=kind, channel=Channel.IN_APP).values_list("recipient", flat=True))


def charge_of(order: SampleOrder) -> Charge:
    return Charge.objects.get(source="sample_order", source_uid=order.uid)
