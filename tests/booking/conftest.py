"""The clock and the lab of these tests; a file that wants others has its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from tests.booking.lab import NOW, Lab


@pytest.fixture
def clock() -> Iterator[Any]:
    """It stands; ``clock.move_to`` moves it."""
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Lab:
    return Lab()
