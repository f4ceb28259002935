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

# A number and its unit, or a name and its number, written apart: 600 MHz, SU 8010.
_APART = re.compile(r"(?<![a-z0-9])(?:\d+ +[a-z]{1,4}(?![a-z0-9])|[a-z]{2,5} +\d{2,}[a-z]*(?![a-z0-9]))")
# The same written together.
_TOGETHER = re.compile(r"([a-z]{2,})(\d{2,}[a-z]?)|(\d{2,})([a-z]{2,4})")
# Chinese with a letter or two before it: X射线, X-射线.
_SPOKEN = re.compile(rf"(?:(?<![a-z0-9])([a-z]{{1,2}})-?)?({_HAN.pattern})")
_SMALL_WORDS = {"a", "an", "and", "by", "for", "in", "of", "on", "or", "the", "to", "with"}

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
            elif match := _TOGETHER.fullmatch(run):
                out += (part for part in match.groups() if part)
    out += (match.group().replace(" ", "") for match in _APART.finditer(normalise(text)))
    return out


def query_words(text: str) -> list[Word]:
    """What a query asks for, at most `MOST_WORDS` words."""
    out: list[Word] = []
    for run, is_han in _runs(text):
        if is_han:
            out.append(Word((pairs(run),), prefix=False))
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
    for letters, run in _SPOKEN.findall(normalise(text)):
        out += _pinyin_of_run(run)
        if letters:
            first = syllables(run)[:LONGEST_PINYIN]
            out += [letters + "".join(first), letters + "".join(syllable[0] for syllable in first)] * 3
    return out


def syllables(run: str) -> list[str]:
    """The pinyin of each character, without tones."""
    from pypinyin import lazy_pinyin  # a large dictionary: only where it is needed

    return [normalise(syllable) for syllable in lazy_pinyin(run)]


def initials(text: str) -> list[str]:
    """What a name of three English words or more is called for short: ``focused ion beam system`` → ``fibs``."""
    words = [word for word in re.findall(r"[a-z]+", normalise(text)) if word not in _SMALL_WORDS]
    return ["".join(word[0] for word in words[:LONGEST_PINYIN])] if len(words) > 2 else []


def runs(text: str) -> list[tuple[str, bool]]:
    """Runs of one script and whether it is Chinese, hyphens and the like taken out of Latin words."""
    return [(run if is_han else _JOINER.sub("", run), is_han) for run, is_han in _runs(text)]


def pairs(run: str) -> tuple[str, ...]:
    """Under what a run of Chinese is found."""
    return tuple(_pairs(run)) or (run,)


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
    spoken = syllables(run)
    out: list[str] = []
    for start in range(len(spoken)):
        part = spoken[start : start + LONGEST_PINYIN]
        if len(part) > 1:
            tokens = ["".join(part), "".join(syllable[0] for syllable in part)]
            out += tokens * (1 if start else 3)
    return tuple(out)
