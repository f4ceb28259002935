"""What is read once for a request and asked for many times in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

# None outside a request: commands and the worker live long, so nothing is kept for them.
_known: ContextVar[dict[str, Any] | None] = ContextVar("known_in_request", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """What `once` reads inside is kept until the end."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


@contextmanager
def remembering_at_least() -> Iterator[None]:
    """The same within a request; outside one, what `once` reads is kept until the end of this block."""
    if _known.get() is not None:
        yield
        return
    with remembering():
        yield


def once(name: str, read: Callable[[], T]) -> T:
    """What ``read`` gives, read at most once in a request. Writers call `forget`."""
    known = _known.get()
    if known is None:
        return read()
    if name not in known:
        known[name] = read()
    found: T = known[name]
    return found


def is_known(name: str) -> bool:
    """Whether `once` need not read any more."""
    return name in (_known.get() or ())


def forget(name: str) -> None:
    known = _known.get()
    if known is not None:
        known.pop(name, None)
