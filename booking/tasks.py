"""What the worker calls."""

from booking.actions import deciding, no_shows, reminding


def expire_holds() -> int:
    return deciding.expire_holds()


def mark_no_shows() -> int:
    return no_shows.mark_no_shows()


def remind() -> int:
    return reminding.remind()
