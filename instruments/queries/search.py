"""Searching the catalogue by words: one index, two engines, the same tokens. See docs/search.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Literal, NamedTuple

from django.db import connection
from django.db.models.expressions import RawSQL

from backend.core.text import Word, query_words
from instruments.models import InstrumentQuerySet
from instruments.queries.spelling import near_words

How = Literal["all", "near", "any"]

# Name, technique, pinyin, everything else.
WEIGHTS = (10.0, 5.0, 2.0, 1.0)


class Search(NamedTuple):
    """Words, and whether all of them are wanted as they are, or as they may have been meant, or any will do."""

    how: How
    words: tuple[Word, ...]


def ways(text: str) -> Iterator[Search]:
    """How to look for the text, one after the other until something is found."""
    words = tuple(query_words(text))
    yield Search("all", words)
    near = tuple(near_words(text))
    if words and near != words:
        yield Search("near", near)
    yield Search("any", near or words)


def matching(rows: InstrumentQuerySet, search: Search) -> InstrumentQuerySet:
    """Those that have what is looked for. Text without a single word (punctuation) matches nothing.

    `extra` joins the index, which no model can describe.
    """
    query = compiled(search, ranks=connection.vendor == "sqlite")
    if not query:
        return rows.none()
    if connection.vendor == "sqlite":
        # The plus keeps SQLite from asking the index once per instrument: it looks up the found rowids instead.
        where = ["instruments_instrument.id = +instruments_search.rowid", "instruments_search MATCH %s"]
    else:
        where = [
            "instruments_search.instrument_id = instruments_instrument.id",
            "instruments_search.document @@ %s::tsquery",
        ]
    rows = rows.all()
    rows.query.add_extra(None, None, where, [query], ["instruments_search"], None)
    return rows


def best_first(rows: InstrumentQuerySet, search: Search) -> InstrumentQuerySet:
    """Order what `matching` found with the same words: names before techniques before the rest."""
    if connection.vendor == "sqlite":
        rank = RawSQL(f"bm25(instruments_search, {', '.join(map(str, WEIGHTS))})", ())  # noqa: S611  (constants)
    else:
        weights = ", ".join(str(weight / WEIGHTS[0]) for weight in reversed(WEIGHTS))
        sql = f"-ts_rank('{{{weights}}}', instruments_search.document, %s::tsquery)"
        rank = RawSQL(sql, (compiled(search),))  # noqa: S611  (constants; the words are a parameter)
    return rows.annotate(rank=rank).order_by("rank", "name", "pk")


def compiled(search: Search, *, ranks: bool = True) -> str:
    """The words in the engine's own query language; empty if there are none.

    What only finds says nothing of weights: PostgreSQL's index answers it without reading the documents.
    """
    tsquery = _tsquery if ranks else _plain_tsquery
    render, and_, or_ = (_fts5, " AND ", " OR ") if connection.vendor == "sqlite" else (tsquery, " & ", " | ")
    return _expression(search.words, search.how, render, and_, or_)


def _expression(words: tuple[Word, ...], how: How, render: Callable[[str, bool], str], and_: str, or_: str) -> str:
    if how == "any":
        tokens = dict.fromkeys(
            (token, word.prefix) for word in words for token in chain.from_iterable(word.alternatives)
        )
        return or_.join(render(token, prefix) for token, prefix in tokens)
    return and_.join(
        f"({or_.join(f'({and_.join(render(token, word.prefix) for token in each)})' for each in word.alternatives)})"
        for word in words
    )


# Tokens are letters and digits only (`backend.core.text`), so that nothing in them needs escaping. A whole word
# counts more than a beginning, but not in pinyin, where it only means that the name ends there.
def _fts5(token: str, prefix: bool) -> str:
    return f'({{name technique body}} : "{token}" OR "{token}"*)' if prefix and len(token) > 1 else f'"{token}"'


def _tsquery(token: str, prefix: bool) -> str:
    return f"('{token}':ABD | '{token}':*)" if prefix and len(token) > 1 else f"'{token}'"


def _plain_tsquery(token: str, prefix: bool) -> str:
    return f"'{token}':*" if prefix and len(token) > 1 else f"'{token}'"
