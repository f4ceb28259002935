"""What somebody may have meant whose words are found nowhere.

Latin words and pinyin are compared with the words of names, Chinese by its sound (掃描電鏡 and 扫瞄电镜 sound like
扫描电镜) and in pieces (日立电镜 is 日立 and 电镜).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models.functions import Length

from backend.core.text import LONGEST_PINYIN, MOST_WORDS, Word, normalise, pairs, runs, syllables
from instruments.models import SearchWord, Technique
from instruments.queries.makers import makers

SHORTEST, LONGEST = 4, 40
# From this length on two slips are forgiven instead of one.
LONG = 8
MOST_MEANT = 3
# What people add to what they look for.
FILLERS = frozenset(
    "仪器 设备 机器 测试 检测 分析 测量 测定 测量仪 分析仪 测试仪 样品 服务 预约 价格 收费 "
    "我们 我要 需要 想要 想做 怎么 如何 可以 哪里 附近".split()
)


def near_words(text: str) -> list[Word]:
    """The words with what each may have meant; two queries."""
    terms = _terms()
    out: list[Word] = []
    for run, is_han in runs(text)[:MOST_WORDS]:
        if is_han:
            out += _near_han(run, terms)
        else:
            out.append(Word(((run,),), prefix=True))
    return list(dict.fromkeys(_mended(out)))[:MOST_WORDS]


def _mended(words: Sequence[Word]) -> Iterable[Word]:
    """Latin words with the nearest known ones beside them."""
    latin = [word.alternatives[0][0] for word in words if _can_be_misspelled(word)]
    if not latin:
        return words
    lengths = [len(one) for one in latin]
    known = SearchWord.objects.annotate(length=Length("word"))
    # A word may still be being typed, so that what is meant may be much longer.
    vocabulary = list(known.filter(length__gte=min(lengths) - 2).values_list("word", flat=True))
    near = {one: nearest(one, vocabulary) for one in dict.fromkeys(latin)}
    return [
        Word((*word.alternatives, *((other,) for other in near[word.alternatives[0][0]])), prefix=True)
        if _can_be_misspelled(word)
        else word
        for word in words
    ]


def _can_be_misspelled(word: Word) -> bool:
    first = word.alternatives[0][0]
    return len(word.alternatives) == 1 and SHORTEST <= len(first) <= LONGEST and first.isascii() and first.isalpha()


def _near_han(run: str, terms: frozenset[str]) -> list[Word]:
    """Each piece as it is written, or as it sounds."""
    out = []
    for piece in _pieces(run, terms):
        written, spoken = pairs(piece), tuple(_sounds(piece))
        out.append(Word((written, spoken) if spoken else (written,), prefix=True))
    return out


def _pieces(run: str, terms: frozenset[str]) -> list[str]:
    """The longest known terms, and what is left between them if it says anything."""
    out: list[str] = []
    rest, at, longest = "", 0, max(map(len, terms), default=0)
    while at < len(run):
        size = next((n for n in range(min(longest, len(run) - at), 1, -1) if run[at : at + n] in terms), 0)
        if size:
            out += [rest, run[at : at + size]]
            rest = ""
        else:
            rest += run[at]
        at += size or 1
    out = [piece for piece in (*out, rest) if len(piece) > 1 and piece not in FILLERS]
    return out or [run]


def _sounds(piece: str) -> list[str]:
    """Pinyin in windows as long as the index has them; a single syllable sounds like too much."""
    spoken = syllables(piece)
    if len(spoken) < 2:
        return []
    last = max(len(spoken) - LONGEST_PINYIN, 0)
    starts = sorted({*range(0, last, LONGEST_PINYIN // 2), last})
    return ["".join(spoken[start : start + LONGEST_PINYIN]) for start in starts]


def _terms() -> frozenset[str]:
    techniques = Technique.objects.values_list("name", "aliases")
    names = [one for name, aliases in techniques for one in (name, *aliases)]
    names += (one for each in makers() for one in each)
    return frozenset(run for name in names for run, is_han in runs(normalise(name)) if is_han)


def nearest(word: str, vocabulary: Iterable[str]) -> list[str]:
    """Known words that differ least, none where one begins like this or all differ by more than a slip or two."""
    limit, found = 1 + (len(word) >= LONG), []
    grams = _grams(word)
    for known in vocabulary:
        if known.startswith(word):
            return []
        # A slip spoils at most three pairs of letters.
        if len(grams & _grams(known)) < len(grams) - 3 * limit:
            continue
        if (far := distance(word, known, limit)) <= limit:
            # Of words equally far, one of the same length, then one that begins alike.
            found.append((far, abs(len(known) - len(word)), known[0] != word[0], known))
    found.sort()
    return [known for far, _, _, known in found[:MOST_MEANT] if far == found[0][0]]


def _grams(word: str) -> set[str]:
    return {word[n : n + 2] for n in range(len(word) - 1)}


def distance(word: str, known: str, limit: int) -> int:
    """Letters to add, drop, change or swap until ``known`` begins with ``word``; ``limit`` + 1 for anything more."""
    width = min(len(known), len(word) + limit)
    before, row = [0] * (width + 1), list(range(width + 1))
    for at, letter in enumerate(word, 1):
        last, before, row = before, row, [at] + [0] * width
        for n in range(1, width + 1):
            row[n] = min(before[n] + 1, row[n - 1] + 1, before[n - 1] + (letter != known[n - 1]))
            if at > 1 and n > 1 and letter == known[n - 2] and word[at - 2] == known[n - 1]:
                row[n] = min(row[n], last[n - 2] + 1)
        if min(row) > limit:
            return limit + 1
    return min(row)
