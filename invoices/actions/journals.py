"""That a month's entries were taken over by the accounts. Locks: the institution, audit head."""

from __future__ import annotations

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Refusal, Refused, invalid, refuse
from backend.core.money import ZERO, add_up
from invoices import rules
from invoices.models import JournalExport
from invoices.queries.books import Summary, gap_sentences, mapping_of, summary_of


def checked_summary(institution: Organisation, period: str) -> Summary:
    """`Invalid` for no month; `Refused` without a mapping, and with each account that it lacks."""
    if not rules.is_period(period):
        raise invalid("period", _("Give the month as YYYY-MM, for example 2026-03."))
    mapping = mapping_of(institution.pk)
    if mapping is None:
        raise refuse(
            "no_mapping",
            _("No accounts are set up yet."),
            fix_text=_("Set them up under Finance → Exports → Accounts."),
        )
    summary = summary_of(institution, period, mapping)
    if summary.gaps:
        fix = _("Add it to the accounts.")
        raise Refused(*(Refusal("no_account", text, fix_text=fix) for text in gap_sentences(summary.gaps)))
    return summary


@atomic_action
def mark_exported(*, institution: Organisation, period: str, by: User, again: bool = False) -> JournalExport:
    """Note that the month goes to the accounts now. `Refused` while an account is missing, and, unless ``again``, if
    it went before.
    """
    Organisation.objects.select_for_update(no_key=True).get(pk=institution.pk)
    summary = checked_summary(institution, period)
    if not summary.vouchers:
        raise refuse("nothing_to_export", _("Nothing is to be booked in this month."))
    last = summary.last
    if last is not None and not again:
        day = rules.day_at(institution, last.exported_at)
        params = {"period": period, "day": str(day), "name": last.exported_by.name}
        raise refuse(
            "already_exported",
            _("%(period)s was exported on %(day)s by %(name)s.") % params,
            params=params,
            fix_text=_("Say that you want it again, and replace the entries in your accounts."),
        )
    made = JournalExport.objects.create(
        institution=institution,
        period=period,
        exported_by=by,
        vouchers=summary.vouchers,
        debit=add_up(summary.debit.values()) or ZERO,
        sha256=summary.sha256,
    )
    record(
        organisation_id=institution.pk,
        actor_id=by.pk,
        action="journal.exported",
        object_type="journal",
        object_id=f"{institution.pk}-{period}",
        after={"period": period, "vouchers": made.vouchers, "sha256": made.sha256, "again": last is not None},
    )
    return made
