"""Which part of a text a search means: pieces of it, marked or not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from backend.core.text import Word, normalise, syllables

# So much of a long text is shown around the first mark.
BEFORE, SHOWN = 20, 90


class Piece(NamedTuple):
    text: str
    hit: bool


def marked(text: str, words: Sequence[Word]) -> list[Piece]:
    """The whole text in pieces; a Latin word is marked as far as it was typed."""
    plain, places = _plain(text)
    hits = [False] * len(text)
    for token in _tokens(words):
        for start, end in _found(plain, token):
            for at in range(places[start], places[end - 1] + 1):
                hits[at] = True
    out: list[Piece] = []
    for sign, hit in zip(text, hits, strict=True):
        if out and out[-1].hit == hit:
            out[-1] = Piece(out[-1].text + sign, hit)
        else:
            out.append(Piece(sign, hit))
    return out


def is_marked(pieces: Iterable[Piece]) -> bool:
    return any(piece.hit for piece in pieces)


def excerpt(text: str, words: Sequence[Word]) -> list[Piece]:
    """Some of a long text around its first mark; empty if there is none."""
    pieces = marked(text, words)
    start = 0
    for piece in pieces:
        if piece.hit:
            break
        start += len(piece.text)
    else:
        return []
    since = max(0, start - BEFORE)
    cut = marked(text[since : since + SHOWN], words)
    head = [Piece("…", hit=False)] if since else []
    tail = [Piece("…", hit=False)] if since + SHOWN < len(text) else []
    return head + cut + tail


def why(row: dict[str, Any], names: Iterable[str], words: Sequence[Word]) -> tuple[str, list[Piece]]:
    """Where it was found if not in what the card shows anyway: a field's name and an excerpt."""
    for name in names:
        if is_marked(pieces := marked(name, words)):
            return "technique", pieces
    for field in ("technical", "function", "service_content"):
        if pieces := excerpt(row[field], words):
            return field, pieces
    return "", []


def _tokens(words: Sequence[Word]) -> list[str]:
    return list(dict.fromkeys(token for word in words for each in word.alternatives for token in each))


def _found(plain: str, token: str) -> list[tuple[int, int]]:
    if not token.isascii():
        return [(match.start(), match.end()) for match in re.finditer(re.escape(token), plain)]
    # Hyphens and blanks may stand between the letters: gcms marks GC-MS.
    inside = r"[^a-z0-9\u3400-\u9fff]?".join(map(re.escape, token))
    found = [(match.start(), match.end()) for match in re.finditer(rf"(?<![a-z0-9]){inside}", plain)]
    return found or _spoken(plain, token)


def _spoken(plain: str, token: str) -> list[tuple[int, int]]:
    """Characters whose pinyin, or its initials, the token begins."""
    if len(token) < 2 or not token.isalpha():
        return []
    out = []
    for match in re.finditer(r"[\u3400-\u9fff]{2,}", plain):
        sounds = _sounds(match.group())
        for first in range(len(sounds)):
            for parts in (sounds[first:], [sound[:1] for sound in sounds[first:]]):
                if length := _reach(parts, token):
                    out.append((match.start() + first, match.start() + first + length))
                    break
            else:
                continue
            break
    return out


@lru_cache(maxsize=5000)
def _sounds(run: str) -> tuple[str, ...]:
    return tuple(syllables(run))


def _reach(parts: Sequence[str], token: str) -> int:
    """How many parts, put together, begin with the token; 0 if they do not."""
    said = ""
    for number, part in enumerate(parts, 1):
        said += part
        if said.startswith(token):
            return number if number > 1 or said == token else 0
        if not token.startswith(said):
            return 0
    return 0


def _plain(text: str) -> tuple[str, list[int]]:
    """The text made plain, and at which sign of the original each of its signs stands."""
    out, places = [], []
    for at, sign in enumerate(text):
        for one in normalise(sign):
            out.append(one)
            places.append(at)
    return "".join(out), places
