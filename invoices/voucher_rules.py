"""Pure decisions about vouchers: what a scheme says, whether it covers a service, and how much of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation
from backend.core.errors import Refusal
from backend.core.money import ZERO, add_up, format_amount, round_half_up, shown_amount
from instruments.models import Mode
from invoices.models import (
    CapBy,
    ChargeState,
    EnterpriseType,
    Evidence,
    GrantState,
    UseState,
    VoucherGrant,
    VoucherScheme,
    VoucherUse,
    WhenHigher,
)
from invoices.rules import plain_number

MOST_SHARES = 12


@dataclass(frozen=True, slots=True)
class Share:
    """Percent of the cost for some kinds of enterprises and services; empty sets mean any."""

    types: frozenset[str]
    modes: frozenset[str]
    percent: Decimal
    host_percent: Decimal


@dataclass(frozen=True, slots=True)
class Service:
    """What a charge is for, as far as a scheme asks. ``day`` is the date of service, ``total`` what it costs."""

    customer_id: int
    institution: Organisation
    day: date
    currency: str
    total: Decimal
    mode: str = ""
    category: str = ""


def shares_of(rows: Iterable[Mapping[str, Any]]) -> list[Share]:
    return [
        Share(
            frozenset(row.get("types") or ()),
            frozenset(row.get("modes") or ()),
            Decimal(str(row["percent"])),
            Decimal(str(row.get("host_percent") or 0)),
        )
        for row in rows
    ]


def share_for(rows: Iterable[Mapping[str, Any]], enterprise_type: str, mode: str) -> Share | None:
    """The first row that fits; a service of unknown mode fits only rows that name none."""
    return next(
        (
            share
            for share in shares_of(rows)
            if (not share.types or enterprise_type in share.types) and (not share.modes or mode in share.modes)
        ),
        None,
    )


def covers(scheme: VoucherScheme, day: date) -> bool:
    return scheme.valid_from <= day and (scheme.valid_to is None or day <= scheme.valid_to)


def last_day(grant: VoucherGrant) -> date | None:
    """Of services that it covers: its own last day or the scheme's, whichever comes first."""
    return min(filter(None, (grant.expires_on, grant.scheme.valid_to)), default=None)


def holder_of(grant: VoucherGrant) -> str:
    """Whose year account its use counts in. ``grant.scheme`` and ``grant.enterprise`` have been fetched."""
    own = grant.enterprise.uscc or f"#{grant.enterprise_id}"
    return (grant.controller or own) if grant.scheme.cap_by == CapBy.CONTROLLER else own


def dated_reasons(grant: VoucherGrant, day: date) -> Iterator[Refusal]:
    """Why a service of that day is not covered; asked again when the service moves."""
    if not covers(grant.scheme, day):
        words = _("The scheme does not cover services on %(day)s.")
        yield Refusal("outside_scheme", words % {"day": day}, params={"day": str(day)})
    elif grant.expires_on is not None and day > grant.expires_on:
        words = _("The voucher covers services until %(last)s; this one is on %(day)s.")
        params = {"last": str(grant.expires_on), "day": str(day)}
        yield Refusal("voucher_expired", words % params, params=params)


def reasons_against(grant: VoucherGrant, service: Service, *, declared: bool = True) -> list[Refusal]:
    """Every reason why a voucher cannot be chosen for a service, whatever is left of it.

    ``declared``: the person says that it is no statutory inspection, where the scheme excludes that.
    """
    scheme, found = grant.scheme, list(dated_reasons(grant, service.day))
    if grant.enterprise_id != service.customer_id:
        found.append(Refusal("not_yours", _("The voucher belongs to another organisation.")))
    if grant.state != GrantState.GRANTED:
        words = _("The voucher is not granted: %(state)s.") % {"state": grant.get_state_display()}
        found.append(Refusal("not_granted", words))
    if service.currency != scheme.currency:
        params = {"own": scheme.currency, "other": service.currency}
        words = _("The voucher is in %(own)s, the price in %(other)s.") % params
        found.append(Refusal("other_currency", words, params=params))
    if scheme.local_only and service.institution.region != scheme.region:
        words = _("The scheme covers only services of institutions in %(region)s.") % {"region": scheme.region}
        found.append(Refusal("outside_region", words))
    if scheme.categories and not service.category.startswith(tuple(scheme.categories)):
        found.append(Refusal("not_eligible", _("The scheme does not cover instruments of this category.")))
    if share_for(scheme.shares, grant.enterprise_type, service.mode) is None:
        words = _("The scheme covers no share for this kind of enterprise and service.")
        found.append(Refusal("no_share", words))
    if scheme.exclude_related and is_related(grant, service.institution):
        found.append(Refusal("related_party", _("The institution is a related party of the enterprise.")))
    if scheme.exclude_statutory and not declared:
        words = _("Confirm that this is no statutory inspection: the scheme does not cover that.")
        found.append(Refusal("not_declared", words, field="voucher_declared"))
    return found


def is_related(grant: VoucherGrant, institution: Organisation) -> bool:
    codes = {code for code in (*grant.related, grant.controller) if code}
    return institution.pk == grant.enterprise_id or (institution.uscc or "") in codes


def share_of(amount: Decimal, percent: Decimal) -> Decimal:
    """Half up, to the cent."""
    return round_half_up(Fraction(amount) * Fraction(percent) / 100)


@dataclass(frozen=True, slots=True)
class Room:
    """What is left of a voucher and of the year's cap (None: there is none)."""

    grant: Decimal
    year: Decimal | None


@dataclass(frozen=True, slots=True)
class Cover:
    """What a charge gets, and the codes of what keeps that below the share."""

    amount: Decimal
    limits: list[str] = field(default_factory=list)


def cover(
    *, base: Decimal, charged: Decimal, percent: Decimal, others: Decimal, room: Room, most: Decimal | None = None
) -> Cover:
    """What the voucher covers of a charge of ``charged``, in a family that costs ``base`` with it.

    ``others`` is what it covers of the rest of the family, ``room`` what is left without this charge, ``most`` a limit
    for the whole family. A charge above zero never gets less than nothing, one below zero never more.
    """
    limits = []
    wanted = share_of(base, percent)
    if most is not None and wanted > most:
        wanted = most
        limits.append("reserved")
    wanted -= others
    if charged < 0:
        return Cover(min(ZERO, wanted), limits)
    wanted = max(ZERO, wanted)
    for code, left in (("grant", room.grant), ("cap", room.year)):
        if left is not None and wanted > left:
            wanted = max(ZERO, left)
            limits.append(code)
    return Cover(wanted, limits)


def bonus_of(amount: Decimal, percent: Decimal, host_percent: Decimal) -> Decimal:
    """What the institution gets on top, in proportion to what is covered."""
    if not host_percent or not percent:
        return ZERO
    return round_half_up(Fraction(amount) * Fraction(host_percent) / Fraction(percent))


def most_of(scheme: VoucherScheme, charge_state: str, quoted: Decimal) -> Decimal | None:
    """The limit of a family: none while it is only quoted, or where the scheme follows the final amount."""
    if scheme.when_higher == WhenHigher.AVAILABLE or charge_state == ChargeState.RESERVED:
        return None
    return quoted


def limit_word(code: str) -> str:
    return {
        "reserved": _("The scheme never covers more than was reserved."),
        "grant": _("Nothing more is left of the voucher."),
        "cap": _("The cap of the calendar year is reached."),
        "outside_scheme": _("The scheme does not cover services on this day."),
        "voucher_expired": _("The voucher does not cover services on this day any more."),
    }.get(code, code)


# --- on documents ----------------------------------------------------------------------------------------------------


def voucher_block(uses: Sequence[VoucherUse], total: Decimal, *, in_words: str = "") -> dict[str, Any]:
    """What an invoice says about vouchers; empty without any.

    Of each use grant, scheme and charge have been fetched. ``own`` is the part that is left to the customer.
    """
    amount = add_up(use.amount for use in uses)
    return {
        "amount": format_amount(amount),
        "own": format_amount(total - amount),
        "own_in_capitals": in_words,
        "uses": [
            {
                "scheme": use.grant.scheme.name,
                "number": use.grant.number,
                "charge": str(use.charge.uid),
                "subject": use.charge.subject,
                "service_date": use.charge.service_date.isoformat(),
                "percent": plain_number(use.percent),
                "charged": format_amount(use.charge.total),
                "amount": format_amount(use.amount),
            }
            for use in uses
        ],
    }


def given_back(snapshot: Mapping[str, Any], total: Decimal, back: Mapping[str, Decimal]) -> dict[str, Any]:
    """The snapshot of a credit note of ``total`` with what vouchers get ``back``, by the uid of the credited charge.

    ``snapshot`` still says what the original does.
    """
    rest = {name: value for name, value in snapshot.items() if name != "voucher"}
    if "voucher" not in snapshot or not back:
        return rest
    amount = add_up(back.values())
    uses = [
        {**use, "amount": format_amount(back[use["charge"]])}
        for use in snapshot["voucher"]["uses"]
        if use["charge"] in back
    ]
    own = {"amount": format_amount(amount), "own": format_amount(total - amount), "own_in_capitals": ""}
    return {**rest, "voucher": {**own, "uses": uses}}


# --- in words --------------------------------------------------------------------------------------------------------


def sentences(scheme: VoucherScheme) -> list[str]:
    """What the scheme says, for those who apply and those who mend it."""
    return [*_shares_in_words(scheme), *_limits_in_words(scheme), *_exclusions_in_words(scheme)]


def _shares_in_words(scheme: VoucherScheme) -> Iterator[str]:
    for number, share in enumerate(shares_of(scheme.shares)):
        everybody = _("every other enterprise") if number else _("every enterprise")
        who = _listed(str(EnterpriseType(one).label) for one in EnterpriseType if one in share.types)
        what = _listed(str(Mode(one).label) for one in Mode if one in share.modes)
        params = {"percent": plain_number(share.percent), "who": who or everybody, "what": what}
        if what:
            yield _("Covers %(percent)s %% of the cost for %(who)s, for: %(what)s.") % params
        else:
            yield _("Covers %(percent)s %% of the cost for %(who)s.") % params
        if share.host_percent:
            host = {"percent": plain_number(share.host_percent)}
            yield _("The institution gets another %(percent)s %% of it.") % host


def _limits_in_words(scheme: VoucherScheme) -> Iterator[str]:
    if scheme.cap is not None:
        params = {"amount": shown_amount(scheme.cap, scheme.currency)}
        if scheme.cap_by == CapBy.CONTROLLER:
            yield _("At most %(amount)s in a calendar year for all enterprises of one controller together.") % params
        else:
            yield _("At most %(amount)s for each enterprise in a calendar year, at all institutions together.") % params
    days = {"first": scheme.valid_from, "last": scheme.valid_to}
    if scheme.valid_to:
        yield _("For services from %(first)s to %(last)s.") % days
    else:
        yield _("For services from %(first)s on.") % days
    if scheme.when_higher == WhenHigher.RESERVED:
        yield _("If the final amount is above the quoted one, never more than was reserved.")
    if scheme.categories:
        yield _("Only for instruments of the categories %(codes)s.") % {"codes": _listed(scheme.categories)}


def _exclusions_in_words(scheme: VoucherScheme) -> Iterator[str]:
    if scheme.region:
        yield _("For enterprises in %(region)s.") % {"region": scheme.region}
    if scheme.local_only:
        yield _("Only for services of institutions in the region.")
    if scheme.exclude_related:
        yield _("Not for services between related parties.")
    if scheme.exclude_statutory:
        yield _("Not for statutory inspection.")
    if scheme.documents:
        yield _("To apply: %(documents)s.") % {"documents": _listed(scheme.documents)}
    if scheme.evidence:
        names = (str(one.label) for one in Evidence if one in scheme.evidence)
        yield _("To be paid out: %(papers)s.") % {"papers": _listed(names)}


def _listed(words: Iterable[str]) -> str:
    """Joined as the language does it."""
    return _(", ").join(words)


# --- as people see them ----------------------------------------------------------------------------------------------


def grant_status(grant: VoucherGrant, today: date) -> str:
    """``expired`` and ``used_up`` follow from the date and the amounts."""
    if grant.state != GrantState.GRANTED:
        return grant.state
    last = last_day(grant)
    if last is not None and last < today:
        return "expired"
    return "used_up" if grant.used >= (grant.amount or ZERO) else grant.state


def use_status(use: VoucherUse) -> str:
    """``paid_out`` once the network has paid for what was redeemed."""
    if use.state == UseState.REDEEMED and use.paid_out == use.amount + use.bonus and use.paid_out:
        return "paid_out"
    return use.state


def check_shares(rows: Sequence[Mapping[str, Any]]) -> Iterator[Refusal]:
    """What is wrong with the shares of a scheme."""
    if not 0 < len(rows) <= MOST_SHARES:
        words = _("Give between one and %(most)s shares.") % {"most": MOST_SHARES}
        yield Refusal("shares", words, field="shares", params={"most": MOST_SHARES})
    for share in shares_of(rows):
        if not 0 < share.percent <= 100 or not 0 <= share.host_percent <= 100:
            words = _("A share is above 0 and at most 100 percent.")
            yield Refusal("percent", words, field="shares")
        unknown = (share.types - set(EnterpriseType.values)) | (share.modes - set(Mode.values))
        if unknown:
            words = _("Not known: %(names)s.") % {"names": ", ".join(sorted(unknown))}
            yield Refusal("unknown", words, field="shares")
