"""The rules of each layer over HTTP: the JSON of docs/policy.md, in dated versions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from backend.accounts.auth import access, person, signed_in
from booking.actions.policies import save_rules
from booking.api.shapes import policy_out, tried_out
from booking.models import Layer
from booking.queries.behalf import party_by_email
from booking.queries.holders import get_holder
from booking.queries.policy import policy_in_force
from booking.queries.trying import try_rules, typical
from booking.queries.wishes import Wish, check_shape
from booking.rules.layers import parse_policy
from booking.schemas import NewPolicy, PolicyOut, TriedOut, TryPolicy
from instruments.queries.rights import get_managed_instrument

router = Router(auth=signed_in, tags=["rules"])


def _read(request: HttpRequest, layer: Layer, pk: int = 0) -> dict[str, Any]:
    return policy_out(policy_in_force(get_holder(access(request), layer, pk)))


def _write(request: HttpRequest, body: NewPolicy, layer: Layer, pk: int = 0) -> dict[str, Any]:
    holder = get_holder(access(request), layer, pk)
    return policy_out(save_rules(holder=holder, document=body.policy, by=person(request), valid_from=body.valid_from))


@router.get("/instruments/{int:pk}/policy", response=PolicyOut, summary="The instrument's own rules in force")
def policy(request: HttpRequest, pk: int) -> dict[str, Any]:
    return _read(request, Layer.INSTRUMENT, pk)


@router.put("/instruments/{int:pk}/policy", response=PolicyOut, summary="A new dated version of the rules")
def put_policy(request: HttpRequest, pk: int, body: NewPolicy) -> dict[str, Any]:
    return _write(request, body, Layer.INSTRUMENT, pk)


@router.post(
    "/instruments/{int:pk}/policy/try", response=TriedOut, summary="What rules would say to a wish; never writes"
)
def try_policy(request: HttpRequest, pk: int, body: TryPolicy) -> dict[str, Any]:
    """With ``policy`` in place of the instrument's own rules; without it those in force answer."""
    mine = access(request)
    found = get_managed_instrument(mine, pk)
    check_shape(body.start, body.end)
    user, organisation = typical(body.audience, found)
    if body.email:
        party = party_by_email(mine, found, body.email, body.organisation)
        user, organisation = party.user, party.organisation
    wish = Wish(found, body.start, body.end, body.mode, organisation, user, samples=body.samples)
    if body.policy is not None:
        parse_policy(body.policy)  # so that problems are named by their place in the document alone
    tried = try_rules(wish, layer=Layer.INSTRUMENT, document=body.policy, now=timezone.now())
    return tried_out(tried)


@router.get("/instrument-groups/{int:pk}/policy", response=PolicyOut, summary="The group's rules in force")
def group_policy(request: HttpRequest, pk: int) -> dict[str, Any]:
    return _read(request, Layer.GROUP, pk)


@router.put("/instrument-groups/{int:pk}/policy", response=PolicyOut, summary="A new version for the group")
def put_group_policy(request: HttpRequest, pk: int, body: NewPolicy) -> dict[str, Any]:
    return _write(request, body, Layer.GROUP, pk)


@router.get("/institutions/{int:pk}/policy", response=PolicyOut, summary="The institution's rules in force")
def institution_policy(request: HttpRequest, pk: int) -> dict[str, Any]:
    return _read(request, Layer.INSTITUTION, pk)


@router.put("/institutions/{int:pk}/policy", response=PolicyOut, summary="A new version for the institution")
def put_institution_policy(request: HttpRequest, pk: int, body: NewPolicy) -> dict[str, Any]:
    return _write(request, body, Layer.INSTITUTION, pk)


@router.get("/network/policy", response=PolicyOut, summary="The network's rules in force")
def network_policy(request: HttpRequest) -> dict[str, Any]:
    return _read(request, Layer.NETWORK)


@router.put("/network/policy", response=PolicyOut, summary="A new version for the whole network")
def put_network_policy(request: HttpRequest, body: NewPolicy) -> dict[str, Any]:
    return _write(request, body, Layer.NETWORK)
