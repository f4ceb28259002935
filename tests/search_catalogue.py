"""A catalogue of 5,534 instruments to search in, and what people type there with what they mean by it.

``tests/data/search/kinds.csv`` describes a hundred kinds of instruments that laboratories really have; the 47 of
``instruments/data`` are there once, and each kind about fifty times, in other institutions and regions.
``queries.csv`` says what must come first: ``technique=SEM|TEM;model=SU8010`` means instruments with one of these
techniques or of this model, ``local=41`` one of the 47 by its number.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from django.db import transaction

from backend.accounts.models import Organisation, OrganisationKind
from instruments.actions.importing import import_instruments
from instruments.actions.indexing import reindex
from instruments.actions.reference import DATA, load_reference_data
from instruments.models import Instrument, Technique

SIZE = 5534
TABLES = Path(__file__).parent / "data" / "search"
REGIONS = ("呼和浩特", "包头", "乌海", "赤峰", "通辽", "鄂尔多斯", "呼伦贝尔")
PLACES = ("理工大学", "农业大学", "医科大学", "师范学院", "材料研究所", "检验检测中心", "稀土研究院", "地质调查院")

Row = dict[str, str]


class Query(NamedTuple):
    words: str
    kind: str
    meant: str


class Catalogue(NamedTuple):
    """Which instruments have which property: ``{("technique", "SEM"): {ids}}``."""

    having: dict[tuple[str, str], set[int]]

    def meant(self, query: Query) -> set[int]:
        """The instruments that the words mean; a property that none has is a slip in the table."""
        out: set[int] = set()
        for part in query.meant.split(";"):
            name, _, values = part.partition("=")
            for value in values.split("|"):
                found = self.having.get((name, value))
                assert found, f"{query.words}: {name}={value}"
                out |= found
        return out


def queries() -> list[Query]:
    return [Query(*row.values()) for row in _read(TABLES / "queries.csv")]


@contextmanager
def standing_catalogue() -> Iterator[Catalogue]:
    """All of it, until the end of the block."""
    with transaction.atomic():
        yield make_catalogue()
        transaction.set_rollback(True)


def make_catalogue() -> Catalogue:
    load_reference_data()
    hosts = _institutions()
    import_instruments(institution=hosts[0], by=None, content=(DATA / "instruments.csv").read_bytes())
    kinds = _read(TABLES / "kinds.csv")
    rows = [row for row, _n in zip(cycle(kinds), range(SIZE - Instrument.objects.count()), strict=False)]
    made = Instrument.objects.bulk_create(
        [_instrument(row, hosts[n // len(kinds) % len(hosts)], n) for n, row in enumerate(rows)], batch_size=1000
    )
    _link(made, rows)
    reindex()
    return _known()


def _institutions() -> list[Organisation]:
    return Organisation.objects.bulk_create(
        Organisation(kind=OrganisationKind.INSTITUTION, code=f"search-{n}", name=f"示例{region}{place}", region=region)
        for n, (region, place) in enumerate((region, place) for region in REGIONS for place in PLACES)
    )


def _instrument(row: Row, host: Organisation, n: int) -> Instrument:
    return Instrument(
        institution=host,
        local_no=f"S{n}",
        name=row["name_zh"],
        category_id=row["category"],
        region=host.region,
        mode_self=True,
        **{name: row[name] for name in ("name_en", "manufacturer", "model", "technical", "function")},
    )


def _link(made: list[Instrument], rows: list[Row]) -> None:
    techniques = dict(Technique.objects.values_list("key", "pk"))
    through = Instrument.techniques.through
    through.objects.bulk_create(
        (
            through(instrument_id=one.pk, technique_id=techniques[key])
            for one, row in zip(made, rows, strict=True)
            for key in filter(None, row["technique"].split(";"))
        ),
        batch_size=2000,
    )


def _known() -> Catalogue:
    having: dict[tuple[str, str], set[int]] = defaultdict(set)
    for pk, local, maker, model in Instrument.objects.values_list("pk", "local_no", "manufacturer", "model"):
        for name, value in (("local", local), ("maker", maker), ("model", model)):
            having[name, value].add(pk)
    links = Instrument.techniques.through.objects.values_list("technique__key", "instrument_id")
    for key, pk in links:
        having["technique", key].add(pk)
    return Catalogue(having)


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
