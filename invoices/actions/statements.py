"""Bank statements: read in, matched, set aside. Locks: the row, then as a transfer does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.attachments import safe_name
from backend.core.db import atomic_action
from backend.core.errors import Refused, invalid, refuse
from instruments.actions.import_table import read_table
from invoices import matching
from invoices.actions.payments import record_transfer
from invoices.actions.terms import keep_columns
from invoices.matching import NoColumns
from invoices.models import BankRow, BankStatement, Invoice, RowState, Transfer
from invoices.queries.statements import matches
from invoices.queries.terms import terms_of

MOST_FAULTS = 200
LONGEST_REASON = 200


def read_statement(
    *, institution: Organisation, name: str, content: bytes, by: User, columns: Mapping[str, str] | None = None
) -> BankStatement:
    """Keep the rows that came in and are not known yet; the same file again adds nothing.

    ``columns``: heading of each column, as far as it is not to be guessed; it is remembered. Rows that cannot be read
    are named in the statement. `Invalid` for what is no table or has no date and amount.
    """
    lines = read_table(content)
    chosen = {**terms_of(institution.pk).columns, **{key: text for key, text in (columns or {}).items() if text}}
    try:
        read = matching.read_entries(lines, chosen)
    except NoColumns as error:
        found = "、".join(error.headings[:20])
        words = _("No line names the columns for date and amount. These were found: %(headings)s")
        raise invalid("file", words % {"headings": found or "—"}, code="no_columns") from error
    return _keep(institution=institution, name=name, content=content, by=by, read=read, remember=bool(columns))


@atomic_action
def _keep(
    *, institution: Organisation, name: str, content: bytes, by: User, read: matching.Read, remember: bool
) -> BankStatement:
    statement = BankStatement.objects.create(
        institution=institution,
        name=safe_name(name),
        sha256=hashlib.sha256(content).hexdigest(),
        currency=institution.currency,
        uploaded_by=by,
        faults=[[line, reason] for line, reason in read.faults[:MOST_FAULTS]],
    )
    rows = [
        BankRow(
            statement=statement,
            institution=institution,
            fingerprint=fingerprint,
            line=entry.line,
            date=entry.date,
            amount=entry.amount,
            currency=institution.currency,
            payer=entry.payer[:200],
            account=entry.account[:60],
            reference=entry.reference[:100],
            text=entry.text[:500],
        )
        for entry, fingerprint in zip(read.entries, matching.fingerprints(read.entries), strict=True)
    ]
    known = BankRow.objects.filter(institution=institution).count()
    # What another upload has read in meanwhile stays as it is.
    BankRow.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    statement.new_rows = statement.rows.count()
    statement.known_rows = len(rows) - statement.new_rows
    statement.save(update_fields=["new_rows", "known_rows"])
    if remember:
        keep_columns(institution=institution, columns=read.columns, by=by)
    record(
        organisation_id=institution.pk,
        actor_id=by.pk,
        action="bank_statement.read",
        object_type="bank_statement",
        object_id=statement.pk,
        before={"rows": known},
        after={"file": statement.name, "new": statement.new_rows, "known": statement.known_rows},
    )
    return statement


@atomic_action
def match_row(
    *,
    row: BankRow,
    parts: Mapping[int, Decimal],
    by: User,
    customer: Organisation | None = None,
    keep_rest: bool = False,
) -> Transfer:
    """Record the row as a transfer that pays ``parts`` (invoice → amount); what is left is the customer's credit.

    Without parts ``customer`` says whose credit it is. `Refused` when the row was dealt with before, and for all that
    `record_transfer` refuses.
    """
    locked = _lock_waiting(row)
    first = Invoice.objects.filter(pk__in=parts, institution=locked.institution_id).select_related("customer").first()
    owner = first.customer if first else customer
    if owner is None:
        raise invalid("parts", _("Choose the invoices that this pays."), code="required")
    transfer = record_transfer(
        institution=locked.institution,
        customer=owner,
        currency=locked.currency,
        amount=locked.amount,
        date=locked.date,
        reference=locked.reference or f"{locked.date:%Y%m%d}-{locked.fingerprint[:8]}",
        note=locked.text,
        parts=parts,
        keep_rest=keep_rest,
        by=by,
    )
    locked.state, locked.transfer = RowState.MATCHED, transfer
    _decided(locked, by)
    return transfer


def match_sure(*, institution: Organisation, by: User, most: int = 200) -> tuple[int, list[str]]:
    """Record all rows whose first suggestion is sure, each for itself; how many, and why others were refused."""
    waiting = BankRow.objects.filter(institution=institution, state=RowState.WAITING)
    done, refused = 0, []
    for found in matches(institution, list(waiting.select_related("institution").order_by("date", "pk"))):
        if not found.sure or done >= most:
            continue
        try:
            with transaction.atomic():
                match_row(row=found.row, parts=dict(found.suggestions[0].parts), by=by)
            done += 1
        except Refused as error:
            refused.append(f"{found.row.date} {found.row.payer}: {error.refusals[0].detail}")
    return done, refused


@atomic_action
def ignore_row(*, row: BankRow, reason: str, by: User) -> BankRow:
    """Set aside what pays no invoice, e.g. interest. `Invalid` without a reason."""
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise invalid("reason", _("Say in at most %(most)s characters why.") % {"most": LONGEST_REASON})
    locked = _lock_waiting(row)
    locked.state, locked.reason = RowState.IGNORED, reason
    return _decided(locked, by)


@atomic_action
def reopen_row(*, row: BankRow, by: User) -> BankRow:
    """What was set aside is to be matched after all."""
    locked = BankRow.objects.select_for_update(of=("self",), no_key=True).select_related("institution").get(pk=row.pk)
    if locked.state != RowState.IGNORED:
        raise refuse("not_set_aside", _("Only what was set aside can be taken up again."))
    locked.state, locked.reason = RowState.WAITING, ""
    return _decided(locked, by)


def _lock_waiting(row: BankRow) -> BankRow:
    locked = BankRow.objects.select_for_update(of=("self",), no_key=True).select_related("institution").get(pk=row.pk)
    if locked.state != RowState.WAITING:
        words = _("This row was dealt with already: %(state)s.") % {"state": locked.get_state_display()}
        raise refuse("row_decided", words)
    return locked


def _decided(row: BankRow, by: User) -> BankRow:
    row.decided_at, row.decided_by = timezone.now(), by
    row.save(update_fields=["state", "transfer", "reason", "decided_at", "decided_by"])
    record(
        organisation_id=row.institution_id,
        actor_id=by.pk,
        action=f"bank_row.{row.state}",
        object_type="bank_row",
        object_id=row.pk,
        after={"amount": row.amount, "date": row.date, "payer": row.payer},
        reason=row.reason,
    )
    return row
