"""What the worker calls."""

from backend.outbox import actions


def deliver_due() -> int:
    return actions.deliver_due()
