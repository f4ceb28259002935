"""Schemes of vouchers, written by those who run the network. Locks: the scheme, audit head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.audit.actions import record
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Invalid, Refusal
from invoices import voucher_rules
from invoices.models import Evidence, VoucherScheme

# In the order of the form; ``shares`` as `VoucherScheme` says.
FIELDS = (
    *("code", "name", "name_en", "region", "local_only", "currency", "valid_from", "valid_to", "shares", "cap"),
    *("cap_by", "categories", "exclude_related", "exclude_statutory", "when_higher", "documents", "evidence"),
    *("open", "note"),
)


@atomic_action
def save_scheme(
    *, scheme: VoucherScheme | None, values: Mapping[str, Any], network_id: int, by: User, version: int | None = None
) -> VoucherScheme:
    """Make a scheme, or change one; ``values`` may name only some of `FIELDS`.

    What was reserved or redeemed before keeps its share; a lower cap takes nothing back. `Invalid` with all that is
    wrong, `Stale` where somebody changed it since ``version``.
    """
    if scheme is None:
        fresh, before = VoucherScheme(version=0), {}
    else:
        fresh = read_anew(VoucherScheme.objects.select_for_update(no_key=True), scheme, version=version)
        before = _figures(fresh)
    for name in FIELDS:
        if name in values:
            setattr(fresh, name, values[name])
    wrong = list(_problems(fresh))
    if wrong:
        raise Invalid(*wrong)
    fresh.version += 1
    fresh.save()
    record(
        organisation_id=network_id,
        actor_id=by.pk,
        action="voucher.scheme_saved",
        object_type="voucher_scheme",
        object_id=fresh.uid,
        before=before,
        after=_figures(fresh),
    )
    return fresh


def _problems(scheme: VoucherScheme) -> Iterator[Refusal]:
    if not scheme.code or not scheme.name:
        yield Refusal("required", _("A scheme needs a code and a name."), field="name" if scheme.code else "code")
    if VoucherScheme.objects.filter(code=scheme.code).exclude(pk=scheme.pk).exists():
        yield Refusal("code_used", _("Another scheme has this code."), field="code")
    if scheme.valid_from is None:
        yield Refusal("required", _("Give the first day."), field="valid_from")
    elif scheme.valid_to is not None and scheme.valid_to < scheme.valid_from:
        yield Refusal("ends_before", _("The last day lies before the first."), field="valid_to")
    if scheme.cap is not None and scheme.cap <= 0:
        yield Refusal("not_positive", _("The cap must be above zero; leave it empty for none."), field="cap")
    if scheme.local_only and not scheme.region:
        yield Refusal("no_region", _("Name the region whose institutions are meant."), field="region")
    unknown = set(scheme.evidence) - set(Evidence.values)
    if unknown:
        yield Refusal("unknown", _("Not known: %(names)s.") % {"names": ", ".join(sorted(unknown))}, field="evidence")
    yield from voucher_rules.check_shares(scheme.shares)


def _figures(scheme: VoucherScheme) -> dict[str, Any]:
    return {name: getattr(scheme, name) for name in FIELDS}
