"""Writing to the audit record, and checking it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from backend.audit.models import Entry, Head
from backend.core.logs import request_id
from backend.core.prepared import ID, TEXT, Given, Prepared, PreparedUpdate, insert_all


@dataclass(frozen=True, slots=True)
class Act:
    """Who did what to which object, and what of it changed."""

    actor_id: int | None
    action: str
    object_type: str
    object_id: object
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def record(
    *,
    organisation_id: int,
    actor_id: int | None,
    action: str,
    object_type: str,
    object_id: object,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Append one act to the organisation's chain. Call it last in an action: it locks the chain's head."""
    act = Act(actor_id, action, object_type, object_id, before or {}, after or {}, reason)
    record_all(organisation_id=organisation_id, acts=[act])


def record_all(*, organisation_id: int, acts: Iterable[Act]) -> None:
    """The same for several acts, in their order; three queries however many there are."""
    head = _locked_head(organisation_id)
    entries = []
    for act in acts:
        entry = Entry(
            organisation_id=organisation_id,
            sequence=head.sequence + 1,
            at=timezone.now(),
            actor_id=act.actor_id,
            action=act.action,
            object_type=act.object_type,
            object_id=str(act.object_id),
            before=_plain(act.before),
            after=_plain(act.after),
            reason=act.reason,
            request_id=request_id.get(),
            previous=head.digest,
        )
        entry.digest = digest_of(entry)
        head.sequence, head.digest = entry.sequence, entry.digest
        entries.append(entry)
    insert_all(entries, numbered=False)
    _MOVE_HEAD.send(organisation=organisation_id, sequence=head.sequence, digest=head.digest)


_HEAD = Prepared(
    lambda: Head.objects.select_for_update(no_key=True).filter(organisation=Given("organisation", ID)).order_by()
)
_MOVE_HEAD = PreparedUpdate(
    lambda: Head.objects.filter(organisation=Given("organisation", ID)),
    sequence=Given("sequence", ID),
    digest=Given("digest", TEXT),
)


def _locked_head(organisation_id: int) -> Head:
    """Of an organisation's first act the head is made."""
    head = _HEAD.first(organisation=organisation_id)
    if head is None:
        Head.objects.get_or_create(organisation_id=organisation_id)
        (head,) = _HEAD.objects(organisation=organisation_id)
    return head


def digest_of(entry: Entry) -> str:
    body = [
        entry.previous,
        entry.organisation_id,
        entry.sequence,
        _instant(entry.at),
        entry.actor_id,
        entry.action,
        entry.object_type,
        entry.object_id,
        entry.before,
        entry.after,
        entry.reason,
        entry.request_id,
    ]
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def faults(*, organisation_id: int | None = None) -> Iterator[str]:
    """One sentence for each break of a chain: a changed, missing or cut-off entry, a missing head."""
    heads = Head.objects.order_by("organisation_id")
    for head in heads if organisation_id is None else heads.filter(organisation_id=organisation_id):
        expected, previous = 1, ""
        for entry in Entry.objects.filter(organisation_id=head.organisation_id).order_by("sequence").iterator():
            if entry.sequence != expected:
                yield f"organisation {head.organisation_id}: entry {expected} is missing"
            elif entry.previous != previous:
                yield f"organisation {head.organisation_id}: entry {entry.sequence} does not follow the one before"
            if entry.digest != digest_of(entry):
                yield f"organisation {head.organisation_id}: entry {entry.sequence} was changed"
            expected, previous = entry.sequence + 1, entry.digest
        if (expected - 1, previous) != (head.sequence, head.digest):
            yield f"organisation {head.organisation_id}: the chain does not end where it should"
    headless = Entry.objects.exclude(organisation_id__in=Head.objects.values("organisation_id"))
    for pk in headless.order_by("organisation_id").values_list("organisation_id", flat=True).distinct():
        if organisation_id in (None, pk):
            yield f"organisation {pk}: the head of the chain is missing"


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """As it will be read back from JSON, so that the digest stays the same."""
    out: dict[str, Any] = json.loads(json.dumps(dict(values or {}), cls=DjangoJSONEncoder))
    return out


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
