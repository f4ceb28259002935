"""Every way an action can say no, and what each becomes over HTTP.

    YixiangError
    ├── Unauthenticated  401  no valid credentials
    ├── Forbidden        403  the caller sees the object but lacks the right
    ├── NotFound         404  absent, or belongs to somebody else: indistinguishable on purpose
    ├── Refused          409  rules, a conflict or the state of the object say no
    ├── Stale            412  the object changed since the caller read it
    ├── Invalid          422  the input has the wrong shape
    ├── Throttled        429  too many requests; carries ``retry_after`` seconds
    └── Busy             503  the database is contended; carries ``retry_after`` seconds

`backend.core.http` is the one place that turns these into responses, for pages and API alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why something cannot be done.

    ``code`` is stable and for machines, ``detail`` a sentence for the reader, ``params`` the numbers
    behind it. ``until`` says when the reason ends, ``fix`` names an instant that would be accepted,
    ``fix_text`` what the reader can do. Instants are aware datetimes. ``field`` names an input.
    """

    code: str
    detail: Text
    field: str = ""
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    until: datetime | None = None
    fix: datetime | None = None
    fix_text: Text = ""


class YixiangError(Exception):
    """Base of the family. ``refusals`` may be empty; ``title`` is what a person reads first."""

    status = 500
    code = "error"
    title: Text = _("Something went wrong")

    def __init__(self, *refusals: Refusal, detail: Text = "") -> None:
        self.refusals: tuple[Refusal, ...] = refusals
        self.detail: Text = detail or (refusals[0].detail if refusals else "")
        super().__init__(self.code)


class Unauthenticated(YixiangError):
    status = 401
    code = "unauthenticated"
    title = _("Please sign in")


class Forbidden(YixiangError):
    status = 403
    code = "forbidden"
    title = _("You are not allowed to do this")


class NotFound(YixiangError):
    status = 404
    code = "not_found"
    title = _("Not found")


class Refused(YixiangError):
    status = 409
    code = "refused"
    title = _("This is not possible")

    @classmethod
    def because(cls, refusals: Iterable[Refusal]) -> Refused:
        return cls(*refusals)


class Stale(YixiangError):
    status = 412
    code = "stale"
    title = _("This changed while you were looking at it. Load it again and repeat your change.")


class Invalid(YixiangError):
    status = 422
    code = "invalid"
    title = _("Please check your input")


class Throttled(YixiangError):
    status = 429
    code = "throttled"
    title = _("Too many requests. Please wait a moment.")

    def __init__(self, retry_after: int = 60) -> None:
        super().__init__()
        self.retry_after = retry_after


class Busy(YixiangError):
    status = 503
    code = "busy"
    title = _("The system is busy. Please try again in a few seconds.")

    def __init__(self, retry_after: int = 2) -> None:
        super().__init__()
        self.retry_after = retry_after


def refuse(code: str, detail: Text, **more: Any) -> Refused:
    """A `Refused` with a single reason."""
    return Refused(Refusal(code, detail, **more))


def invalid(field: str, detail: Text, code: str = "invalid", **more: Any) -> Invalid:
    """An `Invalid` for one input field."""
    return Invalid(Refusal(code, detail, field=field, **more))
