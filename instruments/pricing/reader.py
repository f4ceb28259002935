"""Reads values of untrusted JSON and collects every problem instead of stopping at the first.

Each method takes the value and its path, returns what it read, and on a problem notes it and returns
a harmless stand-in; `Reader.finish` raises `Invalid` with all problems.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal
from instruments.pricing.model import CLOCKS, History, Ref, Scalar

LARGEST = 10**15
SMALLEST_EXPONENT = -30
DEEPEST = 12
LONGEST_TEXT = 500
FLOAT_DIGITS = 15
_NUMERAL = re.compile(r"[+-]?\d{1,15}(\.\d{1,30})?")


def exact(value: object) -> Fraction | None:
    """The number as a person meant it, or None if it is none or out of bounds.

    0.08333333333333333 is what a program writes for 1/12: numbers with that many digits are taken as
    the simple fraction that they print.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | Fraction):
        return None
    if isinstance(value, int | Fraction):
        number_given = Fraction(value)
        return number_given if abs(number_given) < LARGEST else None
    number = Decimal(str(value))
    if not number.is_finite() or number.adjusted() >= len(str(LARGEST)) - 1:
        return None
    if int(number.as_tuple().exponent) < SMALLEST_EXPONENT:
        return Fraction(0) if number.is_zero() else None
    fraction = Fraction(number)
    if len(number.as_tuple().digits) >= FLOAT_DIGITS:
        simple = fraction.limit_denominator(100_000)
        if abs(simple - fraction) <= abs(fraction) / 10**FLOAT_DIGITS:
            return simple
    return fraction


class Reader:
    """``quantity_names`` are known before anything is read, so that a name can be told apart."""

    def __init__(self, quantity_names: Collection[str] = (), band_names: Collection[str] = ()) -> None:
        self.quantity_names = frozenset(quantity_names)
        self.band_names = frozenset(band_names)
        self.problems: list[Refusal] = []
        self.notes: list[Refusal] = []
        self.histories: list[History] = []
        self.inside: str | None = None
        self.refers: dict[str, set[str]] = {}
        self._depth = 0

    def problem(self, path: str, sentence: str, fix: str) -> None:
        self.problems.append(Refusal("invalid", sentence, field=path, fix_text=fix))

    def note(self, code: str, path: str, sentence: str, fix: str) -> None:
        """A remark that does not prevent pricing."""
        self.notes.append(Refusal(code, sentence, field=path, fix_text=fix))

    def finish(self) -> None:
        if self.problems:
            raise Invalid(*self.problems)

    @contextmanager
    def deeper(self, path: str) -> Iterator[bool]:
        """Guards against endless nesting: yields False where it is too deep to go on."""
        self._depth += 1
        try:
            if self._depth > DEEPEST:
                self.problem(path, _("“%(path)s” is nested too deeply.") % {"path": path}, _("Simplify it."))
            yield self._depth <= DEEPEST
        finally:
            self._depth -= 1

    def mapping(self, value: object, path: str, known: Collection[str] | None = None) -> Mapping[str, Any]:
        """The object with its absent (null) members left out; unknown members are noted."""
        if not isinstance(value, Mapping):
            self.problem(
                path,
                _("“%(path)s” must be an object.") % {"path": path},
                _("Write it as names and values in braces."),
            )
            return {}
        if known is not None:
            for key in value:
                if key not in known:
                    self._note_unknown(f"{path}.{key}", known)
        return {str(key): member for key, member in value.items() if known is None or member is not None}

    def _note_unknown(self, path: str, known: Collection[str]) -> None:
        fix = _("Remove it or correct its name; known are %(names)s.") % {"names": ", ".join(sorted(known))}
        sentence = _("“%(path)s” is not known and has no effect.") % {"path": path}
        self.note("unknown_field", path, sentence, fix)

    def sequence(self, value: object, path: str) -> Sequence[Any]:
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            return value
        self.problem(path, _("“%(path)s” must be a list.") % {"path": path}, _("Write it in square brackets."))
        return ()

    def text(self, value: object, path: str) -> str:
        if isinstance(value, str) and value.strip() and len(value) <= LONGEST_TEXT:
            return value
        if value is None:
            self.problem(path, _("“%(path)s” is missing.") % {"path": path}, _("Write it."))
            return "?"
        self.problem(
            path,
            _("“%(path)s” must be a text of 1 to %(length)s characters.") % {"path": path, "length": LONGEST_TEXT},
            _("Write a short text in quotation marks."),
        )
        return "?"

    def texts(self, value: object, path: str) -> tuple[str, ...]:
        """A list of texts; a single text stands for a list of one."""
        if isinstance(value, str):
            return (self.text(value, path),)
        return tuple(self.text(item, f"{path}[{n}]") for n, item in enumerate(self.sequence(value, path)))

    def boolean(self, value: object, path: str) -> bool:
        if isinstance(value, bool):
            return value
        self.problem(path, _("“%(path)s” must be true or false.") % {"path": path}, _("Write true or false."))
        return False

    def choice(self, value: object, path: str, choices: Sequence[str]) -> str:
        if isinstance(value, str) and value in choices:
            return value
        self.problem(
            path,
            _("“%(path)s” must be one of %(choices)s.") % {"path": path, "choices": ", ".join(choices)},
            _("Choose one of them."),
        )
        return choices[0]

    def number(self, value: object, path: str, *, low: int | None = None, above: int | None = None) -> Fraction:
        """An exact number, at least ``low`` or more than ``above``."""
        number = exact(value)
        if number is None:
            self.problem(
                path,
                _("“%(path)s” must be a number.") % {"path": path},
                _("Write a number such as 1.5, without quotation marks."),
            )
            return Fraction(1)
        if (low is not None and number < low) or (above is not None and number <= above):
            self._too_small(path, low, above)
            return Fraction(1)
        return number

    def _too_small(self, path: str, low: int | None, above: int | None) -> None:
        if above is not None:
            sentence = _("“%(path)s” must be more than %(bound)s.") % {"path": path, "bound": above}
        else:
            sentence = _("“%(path)s” must be at least %(bound)s.") % {"path": path, "bound": low}
        self.problem(path, sentence, _("Write a larger number."))

    def whole(self, value: object, path: str, low: int, high: int) -> int:
        number = exact(value)
        if number is not None and number.denominator == 1 and low <= number <= high:
            return int(number)
        self.problem(
            path,
            _("“%(path)s” must be a whole number from %(low)s to %(high)s.") % {"path": path, "low": low, "high": high},
            _("Write a whole number in these bounds."),
        )
        return low

    def day(self, value: object, path: str) -> date:
        """An ISO date; a `date` passes as it is."""
        if isinstance(value, date):
            return value
        try:
            day = date.fromisoformat(value) if isinstance(value, str) else None
        except ValueError:
            day = None
        if day is not None and len(str(value)) == len("2026-01-01"):
            return day
        self.problem(
            path, _("“%(path)s” must be a date.") % {"path": path}, _("Write it as year-month-day, e.g. 2026-03-31.")
        )
        return date(2000, 1, 1)

    def scalar(self, value: object, path: str) -> Scalar:
        """A plain value of an attribute."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return value
        return self.number(value, path)

    def ref(self, name: str) -> Ref:
        """What a name means: a named quantity, a clock, a sum of lines, a date or an attribute.

        Inside its own definition the name of a quantity means the clock or attribute of that name.
        """
        if name in self.quantity_names and name != self.inside:
            if self.inside is not None:
                self.refers.setdefault(self.inside, set()).add(name)
            return Ref("quantity", name)
        if name in CLOCKS:
            return Ref("clock", name)
        if name.startswith("sum:"):
            return Ref("sum", name.removeprefix("sum:"))
        if name == "notice_days":
            return Ref("notice_days", name)
        return Ref("date" if name == "date" else "fact", name)

    def named_number(self, text: str) -> Fraction | None:
        """A number written as a text: nobody names an attribute “12.50”."""
        return Fraction(text) if _NUMERAL.fullmatch(text) else None
