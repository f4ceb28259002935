"""What somebody may be about to type: techniques, manufacturers and names of instruments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.utils.translation import get_language

from backend.core.text import normalise, pinyin_tokens, runs
from instruments.models import Technique
from instruments.queries.makers import makers
from instruments.queries.rights import visible_instruments
from instruments.queries.search import best_first, matching, ways
from instruments.queries.viewers import Viewer

MOST = 8
MOST_TECHNIQUES, MOST_MAKERS = 4, 2
# So many instruments are looked at for their names.
LOOKED_AT = 40


class Suggestion(NamedTuple):
    """``words`` go into the search; ``kind`` is technique, maker or instrument."""

    kind: str
    words: str
    label: str


def suggestions(viewer: Viewer, text: str) -> list[Suggestion]:
    """At most eight; two queries."""
    typed = "".join(run for run, _ in runs(text))
    if not typed:
        return []
    found = [*_techniques(typed)[:MOST_TECHNIQUES], *_makers(typed)[:MOST_MAKERS]]
    words = dict.fromkeys(one.words for one in found)
    names = [name for name in _names(viewer, text) if name not in words]
    return [*found, *(Suggestion("instrument", name, name) for name in names)][:MOST]


def _names(viewer: Viewer, text: str) -> list[str]:
    """Names of what the words find as they are, each once, the best first."""
    search = next(ways(text))
    rows = best_first(matching(visible_instruments(viewer.access), search), search)
    english = (get_language() or "").startswith("en")
    found = rows.values_list("name", "name_en")[:LOOKED_AT]
    return list(dict.fromkeys((english and name_en) or name for name, name_en in found))


def _techniques(typed: str) -> list[Suggestion]:
    english = (get_language() or "").startswith("en")
    out = []
    for technique in Technique.objects.all():
        names = (technique.key, technique.name, technique.name_en, *technique.aliases)
        if any(_begins(name, typed) for name in names):
            label = (english and technique.name_en) or technique.name
            out.append(Suggestion("technique", label, f"{label} ({technique.key})"))
    return out


def _makers(typed: str) -> list[Suggestion]:
    return [Suggestion("maker", names[0], " ".join(names[:2])) for names in makers() if _any_begins(names, typed)]


def _any_begins(names: Iterable[str], typed: str) -> bool:
    return any(_begins(name, typed) for name in names)


def _begins(name: str, typed: str) -> bool:
    plain = "".join(run for run, _ in runs(normalise(name)))
    return plain.startswith(typed) or (
        typed.isascii() and not name.isascii() and any(token.startswith(typed) for token in pinyin_tokens(name)[:6])
    )
