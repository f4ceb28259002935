"""Keeping the search index: called by the actions that change an instrument, never by signals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef

from backend.accounts.models import Organisation
from backend.core.db import atomic_action
from backend.core.text import index_tokens, initials, join, normalise, pinyin_tokens, runs, syllables
from instruments.models import IndexedName, Instrument, SearchWord, Technique
from instruments.queries.makers import other_names
from instruments.queries.spelling import LONGEST, SHORTEST

# Name, technique, pinyin, everything else; the weights stand in `instruments.queries.search`.
Document = tuple[list[str], list[str], list[str], list[str]]

_NAMES = ("name", "name_en", "model", "manufacturer")
_BODY = (
    "category__name", "category__name_en", "institution__name", "institution__name_en", "department", "region",
    "local_no", "technical", "function", "service_content",
)  # fmt: skip
# PostgreSQL keeps at most so many positions per document, and refuses words of 2 KiB and documents of 1 MiB.
_LAST_POSITION = 16_383
_LONGEST_TOKEN = 200
_MOST_TOKENS = 20_000
_BATCH = 500


@atomic_action
def index_instruments(*, pks: Collection[int]) -> None:
    """Write the index rows of some instruments anew."""
    _replace(pks)


@atomic_action
def reindex() -> int:
    """Write the whole index anew; the number of instruments in it."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM instruments_search")
    IndexedName.objects.all().delete()
    SearchWord.objects.all().delete()
    named = Organisation.objects.filter(Exists(Instrument.objects.filter(institution=OuterRef("pk"))))
    IndexedName.objects.bulk_create(
        IndexedName(institution_id=pk, name=name, name_en=name_en)
        for pk, name, name_en in named.values_list("pk", "name", "name_en")
    )
    return _insert(None)


def index_what_was_there(**_: Any) -> int:
    """Index instruments that are older than the vocabulary; called after every ``migrate``. How many that were."""
    return reindex() if Instrument.objects.exists() and not SearchWord.objects.exists() else 0


@atomic_action
def refresh_renamed(*, limit: int = 50) -> int:
    """Index instruments anew whose institution was renamed; how many institutions. Called every minute.

    Accounts know nothing of instruments, so this compares names: one query where nothing changed.
    """
    known = IndexedName.objects.filter(institution=OuterRef("pk"), name=OuterRef("name"), name_en=OuterRef("name_en"))
    used = Instrument.objects.filter(institution=OuterRef("pk"))
    renamed = list(Organisation.objects.filter(Exists(used), ~Exists(known)).order_by("pk")[:limit])
    for institution in renamed:
        index_instruments(pks=list(Instrument.objects.filter(institution=institution).values_list("pk", flat=True)))
        _note_name(institution)
    return len(renamed)


def _note_name(institution: Organisation) -> None:
    names = {"name": institution.name, "name_en": institution.name_en}
    IndexedName.objects.update_or_create(institution=institution, defaults=names)


def _replace(pks: Collection[int]) -> None:
    key = "rowid" if connection.vendor == "sqlite" else "instrument_id"
    with connection.cursor() as cursor:
        cursor.executemany(f"DELETE FROM instruments_search WHERE {key} = %s", [(pk,) for pk in pks])  # noqa: S608
    _insert(pks)


def _insert(pks: Collection[int] | None) -> int:
    count, spelled = 0, set[str]()
    documents = _documents(pks, spelled)
    with connection.cursor() as cursor:
        while batch := list(islice(documents, _BATCH)):
            if connection.vendor == "sqlite":
                cursor.executemany(
                    "INSERT INTO instruments_search (rowid, name, technique, pinyin, body) VALUES (%s, %s, %s, %s, %s)",
                    [(pk, *map(join, document)) for pk, document in batch],
                )
            else:
                cursor.executemany(
                    "INSERT INTO instruments_search (instrument_id, document) VALUES (%s, %s::tsvector)",
                    [(pk, _tsvector(document)) for pk, document in batch],
                )
            count += len(batch)
    SearchWord.objects.bulk_create((SearchWord(word=word) for word in sorted(spelled)), ignore_conflicts=True)
    return count


def _documents(pks: Collection[int] | None, spelled: set[str]) -> Iterator[tuple[int, Document]]:
    """What to write; ``spelled`` is filled with the words of names."""
    rows = Instrument.objects.order_by("pk")
    links = Instrument.techniques.through.objects.all()
    if pks is not None:
        rows, links = rows.filter(pk__in=list(pks)), links.filter(instrument__in=list(pks))
    synonyms = {technique.pk: _Synonyms.of(technique) for technique in Technique.objects.all()}
    used: dict[int, list[int]] = defaultdict(list)
    for instrument, technique in links.values_list("instrument_id", "technique_id"):
        used[instrument].append(technique)
    for row in rows.values("pk", *_NAMES, *_BODY).iterator(chunk_size=_BATCH):
        known = [synonyms[pk] for pk in used[row["pk"]]] or _named_in(row, synonyms.values())
        others = other_names(row["manufacturer"], row["name"])
        spelled.update(_spellings((*(row[name] for name in _NAMES), *others, *(n for one in known for n in one.names))))
        yield row["pk"], _document(row, known, others)


class _Synonyms(NamedTuple):
    """What a technique adds to an instrument's document."""

    names: tuple[str, ...]
    # Chinese names that tell the technique where nobody chose it.
    telling: tuple[str, ...]
    tokens: list[str]
    parts: list[str]
    sounds: list[str]

    @classmethod
    def of(cls, technique: Technique) -> _Synonyms:
        names = (technique.name, technique.name_en, technique.key, *technique.aliases)
        tokens: list[str] = []
        parts: list[str] = []
        for name in names:
            # SC-XRD is no XRD: parts of an abbreviation count less than the whole.
            whole = "".join(run for run, _ in runs(name)) if " " not in name else ""
            for token in _tokens([name]):
                (parts if whole and token.isascii() and token != whole else tokens).append(token)
        telling = tuple(plain for name in names if not (plain := normalise(name)).isascii() and len(plain) > 2)
        sounds = [token for name in names for token in (*pinyin_tokens(name), *initials(name))]
        return cls(names, telling, tokens, parts, sounds)


def _named_in(row: dict[str, Any], synonyms: Iterable[_Synonyms]) -> list[_Synonyms]:
    """Techniques by the name of an instrument that has none; of two names the longer one says more."""
    name = normalise(row["name"])
    found = [(max(len(term) for term in one.telling if term in name), one) for one in synonyms
             if any(term in name for term in one.telling)]  # fmt: skip
    longest = max((length for length, _ in found), default=0)
    return [one for length, one in found if length == longest]


def _document(row: dict[str, Any], techniques: Iterable[_Synonyms], others: Iterable[str]) -> Document:
    words = _tokens(others)
    pinyin = pinyin_tokens(row["name"]) + initials(row["name_en"])
    pinyin += (token for name in others for token in pinyin_tokens(name))
    body = _tokens(row[name] for name in _BODY)
    for technique in techniques:
        words += technique.tokens
        pinyin += technique.sounds
        body += technique.parts
    return _tokens(row[name] for name in _NAMES), words, pinyin, body


def _spellings(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from _spelled(name)


@lru_cache(maxsize=20_000)
def _spelled(name: str) -> frozenset[str]:
    """Latin words of a name, and its Chinese as it is typed in pinyin."""
    words = ("".join(syllables(run)) if is_han else run for run, is_han in runs(name))
    return frozenset(word for word in words if SHORTEST <= len(word) <= LONGEST and word.isascii() and word.isalpha())


def _tokens(texts: Iterable[str]) -> list[str]:
    return [token for text in texts for token in index_tokens(text) if len(token) <= _LONGEST_TOKEN][:_MOST_TOKENS]


def _tsvector(document: Document) -> str:
    """Each token with its place and weight, ``'sem':1A``: no parser that depends on the server's locale."""
    out: list[str] = []
    position = 0
    for weight, tokens in zip("ABCD", document, strict=True):
        for token in tokens:
            position = min(position + 1, _LAST_POSITION)
            out.append(f"'{token}':{position}{weight}")
    return " ".join(out)
