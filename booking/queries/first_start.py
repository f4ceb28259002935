"""From when on, and on which grid, instruments can be booked: for the catalogue's next free time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from backend.core.db import among
from booking.models import Layer, Policy
from instruments.models import Instrument

_LEAD = re.compile(r"start -(\d{1,4})(min|h|d)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days"}


def first_starts(pks: Sequence[int], now: datetime) -> Mapping[int, tuple[datetime, int]]:
    """Earliest start and grid in minutes of each instrument whose rules say one plainly; two queries.

    Only rules without conditions count, so the answer is a good proposal; booking asks the whole policy.
    """
    places = list(Instrument.objects.filter(pk__in=among(pks)).values_list("pk", "institution_id", "group_id"))
    wanted = Q(layer=Layer.NETWORK) | Q(organisation__in={p[1] for p in places}) | Q(instrument__in=among(pks))
    wanted |= Q(group__in={p[2] for p in places if p[2]})
    newest: dict[tuple[int, int | None], list[tuple[str, timedelta, int]]] = {}
    rows = Policy.objects.filter(wanted, valid_from__lte=timezone.localdate(now)).order_by("valid_from", "version")
    for layer, owner, document in (
        (row.layer, row.instrument_id or row.group_id or row.organisation_id, row.document) for row in rows
    ):
        newest[(layer, owner)] = [_plain(rule) for rule in document.get("rules", []) if isinstance(rule, dict)]
    known: dict[tuple[int | None, ...], tuple[datetime, int]] = {}
    out = {}
    for pk, institution, group in places:
        # Most instruments have no rules of their own: what holds for one holds for all of its place.
        place = (institution, group, pk if (Layer.INSTRUMENT, pk) in newest else None)
        if place not in known:
            holders = zip(Layer, (None, institution, group, pk), strict=True)  # from the widest on
            known[place] = _first_start([newest.get(holder, []) for holder in holders], now)
        out[pk] = known[place]
    return out


def _first_start(layers: Sequence[Sequence[tuple[str, timedelta, int]]], now: datetime) -> tuple[datetime, int]:
    """A rule of a narrower layer replaces the one of the same id."""
    rules: dict[str, tuple[timedelta, int]] = {}
    for layer, plain in enumerate(layers):
        for position, (name, lead, step) in enumerate(plain):
            rules[name or f"{layer} {position}"] = (lead, step)
    lead = max((lead for lead, _ in rules.values()), default=timedelta())
    return now + lead, max((step for _, step in rules.values()), default=0)


def _plain(rule: Mapping[str, Any]) -> tuple[str, timedelta, int]:
    """Id, lead and grid that a rule asks of everybody; nothing where it has conditions or other acts."""
    name = str(rule.get("id", ""))
    if rule.get("if") or rule.get("cases") or "create" not in rule.get("act", ["create"]) or rule.get("else"):
        return name, timedelta(), 0
    found = _LEAD.fullmatch(str(rule.get("latest", ""))) if rule.get("kind") == "deadline" else None
    lead = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    step = rule.get("step") if rule.get("kind") == "slots" else 0
    return name, lead, step if isinstance(step, int) and 0 < step <= 1440 else 0
