"""``manage.py price FILE.json [--lines]``: prices the worked examples of a price list; writes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from backend.core.errors import Invalid, Refusal, invalid
from backend.core.money import round_half_up
from instruments.pricing.engine import answer, price
from instruments.pricing.lines import Pricing
from instruments.pricing.model import PriceList
from instruments.pricing.reader import exact
from instruments.pricing.reading import parse_price_list

NOT_OFFERED = "refused"
# As in the files of booking policies: times without an offset are times of this zone.
ZONE = "UTC"


class Command(BaseCommand):
    requires_system_checks = ()  # pure: neither pages nor database take part
    help = "Price the worked examples of a file of price lists. Writes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="JSON with lists and examples")
        parser.add_argument("--lines", action="store_true", help="print every charge line and its reason")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            document = _read(path)
            lists = {name: _parse(name, item) for name, item in _mapping(document.get("lists"), "lists").items()}
            zone = _zone(document.get("tz", ZONE))
            examples = document.get("examples")
            if not isinstance(examples, list):
                raise invalid("examples", _("“examples” must be a list."))
            right = sum(
                self._run(position, _mapping(example, f"examples[{position}]"), lists, zone, options["lines"])
                for position, example in enumerate(examples)
            )
        except Invalid as error:
            raise CommandError(_sentence(path, error)) from None
        self.stdout.write(f"{right} of {len(examples)} right")

    def _run(
        self, position: int, example: Mapping[str, Any], lists: Mapping[str, PriceList], zone: ZoneInfo, lines: bool
    ) -> bool:
        """Prints one example and says whether it came out."""
        only = next(iter(lists)) if len(lists) == 1 else None
        name, records = example.get("list", only), example.get("records")
        if not isinstance(name, str) or name not in lists:
            raise invalid(f"examples[{position}].list", _("There is no list “%(name)s”.") % {"name": name})
        if not isinstance(records, list):
            raise invalid(f"examples[{position}].records", _("“records” must be a list."))
        pricing = price(lists[name], records, tz=zone)
        expected = example.get("expected")
        found = _found(lists[name], pricing, records, example.get("ask"), expected, zone)
        right = _same(found, expected)
        # The form of these lines is fixed (other programs read it), hence not translated.
        verdict = f"{found}, right" if right else f"{found} instead of {expected}, WRONG"
        self.stdout.write(f"{example.get('example', position + 1)} ({name}): {verdict}")
        if lines:
            self._print_lines(pricing)
        return right

    def _print_lines(self, pricing: Pricing) -> None:
        for line in pricing.lines:
            self.stdout.write(f"    {line.record}  {line.amount:>12}  {line.account:<7}  {line.why}")
        for refusal in pricing.refusals:
            self.stdout.write(f"    {refusal.params['record']}  {refusal.code}  {refusal.detail}")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return _mapping(json.loads(path.read_text("utf-8"), parse_float=Decimal), path.name)
    except OSError as error:
        raise invalid("file", _("The file cannot be read (%(reason)s).") % {"reason": error.strerror}) from None
    except (ValueError, RecursionError) as error:
        raise invalid("file", _("The file is not JSON (%(reason)s).") % {"reason": error}) from None


def _mapping(value: object, field: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise invalid(field, _("“%(path)s” must be an object.") % {"path": field})


def _parse(name: str, document: Any) -> PriceList:
    """Problems are placed under the name of the list."""
    try:
        return parse_price_list(document)
    except Invalid as error:
        raise Invalid(*(_placed(f"lists.{name}", refusal) for refusal in error.refusals)) from None


def _placed(prefix: str, refusal: Refusal) -> Refusal:
    return Refusal(refusal.code, refusal.detail, field=f"{prefix}.{refusal.field}", fix_text=refusal.fix_text)


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (ValueError, OSError, KeyError):
        raise invalid("tz", _("“%(name)s” is not a time zone.") % {"name": name}) from None


def _found(
    price_list: PriceList, pricing: Pricing, records: list[Any], ask: object, expected: object, zone: ZoneInfo
) -> str:
    """The total on the invoice, what was asked for, or that it is refused where that is expected."""
    if isinstance(ask, str):
        asked = answer(price_list, records, ask, tz=zone)
        return str(round_half_up(asked, price_list.places))
    if expected == NOT_OFFERED and pricing.refusals:
        return NOT_OFFERED
    return str(pricing.total())


def _same(found: str, expected: object) -> bool:
    if isinstance(expected, str):
        if found == expected:
            return True
        try:
            expected = Decimal(expected)
        except InvalidOperation:
            return False
    wanted = exact(expected)
    return wanted is not None and found != NOT_OFFERED and Fraction(found) == wanted


def _sentence(path: Path, error: Invalid) -> str:
    """The first problem, and how many more there are."""
    first = error.refusals[0]
    text = f"{path.name}: {first.field}: {first.detail} {first.fix_text}".strip()
    more = len(error.refusals) - 1
    return _("%(sentence)s (and %(more)s more)") % {"sentence": text, "more": more} if more else text
