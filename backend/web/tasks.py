"""What the worker calls every minute."""

from backend.web import actions


def tick() -> dict[str, int]:
    return actions.run_due_work()
