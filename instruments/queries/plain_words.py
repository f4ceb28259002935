"""What the settings of an instrument mean, in a paragraph for its manager."""

from __future__ import annotations

from itertools import groupby

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from instruments.models import Condition, Instrument, Mode, Sharing
from instruments.pricing.phrases import listed
from instruments.queries.detail import policy_sentences


def in_plain_words(instrument: Instrument) -> list[str]:
    """Sentences: who may see and book it, when, how, and by which rules."""
    out = [_who(instrument), _how(instrument)]
    if instrument.mode_self or instrument.mode_operator:
        out += [_when(instrument), _buffers(instrument), _holding(instrument)]
    return [sentence for sentence in (*out, *policy_sentences(instrument)) if sentence]


def _who(instrument: Instrument) -> str:
    if instrument.condition == Condition.SCRAP:
        return _("To be scrapped: only managers see this instrument, and nobody can book it.")
    seen = {
        Sharing.EXTERNAL.value: _("Everybody finds this instrument in the catalogue."),
        Sharing.INTERNAL.value: _("Only members of the institution find this instrument."),
        Sharing.NONE.value: _("Only its managers see this instrument."),
    }[instrument.sharing]
    if instrument.condition == Condition.REPAIR:
        return f"{seen} " + _("It is under repair and cannot be booked.")
    return seen


def _how(instrument: Instrument) -> str:
    if not instrument.modes:
        return _("No mode of use is chosen, so nobody can book it.")
    modes = listed([str(Mode(mode).label) for mode in instrument.modes])
    units = ""
    if instrument.units > 1:
        units = ngettext("%(count)s unit", "%(count)s units side by side", instrument.units)
        units = " · " + units % {"count": instrument.units}
    return capfirst(_("It is used like this: %(modes)s.") % {"modes": f"{modes}{units}"})


def _when(instrument: Instrument) -> str:
    rows = instrument.opening_hours.order_by("weekday", "opens")
    days: dict[int, list[str]] = {}
    for row in rows:
        days.setdefault(row.weekday, []).append(f"{row.opens:%H:%M}–{row.closes:%H:%M}")
    if not days:
        return _("It has no opening hours yet, so no time can be booked.")
    spans = []
    # Days that follow each other and have the same hours are one span.
    for (hours, _run), group in groupby(enumerate(sorted(days)), key=lambda pair: (days[pair[1]], pair[1] - pair[0])):
        names = [str(WEEKDAYS_ABBR[day - 1]) for _place, day in group]
        shown = names[0] if len(names) == 1 else f"{names[0]}–{names[-1]}"
        spans.append(f"{shown} {', '.join(hours)}")
    holidays = _("on public holidays too") if instrument.open_on_holidays else _("closed on public holidays")
    return _("Open %(hours)s; %(holidays)s.") % {"hours": "; ".join(spans), "holidays": holidays}


def _buffers(instrument: Instrument) -> str:
    if not (instrument.setup_minutes or instrument.cleaning_minutes):
        return ""
    minutes = {"before": instrument.setup_minutes, "after": instrument.cleaning_minutes}
    return _("%(before)s minutes before and %(after)s minutes after each booking are kept free.") % minutes


def _holding(instrument: Instrument) -> str:
    hours = ngettext("%(count)s hour", "%(count)s hours", instrument.hold_hours) % {"count": instrument.hold_hours}
    text = _("A request holds its time for %(hours)s.") % {"hours": hours}
    if instrument.check_in:
        late = _("Who has not checked in %(minutes)s minutes after the start is a no-show.")
        text = f"{text} {late % {'minutes': instrument.no_show_grace}}"
    return text
