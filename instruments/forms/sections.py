"""What the settings page shows of each section while nobody edits it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from instruments.forms.details import LONG, SECTIONS, InstrumentForm
from instruments.models import Instrument, Mode

_MODES = [f"mode_{mode}" for mode in Mode]


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str
    long: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """``empty`` names what nobody has filled in yet."""

    name: str
    title: Any
    facts: list[Fact]
    empty: list[str]


def sections_of(instrument: Instrument) -> list[Section]:
    """Two queries, for techniques and managers."""
    return [_section(instrument, name, title, names) for name, (title, names) in SECTIONS.items()]


def _section(instrument: Instrument, key: str, title: Any, names: list[str]) -> Section:
    facts, empty = [], []
    for name in names:
        if name in _MODES[1:]:
            continue
        label = _("Modes of use") if name == _MODES[0] else _label(name)
        value = _words(instrument, name)
        if value:
            facts.append(Fact(label, value, name in LONG))
        elif name not in ("managers", "group"):
            empty.append(label)
    return Section(key, title, facts, empty)


def _label(name: str) -> str:
    field: Any = InstrumentForm.base_fields[name]
    return capfirst(str(field.label))


def _words(instrument: Instrument, name: str) -> str:
    english = (get_language() or "").startswith("en")
    if name == _MODES[0]:
        return _listed([str(Mode(mode).label) for mode in instrument.modes])
    if name == "category":
        return instrument.category.label("en" if english else "")
    if name == "techniques":
        return _listed([(english and one.name_en) or one.name for one in instrument.techniques.all()])
    if name == "managers":
        return _listed([user.name for user in instrument.managers.all()])
    display = getattr(instrument, f"get_{name}_display", None)
    return str(display()) if display else _plain(getattr(instrument, name))


def _plain(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return _("yes") if value else _("no")
        case Decimal():
            return str(number_format(value, use_l10n=True, force_grouping=True))
        case date():
            return str(date_format(value))
        case list():
            return _listed(value)
    return str(value)


def _listed(words: list[str]) -> str:
    return _(", ").join(words)
