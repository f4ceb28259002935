"""Violations by name, in the reader's language. A rule may name others; these are shown as they are written."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from .standing import LIFTED

USUAL = ("no_show", "late", "late_cancel", "overtime", "early_leave", "unconfirmed")


def violation_label(name: str) -> str:
    words = {
        "no_show": pgettext("violation", "No-show"),
        "late": pgettext("violation", "Late"),
        "late_cancel": pgettext("violation", "Cancelled late"),
        "overtime": pgettext("violation", "Overtime"),
        "early_leave": pgettext("violation", "Left early"),
        "unconfirmed": pgettext("violation", "Not confirmed"),
        LIFTED: pgettext("violation", "Suspension lifted"),
        "*": pgettext("violation", "Any other"),
    }
    return words.get(name) or name.replace("_", " ")


def labels(names: Iterable[str]) -> str:
    return _(", ").join(violation_label(name) for name in names)


def consequence_label(code: str) -> str:
    words = {
        "warn": _("a warning"),
        "fee": _("a fee"),
        "suspend": _("a suspension"),
        "deny": _("the deny list, until lifted"),
        "cancel_future": _("coming bookings are cancelled"),
        "tell": _("the lab is told"),
    }
    return words.get(code) or code
