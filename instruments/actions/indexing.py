"""Keeping the search index: called by the actions that change an instrument, never by signals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef

from backend.accounts.models import Organisation
from backend.core.db import atomic_action
from backend.core.text import index_tokens, join, pinyin_tokens
from instruments.models import IndexedName, Instrument, Technique

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
    named = Organisation.objects.filter(Exists(Instrument.objects.filter(institution=OuterRef("pk"))))
    IndexedName.objects.bulk_create(
        IndexedName(institution_id=pk, name=name, name_en=name_en)
        for pk, name, name_en in named.values_list("pk", "name", "name_en")
    )
    return _insert(None)


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
    count = 0
    documents = _documents(pks)
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
    return count


def _documents(pks: Collection[int] | None) -> Iterator[tuple[int, Document]]:
    rows = Instrument.objects.order_by("pk")
    links = Instrument.techniques.through.objects.all()
    if pks is not None:
        rows, links = rows.filter(pk__in=list(pks)), links.filter(instrument__in=list(pks))
    techniques = {technique.pk: _synonyms(technique) for technique in Technique.objects.all()}
    used: dict[int, list[int]] = defaultdict(list)
    for instrument, technique in links.values_list("instrument_id", "technique_id"):
        used[instrument].append(technique)
    for row in rows.values("pk", *_NAMES, *_BODY).iterator(chunk_size=_BATCH):
        yield row["pk"], _document(row, [techniques[pk] for pk in used[row["pk"]]])


def _synonyms(technique: Technique) -> tuple[list[str], list[str]]:
    names = [technique.name, technique.name_en, technique.key, *technique.aliases]
    return _tokens(names), [token for name in names for token in pinyin_tokens(name)]


def _document(row: dict[str, Any], techniques: Iterable[tuple[list[str], list[str]]]) -> Document:
    words: list[str] = []
    pinyin = pinyin_tokens(row["name"])
    for synonyms, sounds in techniques:
        words += synonyms
        pinyin += sounds
    names = _tokens(row[name] for name in _NAMES)
    return names, words, pinyin, _tokens(row[name] for name in _BODY)


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
