"""The rules of an instrument, for those who edit them and for those who must keep them."""

from __future__ import annotations

from django.utils import timezone

from booking.models import Layer, Policy
from booking.queries.assess import layers_of
from booking.rules.layers import merge_layers
from booking.rules.sentences import describe
from instruments.models import Instrument


def policy_in_force(instrument: Instrument) -> Policy | None:
    """The instrument's own version in force today; None where only wider layers hold."""
    today = timezone.now().astimezone(instrument.zone).date()
    mine = Policy.objects.filter(layer=Layer.INSTRUMENT, instrument=instrument, valid_from__lte=today)
    return mine.order_by("-valid_from", "-version").first()


def versions(instrument: Instrument) -> list[Policy]:
    rows = Policy.objects.filter(layer=Layer.INSTRUMENT, instrument=instrument).select_related("created_by")
    return list(rows.order_by("-valid_from", "-version")[:50])


def sentences(instrument: Instrument) -> list[tuple[str, str]]:
    """Id and sentence of every rule that holds now, of all layers."""
    rules = merge_layers(layers_of(instrument, timezone.now()), tz=instrument.timezone)
    return list(describe(rules))


def tell_rules(instrument: Instrument) -> list[str]:
    """The sentences alone, for the room that shows an instrument and knows no rules."""
    return [sentence for _name, sentence in sentences(instrument)]
