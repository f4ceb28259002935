"""A document of rules that is being changed, kept in the session until it is saved as a version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language

from booking.models import Layer, Policy
from booking.queries.holders import Holder
from booking.queries.policy import last_version, policy_in_force

EMPTY: dict[str, Any] = {"rules": []}
# The addresses of each layer's page, its file, and where a file is sent.
NAMES = {
    Layer.NETWORK: ("network_rules", "network_rules_file", "upload_network_rules"),
    Layer.INSTITUTION: ("institution_rules", "institution_rules_file", "institution_upload"),
    Layer.GROUP: ("group_rules", "group_rules_file", "upload_group_rules"),
    Layer.INSTRUMENT: ("rules", "rules_file", "upload_rules"),
}


@dataclass(frozen=True, slots=True)
class Desk:
    """A layer's rules as one person sees them. ``base`` is the last version when the change was begun."""

    holder: Holder
    policy: Policy | None
    document: dict[str, Any]
    base: int
    changed: bool


def open_desk(request: HttpRequest, holder: Holder) -> Desk:
    policy = policy_in_force(holder)
    kept = request.session.get(_key(holder))
    if kept:
        return Desk(holder, policy, kept["document"], kept["base"], True)
    return Desk(holder, policy, policy.document if policy else EMPTY, last_version(holder), False)


def keep(request: HttpRequest, desk: Desk, document: dict[str, Any]) -> None:
    """What equals the saved version is no change."""
    if document == (desk.policy.document if desk.policy else EMPTY):
        drop(request, desk.holder)
    else:
        request.session[_key(desk.holder)] = {"document": document, "base": desk.base}


def drop(request: HttpRequest, holder: Holder) -> None:
    request.session.pop(_key(holder), None)


def _key(holder: Holder) -> str:
    return f"rules-{holder.layer.name.lower()}-{holder.pk}"


def addresses(holder: Holder) -> dict[str, str]:
    arguments = [] if holder.layer == Layer.NETWORK else [holder.pk]
    urls = [reverse(f"booking:{name}", args=arguments) for name in NAMES[holder.layer]]
    page = urls[0]
    return {
        **dict(zip(("page_url", "file_url", "upload_url"), urls, strict=True)),
        "edit_url": f"{page}edit/",
        "change_url": f"{page}change/",
        "start_url": f"{page}start/",
        "try_url": f"{page}try/",
    }


def other_language() -> str:
    return "zh-hans" if (get_language() or "").startswith("en") else "en"


def shown(holder: Holder) -> dict[str, Any]:
    return {
        "holder": holder,
        "layer": holder.layer.name.lower(),
        "instrument": holder.instrument,
        "group": holder.group,
        "owner": holder.owner,
        **addresses(holder),
    }
