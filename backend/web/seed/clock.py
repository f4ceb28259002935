"""Letting the past happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.utils import timezone


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Whoever asks Django for the time is told ``moment``.

    So the demo's past runs through the real actions: rules, prices, audit record and numbers are what they would
    have been. Only for making example data, in a process that does nothing else.
    """
    real = timezone.now
    timezone.now = lambda: moment
    try:
        yield
    finally:
        timezone.now = real
