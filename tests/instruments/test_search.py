"""Finding instruments by words, on the 47 real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management.sql import emit_post_migrate_signal
from django.db import connection

from backend.accounts.models import Organisation
from instruments.actions.importing import import_instruments
from instruments.actions.indexing import index_instruments, index_what_was_there, refresh_renamed, reindex
from instruments.models import Instrument, SearchWord
from instruments.queries.catalogue import Filters, find_instruments
from instruments.queries.viewers import Viewer
from tests.factories import make_institution, make_instrument

SAMPLE = Path(__file__).resolve().parents[2] / "instruments" / "data" / "instruments.csv"


@pytest.fixture
def real(db: None) -> Organisation:
    institution = make_institution()
    import_instruments(institution=institution, by=None, content=SAMPLE.read_bytes())
    return institution


def found(words: str, limit: int = 3) -> list[str]:
    return [item["local_no"] for item in find_instruments(Viewer(), Filters(q=words), limit=limit).items]


# What people type, and the numbers of the instruments that they mean.
MEANT = {
    "扫描电镜": {"17", "69"}, "电镜": {"17", "69", "73"}, "SEM": {"17", "69"}, "sem": {"17", "69"},
    "saomiao": {"17", "69"}, "saomiaodianjing": {"17", "69"}, "smdj": {"17", "69"}, "toushe": {"73"}, "tsdj": {"73"},
    "质谱": {"43"}, "气质": {"43"}, "GC-MS": {"43"}, "gcms": {"43"}, "gc ms": {"43"}, "核磁": {"29"}, "hcgz": {"29"},
    "红外": {"32", "33", "62"}, "岛津": {"33", "62"}, "衍射": {"16", "70"}, "单晶": {"70"}, "x射线": {"15", "16", "70"},
    "比表面": {"22", "67"}, "粒度": {"37", "0"}, "热重": {"20", "71"}, "流变": {"19", "68"}, "liubianyi": {"19", "68"},
    "原子力": {"66"}, "天平": {"41"}, "凯氏": {"46"}, "拉力": {"44"}, "8通道": {"53"}, "F7000": {"51"},
    "F-7000": {"51"}, "Ｆ７０００": {"51"}, "scanning electron": {"17", "69"}, "uv-vis": {"34", "36"},
    "UV2550": {"36"}, "ICP": {"23"},
}  # fmt: skip


@pytest.mark.parametrize("words", MEANT)
def test_search_puts_what_is_meant_among_the_first_three(real: Organisation, words: str) -> None:
    assert set(found(words)) >= set(sorted(MEANT[words])[:3])


def test_search_ranks_name_before_technique_before_text(db: None) -> None:
    text = make_instrument(name="A", name_en="", technical="质谱")
    name = make_instrument(name="质谱仪", name_en="")
    reindex()

    assert found("质谱") == [name.local_no, text.local_no]


def test_search_takes_any_word_only_where_none_has_all(real: Organisation) -> None:
    both = find_instruments(Viewer(), Filters(q="扫描 电镜"), limit=50)
    some = find_instruments(Viewer(), Filters(q="电镜 xyzzy"), limit=50)

    assert (both.how, both.count) == ("all", 2)
    assert (some.how, some.count) == ("any", 3)


@pytest.mark.parametrize(
    "words", ["😀", "\"'", "AND OR NOT", "a* OR b", "'; DROP TABLE instruments_search", "：）", "*"]
)
def test_search_survives_what_is_no_word(real: Organisation, words: str) -> None:
    found(words)

    assert found("SEM")


def test_search_index_follows_a_change_and_forgets_the_old_name(db: None) -> None:
    instrument = make_instrument(name="拉曼光谱仪", name_en="")
    index_instruments(pks=[instrument.pk])
    Instrument.objects.filter(pk=instrument.pk).update(name="流式细胞仪")

    index_instruments(pks=[instrument.pk])

    assert found("流式") == [instrument.local_no]
    assert found("拉曼") == []


def test_what_an_older_version_left_is_indexed_after_a_migration(real: Organisation) -> None:
    reindex()
    SearchWord.objects.all().delete()

    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")

    assert SearchWord.objects.exists()
    assert index_what_was_there() == 0


def test_reindex_makes_the_same_index_again(real: Organisation) -> None:
    assert reindex() == 47
    assert reindex() == 47
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM instruments_search")
        assert cursor.fetchone() == (47,)


def test_very_long_texts_can_be_indexed(db: None) -> None:
    every_sign = "".join(chr(0x4E00 + n % 20_000) for n in range(20_000))
    instrument = make_instrument(technical=every_sign, function=every_sign[::-1], service_content="x" * 20_000)

    index_instruments(pks=[instrument.pk])

    assert found(instrument.name) == [instrument.local_no]


def test_a_renamed_institution_is_found_by_its_new_name_after_a_minute(db: None) -> None:
    instrument = make_instrument(make_institution(name="旧研究所"))
    other = make_instrument()
    assert (refresh_renamed(), refresh_renamed()) == (2, 0)

    Organisation.objects.filter(pk=instrument.institution_id).update(name="新能源中心")
    assert found("新能源中心") == []
    assert (refresh_renamed(), refresh_renamed()) == (1, 0)

    assert found("新能源中心") == [instrument.local_no]
    assert found("旧研究所") == []
    assert found(other.institution.name) == [other.local_no]
    reindex()
    assert refresh_renamed() == 0


def test_looking_for_renamed_institutions_is_one_query(db: None, django_assert_num_queries: Any) -> None:
    for _n in range(3):
        make_instrument()
    reindex()

    with django_assert_num_queries(1):
        refresh_renamed.__wrapped__()  # type: ignore[attr-defined]  # without its transaction
