"""Whether what an instrument says can be true: every field, and what it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal
from backend.core.text import has_control_characters
from instruments.models import Category, Instrument, InstrumentGroup, Sharing
from instruments.record import HOURS_A_YEAR

# What people may change. The institution is fixed when an instrument is created.
EDITABLE = (
    "local_no", "name", "name_en", "category_id", "group_id", "belongs_type", "belongs_name", "kind", "source",
    "worth", "manufacturer", "model", "nation", "begin_date", "subjects", "technical", "function", "service_content",
    "requirement", "regulations", "fee", "service_url", "run_hours", "service_hours", "department", "region",
    "province", "city", "county", "street", "address", "postcode", "contact_name", "contact_phone", "contact_email",
    "funds", "customs_supervised", "declaration_no", "declaration_date", "condition", "sharing", "mode_self",
    "mode_operator", "mode_sample", "units", "timezone", "open_on_holidays", "setup_minutes", "cleaning_minutes",
    "hold_hours", "offer_minutes", "check_in", "no_show_grace",
)  # fmt: skip
DECIDE_MODES = {"sharing", "mode_self", "mode_operator", "mode_sample"}
LONGEST_TEXT = 20_000
LONGEST_BUFFER = 24 * 60
MOST_SUBJECTS = 10
LONGEST_SUBJECT = 60


def check_instrument(instrument: Instrument, *, modes: bool = False) -> None:
    """Every field, and what it refers to; `Invalid` with all that is wrong.

    ``modes``: somebody decides about them. Imports may leave them for later, and then other fields can be changed.
    """
    problems = [*wrong_values(instrument), *_wrong_relations(instrument)]
    if modes and instrument.sharing != Sharing.NONE and not instrument.modes:
        problems.append(without_mode())
    if problems:
        raise Invalid(*problems)


def without_mode() -> Refusal:
    text = _("Choose at least one mode of use, or set the sharing to “Not shared”.")
    return Refusal("no_mode", text, field="modes")


def local_no_taken() -> Refusal:
    text = _("Another instrument of the institution has this number.")
    return Refusal("local_no_taken", text, field="local_no")


def wrong_values(instrument: Instrument) -> list[Refusal]:
    """What is wrong with the fields themselves; no query."""
    problems = [*_wrong_fields(instrument), *_wrong_texts(instrument), *_wrong_together(instrument)]
    if instrument.timezone not in _zones():
        problems.append(Refusal("unknown_zone", _("This time zone does not exist."), field="timezone"))
    for name in ("setup_minutes", "cleaning_minutes"):
        value = getattr(instrument, name)
        if isinstance(value, int) and value > LONGEST_BUFFER:
            problems.append(Refusal("too_long", _("At most one day (1440 minutes)."), field=name))
    return problems


@cache
def _zones() -> frozenset[str]:
    """The zones that exist; reads the disk, so only once."""
    return frozenset(available_timezones())


def _wrong_fields(instrument: Instrument) -> list[Refusal]:
    # Relations come as rows that were fetched, and the constraints are checked below in words of their own.
    relations = {"institution", "category", "group", "techniques", "managers"}
    try:
        instrument.clean_fields(exclude=relations)
    except ValidationError as error:
        return [
            Refusal(getattr(one, "code", None) or "invalid", " ".join(one.messages), field=name)
            for name, errors in error.error_dict.items()
            for one in errors
        ]
    return []


def _wrong_texts(instrument: Instrument) -> Iterator[Refusal]:
    for name in EDITABLE:
        value = getattr(instrument, name)
        if not isinstance(value, str):
            continue
        if has_control_characters(value):
            yield _control_characters(name)
        if len(value) > LONGEST_TEXT:
            text = _("At most %(limit)s characters.") % {"limit": LONGEST_TEXT}
            yield Refusal("too_long", text, field=name, params={"limit": LONGEST_TEXT})
    yield from _wrong_subjects(instrument.subjects)


def _wrong_subjects(subjects: Any) -> Iterator[Refusal]:
    if not isinstance(subjects, list) or not all(isinstance(one, str) and one.strip() for one in subjects):
        yield Refusal("invalid", _("Fields of science are a list of words."), field="subjects")
        return
    if len(subjects) > MOST_SUBJECTS or any(len(one) > LONGEST_SUBJECT for one in subjects):
        params = {"limit": MOST_SUBJECTS, "longest": LONGEST_SUBJECT}
        text = _("At most %(limit)s fields of science with %(longest)s characters each.") % params
        yield Refusal("too_long", text, field="subjects", params=params)
    if any(has_control_characters(one) for one in subjects):
        yield _control_characters("subjects")


def _wrong_together(instrument: Instrument) -> Iterator[Refusal]:
    """Fields that contradict each other."""
    run, service = instrument.run_hours, instrument.service_hours
    most = HOURS_A_YEAR * (instrument.units if isinstance(instrument.units, int) else 1)
    if run is not None and run > most:
        text = _("A year has no more than %(limit)s hours for this instrument.") % {"limit": most}
        yield Refusal("too_many_hours", text, field="run_hours", params={"limit": most})
    if service is not None and service > (most if run is None else run):
        text = _("More hours of service than the instrument runs.")
        yield Refusal("too_many_hours", text, field="service_hours")
    if instrument.begin_date is not None and instrument.begin_date > timezone.localdate():
        yield Refusal("in_future", _("This date lies in the future."), field="begin_date")
    if instrument.declaration_date is not None and instrument.declaration_date > timezone.localdate():
        yield Refusal("in_future", _("This date lies in the future."), field="declaration_date")


def _wrong_relations(instrument: Instrument) -> Iterator[Refusal]:
    same = Instrument.objects.filter(institution=instrument.institution_id, local_no=instrument.local_no)
    if not has_control_characters(instrument.local_no) and same.exclude(pk=instrument.pk).exists():
        yield local_no_taken()
    code = str(instrument.category_id or "")
    if has_control_characters(code) or not Category.objects.filter(pk=code).exists():
        yield Refusal("unknown_category", _("This category does not exist."), field="category")
    groups = InstrumentGroup.objects.filter(institution=instrument.institution_id)
    if instrument.group_id is not None and not groups.filter(pk=instrument.group_id).exists():
        yield Refusal("unknown_group", _("This group does not exist at the institution."), field="group")


def _control_characters(name: str) -> Refusal:
    text = _("The text contains characters that cannot be stored or shown.")
    return Refusal("control_characters", text, field=name)
