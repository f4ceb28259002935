"""Shapes of vouchers in the API; money is text with two decimals."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, PLAIN, Day, In, Page
from backend.core.money import format_amount
from instruments.models import Mode
from invoices import voucher_rules
from invoices.models import (
    CapBy,
    EnterpriseType,
    Evidence,
    GrantState,
    UseState,
    VoucherScheme,
    VoucherUse,
    WhenHigher,
)
from invoices.queries.covering import Offer
from invoices.queries.vouchers import ShownGrant
from invoices.schemas import Id, Named

Line = Annotated[str, LINE]
Amount = Annotated[Decimal, Field(max_digits=14, decimal_places=2, gt=0, examples=["500000.00"])]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=5, decimal_places=2)]


class ShareIn(In):
    """The first share that fits counts; empty lists mean any."""

    types: list[EnterpriseType] = Field(default_factory=list, max_length=10)
    modes: list[Mode] = Field(default_factory=list, max_length=10)
    percent: Percent
    host_percent: Percent = Decimal(0)


class SchemeChange(In):
    """What is left out stays. ``version`` is the one that you read."""

    code: Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]{1,20}$")] | None = None
    name: Annotated[str, Field(min_length=1, max_length=100), LINE] | None = None
    name_en: Annotated[str, Field(max_length=150), LINE] | None = None
    region: Annotated[str, Field(max_length=30), LINE] | None = None
    local_only: bool | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    shares: list[ShareIn] | None = Field(None, max_length=12)
    cap: Amount | None = None
    cap_by: CapBy | None = None
    categories: list[Annotated[str, Field(pattern=r"^\d{1,6}$")]] | None = Field(None, max_length=200)
    exclude_related: bool | None = None
    exclude_statutory: bool | None = None
    when_higher: WhenHigher | None = None
    documents: list[Annotated[str, Field(min_length=1, max_length=100), LINE]] | None = Field(None, max_length=20)
    evidence: list[Evidence] | None = Field(None, max_length=5)
    open: bool | None = None
    note: Annotated[str, Field(max_length=2000), PLAIN] | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None


class SchemeIn(SchemeChange):
    code: Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]{1,20}$")]
    name: Annotated[str, Field(min_length=1, max_length=100), LINE]
    valid_from: Day
    shares: list[ShareIn] = Field(min_length=1, max_length=12)


def scheme_values(payload: SchemeChange) -> dict[str, Any]:
    """Of what was sent, as the action takes it: texts where the scheme keeps JSON."""
    values = payload.dict(exclude_unset=True, exclude={"version"})
    if values.get("shares") is not None:
        values["shares"] = [
            {**share, "percent": str(share["percent"]), "host_percent": str(share.get("host_percent", 0))}
            for share in values["shares"]
        ]
    return {name: value for name, value in values.items() if value is not None or name in ("cap", "valid_to")}


class ShareOut(Schema):
    types: list[str]
    modes: list[str]
    percent: str
    host_percent: str


class SchemeOut(Schema):
    id: int
    code: str
    name: str
    name_en: str
    region: str
    local_only: bool
    currency: str
    valid_from: date
    valid_to: date | None
    shares: list[ShareOut]
    cap: str | None
    cap_by: str
    categories: list[str]
    exclude_related: bool
    exclude_statutory: bool
    when_higher: str
    documents: list[str]
    evidence: list[str]
    open: bool
    note: str
    version: int
    sentences: list[str]


class SchemeList(Schema):
    items: list[SchemeOut]
    count: int


def scheme_out(scheme: VoucherScheme) -> dict[str, Any]:
    plain = ("id code name name_en region local_only currency valid_from valid_to cap_by categories exclude_related "
             "exclude_statutory when_higher documents evidence open note version").split()  # fmt: skip
    return {
        **{name: getattr(scheme, name) for name in plain},
        "shares": [{"types": [], "modes": [], "host_percent": "0", **share} for share in scheme.shares],
        "cap": None if scheme.cap is None else format_amount(scheme.cap),
        "sentences": voucher_rules.sentences(scheme),
    }


class GrantFilter(Page):
    status: GrantState | None = None
    scheme: Id | None = None
    enterprise: Id | None = None


class ApplicationIn(In):
    """Sent as a form, because documents go with it; ``related`` are credit codes separated by commas."""

    scheme: Id
    enterprise: Id | None = None
    enterprise_type: EnterpriseType
    requested: Amount
    purpose: Annotated[str, Field(min_length=1, max_length=2000), PLAIN]
    controller: Annotated[str, Field(max_length=18), LINE] = ""
    related: Annotated[str, Field(max_length=1000), LINE] = ""
    declared: bool = Field(False, description="What is stated is true and complete")


class GiveIn(In):
    amount: Amount
    expires_on: Day | None = None
    enterprise_type: EnterpriseType | None = None
    controller: Annotated[str, Field(max_length=18), LINE] | None = None
    reason: Annotated[str, Field(max_length=2000), PLAIN] = ""


class DecisionIn(In):
    reason: Annotated[str, Field(min_length=1, max_length=2000), PLAIN]


class StoredFileOut(Schema):
    id: int
    name: str
    media_type: str
    size: int
    sha256: str


class GrantOut(Schema):
    id: int
    number: str
    status: str
    scheme: Named
    enterprise: Named
    enterprise_type: str
    controller: str
    related: list[str]
    purpose: str
    requested: str
    amount: str | None
    reserved: str
    redeemed: str
    left: str | None
    currency: str
    last_day: date | None
    applied_at: datetime
    decided_at: datetime | None
    reason: str
    files: list[StoredFileOut]


class GrantList(Schema):
    items: list[GrantOut]
    count: int


def grant_out(shown: ShownGrant) -> dict[str, Any]:
    grant = shown.grant
    return {
        "id": grant.pk,
        "number": grant.number,
        "status": shown.status,
        "scheme": {"id": grant.scheme_id, "name": grant.scheme.name},
        "enterprise": {"id": grant.enterprise_id, "name": grant.enterprise.name},
        "enterprise_type": grant.enterprise_type,
        "controller": grant.controller,
        "related": grant.related,
        "purpose": grant.purpose,
        "requested": format_amount(grant.requested),
        "amount": None if grant.amount is None else format_amount(grant.amount),
        "reserved": format_amount(shown.reserved),
        "redeemed": format_amount(shown.redeemed),
        "left": None if grant.amount is None else format_amount(shown.left),
        "currency": grant.scheme.currency,
        "last_day": shown.last,
        "applied_at": grant.applied_at,
        "decided_at": grant.decided_at,
        "reason": grant.reason,
        "files": [file_out(file) for file in grant.files.all()],
    }


def file_out(file: Any) -> dict[str, Any]:
    return {
        "id": file.pk,
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.sha256,
    }


class OfferOut(Schema):
    voucher: int
    number: str
    scheme: str
    possible: bool
    percent: str
    covers: str
    own_part: str
    limits: list[str]
    reasons: list[dict[str, Any]]


def offer_out(offer: Offer, total: Decimal) -> dict[str, Any]:
    return {
        "voucher": offer.grant.pk,
        "number": offer.grant.number,
        "scheme": offer.grant.scheme.name,
        "possible": offer.possible,
        "percent": str(offer.percent),
        "covers": format_amount(offer.amount),
        "own_part": format_amount(total - offer.amount),
        "limits": offer.limit_words,
        "reasons": [{"code": reason.code, "detail": str(reason.detail)} for reason in offer.refusals],
    }


class CoverIn(In):
    voucher: Id
    voucher_declared: bool = Field(False, description="You state that it is no statutory inspection")


class UseFilter(Page):
    status: UseState | None = None
    scheme: Id | None = None
    institution: Id | None = None
    voucher: Id | None = None


class UseOut(Schema):
    id: int
    voucher: str
    scheme: str
    status: str
    institution: Named
    enterprise: Named
    charge: int
    subject: str
    service_date: date
    invoice: str | None
    currency: str
    charged: str
    percent: str
    covered: str
    own_part: str
    for_institution: str
    paid_out: str
    limits: list[str]


class UseList(Schema):
    items: list[UseOut]
    count: int


def use_out(use: VoucherUse) -> dict[str, Any]:
    charge = use.charge
    return {
        "id": use.pk,
        "voucher": use.grant.number,
        "scheme": use.grant.scheme.name,
        "status": voucher_rules.use_status(use),
        "institution": {"id": charge.institution_id, "name": charge.institution.name},
        "enterprise": {"id": charge.customer_id, "name": charge.customer.name},
        "charge": charge.pk,
        "subject": charge.subject,
        "service_date": charge.service_date,
        "invoice": charge.invoice.number if charge.invoice else None,
        "currency": charge.currency,
        "charged": format_amount(charge.total),
        "percent": str(use.percent),
        "covered": format_amount(use.amount),
        "own_part": format_amount(charge.total - use.amount),
        "for_institution": format_amount(use.bonus),
        "paid_out": format_amount(use.paid_out),
        "limits": [voucher_rules.limit_word(code) for code in use.limits],
    }
