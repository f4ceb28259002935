"""What the worker calls."""

from booking.actions import deciding


def expire_holds() -> int:
    return deciding.expire_holds()
