"""Words for searching: tokens of Latin and Chinese text, pinyin, and checks of what people type.

Neither SQLite nor PostgreSQL cuts Chinese into words, so we cut: the index holds Latin words whole and
with hyphens joined, Chinese as overlapping pairs and single characters, and pinyin beside it. The same
tokens go into both engines, so that both find the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

# A run of Chinese characters, or a Latin word that may be joined by hyphens and the like: FE-SEM, UV/Vis, α-Al2O3.
_RUN = re.compile(r"[^\W_]+(?:[-‐‑–—/+.·_][^\W_]+)*")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_JOINERS = "-‐‑–—/+.·_"
_JOINER = re.compile(f"[{re.escape(_JOINERS)}]")
_BREAK = re.compile(r"[\r\n\v\f\x85\u2028\u2029]")
# Besides controls: what makes a reader see letters in another order than they are stored.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

LONGEST_PINYIN = 6
MOST_WORDS = 12


class Word(NamedTuple):
    """One word of a query: it is found where all tokens of one of its ``alternatives`` are."""

    alternatives: tuple[tuple[str, ...], ...]
    # Latin words are found by their beginning too.
    prefix: bool


def normalise(text: str) -> str:
    """Full width and compatibility forms made plain, lower case, no accents."""
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).lower())
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if unicodedata.category(sign) != "Mn"))


def whole_number(text: str, *, digits: int = 18) -> int | None:
    """A number as an address or a form carries it; None for anything else, and for more digits than any key has."""
    return int(text) if text.isdecimal() and len(text) <= digits else None


def has_line_breaks(text: str) -> bool:
    """Whether it is more than one line to any reader of text: what becomes a name, a subject or a cell may not be."""
    return _BREAK.search(text) is not None


def has_control_characters(text: str) -> bool:
    """Whether the text holds what no database stores or no reader sees: NUL, controls, surrogates, turned writing."""
    return _FORBIDDEN.search(text) is not None


def index_tokens(text: str) -> list[str]:
    """Every token under which the text should be found, repetitions included."""
    out: list[str] = []
    for run, is_han in _runs(text):
        if is_han:
            out += run
            out += _pairs(run)
        else:
            parts = _JOINER.split(run)
            out += parts
            if len(parts) > 1:
                out.append("".join(parts))
                out += ("".join(pair) for pair in pairwise(parts) if len(parts) > 2)
    return out


def query_words(text: str) -> list[Word]:
    """What a query asks for, at most `MOST_WORDS` words."""
    out: list[Word] = []
    for run, is_han in _runs(text):
        if is_han:
            out.append(Word((tuple(_pairs(run)) or (run,),), prefix=False))
        else:
            parts = tuple(_JOINER.split(run))
            whole = ("".join(parts),)
            out.append(Word((whole, parts) if len(parts) > 1 else (whole,), prefix=True))
    return list(dict.fromkeys(out))[:MOST_WORDS]


def pinyin_tokens(text: str) -> list[str]:
    """Pinyin and its initials from every character on, up to six syllables.

    Searching by beginnings finds all shorter ones: ``saomiaodianjing`` answers ``saomiao``, ``smdj`` ``smd``.
    What stands at the beginning of a name weighs more, so it is there three times.
    """
    out: list[str] = []
    for run in _HAN.findall(normalise(text)):
        out += _pinyin_of_run(run)
    return out


def join(tokens: Iterable[str]) -> str:
    return " ".join(tokens)


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    """Runs of one script and whether it is Chinese: ``X射线`` is two."""
    for match in _RUN.finditer(normalise(text)):
        run, position = match.group(), 0
        for han in _HAN.finditer(run):
            yield from _latin(run[position : han.start()])
            yield han.group(), True
            position = han.end()
        yield from _latin(run[position:])


def _latin(word: str) -> Iterator[tuple[str, bool]]:
    word = word.strip(_JOINERS)
    if word:
        yield word, False


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


@lru_cache(maxsize=20_000)
def _pinyin_of_run(run: str) -> tuple[str, ...]:
    from pypinyin import lazy_pinyin  # half a second and a large dictionary: only where text is indexed

    syllables = [normalise(syllable) for syllable in lazy_pinyin(run)]
    out: list[str] = []
    for start in range(len(syllables)):
        part = syllables[start : start + LONGEST_PINYIN]
        if len(part) > 1:
            tokens = ["".join(part), "".join(syllable[0] for syllable in part)]
            out += tokens * (1 if start else 3)
    return tuple(out)
