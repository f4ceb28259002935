"""What an institution sets about disputes, reminders and its bank's statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal
from backend.core.text import has_control_characters
from invoices import matching
from invoices.models import MoneyTerms

LONGEST_WINDOW, LONGEST_LATE = 365, 730
MOST_LEVELS, LONGEST_TEXT = 5, 500


@atomic_action
def save_terms(
    *, institution: Organisation, dispute_days: int, reminders: Sequence[Mapping[str, Any]], by: User
) -> MoneyTerms:
    """``reminders``: ``{"days", "text"}`` in rising order; ``days`` after the due date, below zero before it."""
    wrong: list[Refusal] = []
    if not 0 <= dispute_days <= LONGEST_WINDOW:
        words = _("From 0 to %(most)s days.") % {"most": LONGEST_WINDOW}
        wrong.append(Refusal("out_of_range", words, field="dispute_days"))
    levels = [{"days": one["days"], "text": str(one.get("text", "")).strip()} for one in reminders]
    wrong += _level_problems(levels)
    if wrong:
        raise Invalid(*wrong)
    terms = _lock(institution)
    before = {"dispute_days": terms.dispute_days, "reminders": terms.reminders}
    terms.dispute_days, terms.reminders, terms.changed_by = dispute_days, levels, by
    terms.save()
    _record(institution, by, before, {"dispute_days": dispute_days, "reminders": levels})
    return terms


def _level_problems(levels: Sequence[Mapping[str, Any]]) -> list[Refusal]:
    wrong = []
    days = [one["days"] for one in levels]
    if len(levels) > MOST_LEVELS:
        wrong.append(Refusal("too_many", _("At most %(most)s reminders.") % {"most": MOST_LEVELS}, field="reminders"))
    if days != sorted(set(days)):
        words = _("Each reminder comes later than the one before.")
        wrong.append(Refusal("not_rising", words, field="reminders"))
    if any(not -30 <= day <= LONGEST_LATE for day in days):
        words = _("From 30 days before the due date to %(most)s days after it.") % {"most": LONGEST_LATE}
        wrong.append(Refusal("out_of_range", words, field="reminders"))
    if any(len(one["text"]) > LONGEST_TEXT or has_control_characters(one["text"]) for one in levels):
        words = _("At most %(max_length)s characters.") % {"max_length": LONGEST_TEXT}
        wrong.append(Refusal("bad_text", words, field="reminders"))
    return wrong


def keep_columns(*, institution: Organisation, columns: Mapping[str, str], by: User) -> None:
    """The headings of the bank's statements, for the next time. Part of the action that read one."""
    terms = _lock(institution)
    kept = {what: columns[what][:100] for what in matching.HEADINGS if columns.get(what)}
    if kept != terms.columns:
        before, terms.columns, terms.changed_by = terms.columns, kept, by
        terms.save()
        _record(institution, by, {"columns": before}, {"columns": kept})


def _lock(institution: Organisation) -> MoneyTerms:
    MoneyTerms.objects.get_or_create(institution=institution)
    return MoneyTerms.objects.select_for_update(no_key=True).get(institution=institution)


def _record(institution: Organisation, by: User, before: dict[str, Any], after: dict[str, Any]) -> None:
    record(
        organisation_id=institution.pk,
        actor_id=by.pk,
        action="money_terms.changed",
        object_type="organisation",
        object_id=institution.pk,
        before=before,
        after=after,
    )
