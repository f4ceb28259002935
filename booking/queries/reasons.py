"""Reasons that a lab gives often, and whose list it is."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import override

from backend.accounts.models import Organisation, OrganisationKind, Role
from backend.accounts.queries import Access, get_own_organisation
from backend.core.errors import Forbidden, NotFound
from booking.models import ReasonTemplate


def get_institution_with_reasons(access: Access, pk: int) -> Organisation:
    """Of which the person runs instruments; `Forbidden` for who only belongs to it."""
    institution = get_own_organisation(access, pk)
    if institution.kind != OrganisationKind.INSTITUTION:
        raise NotFound
    if not access.has(pk, Role.MANAGER, Role.ADMIN):
        raise Forbidden
    return institution


def reasons_of(institution_id: int) -> list[ReasonTemplate]:
    return list(ReasonTemplate.objects.filter(institution=institution_id))


def reasons_for(institution_id: int, language: str) -> list[str]:
    """What the desk offers: the institution's own, or the usual ones where it has written none; one query."""
    return [row.label(language) for row in reasons_of(institution_id)] or usual_reasons()


def usual_reasons() -> list[str]:
    return [
        _("The time is needed for maintenance. Please choose another time."),
        _("Please describe the samples and the measurement in more detail, then ask again."),
        _("This sample cannot be measured with this instrument. Please call us, we will suggest another."),
        _("An agreement with your organisation is needed first. Please contact our office."),
        _("A training on this instrument is needed before you can use it yourself."),
    ]


def usual_in_both() -> list[tuple[str, str]]:
    """The usual ones as a list to start from: Chinese and English."""
    with override("zh-hans"):
        chinese = usual_reasons()
    with override("en"):
        return list(zip(chinese, usual_reasons(), strict=True))
