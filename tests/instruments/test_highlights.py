"""What is marked in what was found."""

from __future__ import annotations

import pytest

from backend.core.text import query_words
from instruments.queries.highlights import excerpt, marked
from instruments.queries.regions import distances, place_in


def shown(text: str, query: str) -> str:
    return "".join(f"[{piece.text}]" if piece.hit else piece.text for piece in marked(text, query_words(query)))


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("场发射扫描电镜", "扫描电镜", "场发射[扫描电镜]"),
        ("Field emission SEM", "sem", "Field emission [SEM]"),
        ("Rheometer", "rheo", "[Rheo]meter"),
        ("GC-MS", "gcms", "[GC-MS]"),
        ("扫描电子显微镜", "saomiao", "[扫描]电子显微镜"),
        ("扫描电子显微镜", "smdz", "[扫描电子]显微镜"),
        ("ＳＥＭ", "sem", "[ＳＥＭ]"),
        ("assembly", "sem", "assembly"),
        ("<b>质谱</b>", "质谱", "<b>[质谱]</b>"),
        ("质谱", "", "质谱"),
    ],
)
def test_marks_stand_on_what_was_typed(text: str, query: str, expected: str) -> None:
    assert shown(text, query) == expected


def test_an_excerpt_is_short_and_around_the_first_mark() -> None:
    pieces = excerpt("甲" * 300 + "质谱" + "乙" * 300, query_words("质谱"))

    assert [piece.text for piece in pieces if piece.hit] == ["质谱"]
    assert sum(len(piece.text) for piece in pieces) < 100
    assert excerpt("nothing", query_words("质谱")) == []


def test_regions_have_distances_however_they_are_written() -> None:
    assert place_in("内蒙古自治区包头市") == "包头"
    far = distances("呼和浩特")
    assert far["呼和浩特"] == 0
    assert 140 < far["包头"] < 180 < far["北京"] < far["呼伦贝尔"]
    assert distances("Atlantis") == {}
