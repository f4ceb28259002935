"""Applying for a voucher (申领) and what the network answers. Locks: the grant, audit head of the enterprise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.files import File
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, OrganisationKind, Role, User
from backend.accounts.queries import operators, people_with
from backend.accounts.rules import normalise_uscc
from backend.audit.actions import record
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Invalid, Refusal, Refused, invalid, refuse
from backend.core.files import check_files, keep_files
from backend.core.money import ZERO, format_amount
from backend.outbox.actions import post
from invoices import voucher_rules
from invoices.models import EnterpriseType, GrantFile, GrantState, VoucherGrant, VoucherScheme

MOST_TEXT = 2000
MOST_RELATED = 50
LARGEST = Decimal("999999999999.99")
# How long before its last day people are told that a voucher ends.
ENDS_SOON = timedelta(days=30)


def apply_for_voucher(
    *,
    scheme: VoucherScheme,
    enterprise: Organisation,
    values: Mapping[str, Any],
    by: User,
    files: Sequence[File[Any]] = (),
) -> VoucherGrant:
    """The enterprise's application; the operators of the network are told.

    ``values``: ``enterprise_type``, ``controller`` and ``related`` (credit codes), ``requested``, ``purpose``,
    ``declared``. Files are written before the transaction and removed when it fails. `Invalid` for what is missing,
    `Refused` where the scheme is not for this enterprise or an application waits.
    """
    wrong = list(_missing(scheme, values, files))
    checked = check_files(files, wrong)
    if wrong:
        raise Invalid(*wrong)

    def write(rows: list[GrantFile]) -> VoucherGrant:
        return _apply(scheme=scheme, enterprise=enterprise, values=values, rows=rows, by=by)

    return keep_files(checked, GrantFile, write)


def _missing(scheme: VoucherScheme, values: Mapping[str, Any], files: Sequence[File[Any]]) -> Iterator[Refusal]:
    requested = values.get("requested")
    if requested is None or not ZERO < requested <= LARGEST or requested != requested.quantize(Decimal("0.01")):
        words = _("Give an amount above zero with at most two decimals.")
        yield Refusal("not_positive", words, field="requested")
    if values.get("enterprise_type") not in EnterpriseType.values:
        yield Refusal("required", _("Say what kind of enterprise it is."), field="enterprise_type")
    purpose = str(values.get("purpose") or "").strip()
    if not purpose:
        yield Refusal("required", _("Say what the voucher is for."), field="purpose")
    if len(purpose) > MOST_TEXT:
        yield Refusal("too_long", _("At most %(most)s characters.") % {"most": MOST_TEXT}, field="purpose")
    if len(values.get("related") or ()) > MOST_RELATED:
        yield Refusal("too_many", _("At most %(most)s related parties.") % {"most": MOST_RELATED}, field="related")
    if not values.get("declared"):
        words = _("Confirm that what you state is true and complete.")
        yield Refusal("not_declared", words, field="declared")
    if scheme.documents and not files:
        names = _(", ").join(scheme.documents)
        words = _("Attach the documents that the scheme asks for: %(names)s.") % {"names": names}
        yield Refusal("no_documents", words, field="files")


@atomic_action
def _apply(
    *,
    scheme: VoucherScheme,
    enterprise: Organisation,
    values: Mapping[str, Any],
    rows: Sequence[GrantFile],
    by: User,
) -> VoucherGrant:
    today, now = timezone.localdate(), timezone.now()
    # Two applications of one enterprise come one after the other.
    enterprise = Organisation.objects.select_for_update(no_key=True).get(pk=enterprise.pk)
    reasons = list(_against_applying(scheme, enterprise, values["enterprise_type"], today))
    if reasons:
        raise Refused(*reasons)
    grant = VoucherGrant.objects.create(
        scheme=scheme,
        enterprise=enterprise,
        enterprise_type=values["enterprise_type"],
        controller=normalise_uscc(values.get("controller") or ""),
        related=[code for code in map(normalise_uscc, values.get("related") or ()) if code],
        requested=values["requested"],
        purpose=str(values["purpose"]).strip(),
        applied_at=now,
        applied_by=by,
    )
    for row in rows:
        row.grant, row.at, row.by = grant, now, by
    GrantFile.objects.bulk_create(rows)
    post(
        key=f"voucher-applied-{grant.uid}",
        kind="voucher_applied",
        recipients=operators(),
        context={**_context(grant), "amount": format_amount(grant.requested)},
        path=f"/vouchers/grants/{grant.pk}/",
    )
    _note(grant, "voucher.applied", by, after={"requested": grant.requested})
    return grant


def _against_applying(
    scheme: VoucherScheme, enterprise: Organisation, enterprise_type: str, today: date
) -> Iterator[Refusal]:
    if enterprise.kind != OrganisationKind.ENTERPRISE:
        yield Refusal("not_an_enterprise", _("Only enterprises apply for vouchers."))
    elif not enterprise.uscc:
        fix = _("An administrator enters it on the page of the organisation.")
        yield Refusal("no_uscc", _("Your enterprise has no unified social credit code here yet."), fix_text=fix)
    if not scheme.open or (scheme.valid_to is not None and scheme.valid_to < today):
        yield Refusal("not_open", _("The scheme takes no applications any more."))
    if scheme.region and enterprise.region != scheme.region:
        words = _("The scheme is for enterprises in %(region)s.") % {"region": scheme.region}
        yield Refusal("outside_region", words)
    shares = voucher_rules.shares_of(scheme.shares)
    if not any(not share.types or enterprise_type in share.types for share in shares):
        yield Refusal("no_share", _("The scheme covers nothing for this kind of enterprise."), field="enterprise_type")
    if VoucherGrant.objects.filter(scheme=scheme, enterprise=enterprise, state=GrantState.APPLIED).exists():
        yield Refusal("waiting", _("An application of your enterprise under this scheme waits for its answer already."))


@atomic_action
def grant_voucher(
    *,
    grant: VoucherGrant,
    amount: Decimal,
    by: User,
    expires_on: date | None = None,
    controller: str | None = None,
    enterprise_type: str | None = None,
    reason: str = "",
) -> VoucherGrant:
    """The network agrees to an amount, until a day. It may put right who controls the enterprise and its kind.

    `Invalid` for an amount or a day that cannot be; `Refused` once the application has been answered.
    """
    fresh = _locked(grant)
    _refuse_unless(fresh, GrantState.APPLIED)
    today = timezone.localdate()
    if not amount.is_finite() or not ZERO < amount <= LARGEST or amount != amount.quantize(Decimal("0.01")):
        raise invalid("amount", _("Give an amount above zero with at most two decimals."), "not_positive")
    if expires_on is not None and expires_on < today:
        raise invalid("expires_on", _("The last day lies in the past."), "in_past")
    if enterprise_type is not None and enterprise_type not in EnterpriseType.values:
        raise invalid("enterprise_type", _("Say what kind of enterprise it is."), "unknown")
    fresh.amount, fresh.expires_on = amount, expires_on
    fresh.controller = fresh.controller if controller is None else normalise_uscc(controller)
    fresh.enterprise_type = enterprise_type or fresh.enterprise_type
    _decide(fresh, GrantState.GRANTED, reason, by)
    last = voucher_rules.last_day(fresh)
    _answer(fresh, "voucher_granted", amount=format_amount(amount), last=str(last or ""))
    _note(fresh, "voucher.granted", by, after={"amount": amount, "until": last}, reason=fresh.reason)
    return fresh


@atomic_action
def refuse_voucher(*, grant: VoucherGrant, reason: str, by: User) -> VoucherGrant:
    """The network says no, and why: the enterprise reads it."""
    reason = _required(reason)
    fresh = _locked(grant)
    _refuse_unless(fresh, GrantState.APPLIED)
    _decide(fresh, GrantState.REFUSED, reason, by)
    _answer(fresh, "voucher_refused")
    _note(fresh, "voucher.refused", by, reason=reason)
    return fresh


@atomic_action
def withdraw_application(*, grant: VoucherGrant, by: User) -> VoucherGrant:
    """The enterprise takes its application back before it is answered."""
    fresh = _locked(grant)
    _refuse_unless(fresh, GrantState.APPLIED)
    _decide(fresh, GrantState.WITHDRAWN, "", by)
    _note(fresh, "voucher.withdrawn", by)
    return fresh


@atomic_action
def revoke_voucher(*, grant: VoucherGrant, reason: str, by: User) -> VoucherGrant:
    """Nothing new can be reserved any more; what is reserved already stays. The enterprise reads the reason."""
    reason = _required(reason)
    fresh = _locked(grant)
    _refuse_unless(fresh, GrantState.GRANTED)
    _decide(fresh, GrantState.REVOKED, reason, by)
    _answer(fresh, "voucher_revoked")
    _note(fresh, "voucher.revoked", by, reason=reason)
    return fresh


def remind_of_ending_vouchers(*, day: date) -> int:
    """Tell enterprises of vouchers that end within a month of ``day`` and have something left; how many.

    The key of a message names the voucher and its end, so each is told once, however often this runs.
    """
    rows = VoucherGrant.objects.filter(state=GrantState.GRANTED).select_related("scheme", "enterprise")
    told = 0
    for grant in rows.order_by("pk").iterator(chunk_size=500):
        last = voucher_rules.last_day(grant)
        left = (grant.amount or ZERO) - grant.used
        if last is not None and day <= last <= day + ENDS_SOON and left > 0:
            _tell_of_end(grant, last, left)
            told += 1
    return told


@atomic_action
def _tell_of_end(grant: VoucherGrant, last: date, left: Decimal) -> None:
    post(
        key=f"voucher-ending-{grant.uid}-{last}",
        kind="voucher_ending",
        recipients=people_with(grant.enterprise_id, (Role.ADMIN, Role.FINANCE)),
        context={**_context(grant), "last": str(last), "left": format_amount(left)},
        path=f"/vouchers/grants/{grant.pk}/",
    )


def _locked(grant: VoucherGrant) -> VoucherGrant:
    rows = VoucherGrant.objects.select_for_update(of=("self",), no_key=True)
    return read_anew(rows.select_related("scheme", "enterprise"), grant)


def _refuse_unless(grant: VoucherGrant, state: GrantState) -> None:
    if grant.state != state:
        words = _("This is not possible any more: the voucher is “%(state)s”.")
        raise refuse("wrong_state", words % {"state": grant.get_state_display()})


def _required(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Say why: the enterprise reads it."), "required")
    if len(reason) > MOST_TEXT:
        raise invalid("reason", _("At most %(most)s characters.") % {"most": MOST_TEXT}, "too_long")
    return reason


def _decide(grant: VoucherGrant, state: GrantState, reason: str, by: User) -> None:
    grant.state, grant.reason = state, reason.strip()
    grant.decided_at, grant.decided_by = timezone.now(), by
    grant.save()


def _answer(grant: VoucherGrant, kind: str, **more: str) -> None:
    post(
        key=f"{kind.replace('_', '-')}-{grant.uid}",
        kind=kind,
        recipients={*people_with(grant.enterprise_id, (Role.ADMIN, Role.FINANCE)), grant.applied_by_id},
        context={**_context(grant), "reason": grant.reason, **more},
        path=f"/vouchers/grants/{grant.pk}/",
    )


def _context(grant: VoucherGrant) -> dict[str, str]:
    scheme = grant.scheme
    return {
        "number": grant.number,
        "enterprise": grant.enterprise.name,
        "enterprise_en": grant.enterprise.name_en or grant.enterprise.name,
        "scheme": scheme.name,
        "scheme_en": scheme.name_en or scheme.name,
        "currency": scheme.currency,
    }


def _note(
    grant: VoucherGrant, action: str, by: User, after: Mapping[str, object] | None = None, reason: str = ""
) -> None:
    record(
        organisation_id=grant.enterprise_id,
        actor_id=by.pk,
        action=action,
        object_type="voucher",
        object_id=grant.uid,
        after={"voucher": grant.number, "state": grant.state, **(after or {})},
        reason=reason,
    )
