"""The reasons that an institution's managers give often."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal
from booking.models import ReasonTemplate

MOST = 30


@atomic_action
def save_reasons(*, institution: Organisation, texts: Sequence[tuple[str, str]], by: User) -> list[ReasonTemplate]:
    """Replace the whole list by ``(text, text in English)`` in this order; what is empty is left out."""
    kept = [(text.strip(), english.strip()) for text, english in texts if text.strip() or english.strip()]
    if len(kept) > MOST:
        raise Invalid(Refusal("too_many", _("At most %(most)s reasons.") % {"most": MOST}))
    if any(not text for text, _english in kept):
        raise Invalid(Refusal("required", _("Each reason needs its Chinese text."), field="text"))
    Organisation.objects.select_for_update(no_key=True).get(pk=institution.pk)
    before = [row.text for row in ReasonTemplate.objects.filter(institution=institution)]
    ReasonTemplate.objects.filter(institution=institution).delete()
    made = ReasonTemplate.objects.bulk_create(
        ReasonTemplate(institution=institution, position=number, text=text, text_en=english)
        for number, (text, english) in enumerate(kept)
    )
    record(
        organisation_id=institution.pk,
        actor_id=by.pk,
        action="reasons.save",
        object_type="organisation",
        object_id=institution.pk,
        before={"reasons": before},
        after={"reasons": [row.text for row in made]},
    )
    return made
