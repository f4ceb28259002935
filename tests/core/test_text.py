"""Words for searching: what goes into the index, and what a query asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.text import (
    MOST_WORDS,
    Word,
    has_control_characters,
    has_line_breaks,
    index_tokens,
    normalise,
    pinyin_tokens,
    query_words,
    whole_number,
)


def test_normalise_makes_full_width_and_accents_plain() -> None:
    assert normalise("ＳＥＭ　Café①") == "sem cafe1"


def test_index_tokens_cut_chinese_into_characters_and_pairs() -> None:
    assert index_tokens("质谱仪") == ["质", "谱", "仪", "质谱", "谱仪"]


def test_index_tokens_keep_latin_words_whole_and_joined() -> None:
    assert index_tokens("FE-SEM") == ["fe", "sem", "fesem"]
    assert index_tokens("TG-DSC/DTA") == ["tg", "dsc", "dta", "tgdscdta", "tgdsc", "dscdta"]


def test_index_tokens_part_scripts() -> None:
    assert index_tokens("X-射线") == ["x", "射", "线", "射线"]
    assert index_tokens("8通道F7000") == ["8", "通", "道", "通道", "f7000"]


def test_query_words_want_every_pair_of_a_chinese_run() -> None:
    assert query_words("扫描电镜") == [Word((("扫描", "描电", "电镜"),), prefix=False)]
    assert query_words("谱") == [Word((("谱",),), prefix=False)]


def test_query_words_take_a_hyphenated_word_joined_or_in_parts() -> None:
    assert query_words("GC-MS") == [Word((("gcms",), ("gc", "ms")), prefix=True)]


def test_query_words_are_limited_and_never_repeat() -> None:
    assert len(query_words(" ".join(f"w{n}" for n in range(100)))) == MOST_WORDS
    assert query_words("sem SEM Sem") == [Word((("sem",),), prefix=True)]


@pytest.mark.parametrize("text", ["", "  ", "😀", "-–/", "\x00", "。，"])
def test_query_words_without_a_word_are_empty(text: str) -> None:
    assert query_words(text) == []


def test_pinyin_tokens_begin_at_every_character_and_the_first_weighs_more() -> None:
    tokens = pinyin_tokens("扫描电镜")

    assert set(tokens) == {"saomiaodianjing", "smdj", "miaodianjing", "mdj", "dianjing", "dj"}
    assert tokens.count("smdj") == 3
    assert tokens.count("mdj") == 1


def test_pinyin_tokens_end_after_six_syllables() -> None:
    assert "smdzxw" in pinyin_tokens("扫描电子显微镜")
    assert "smdzxwj" not in pinyin_tokens("扫描电子显微镜")


@pytest.mark.parametrize("text", ["a\x00b", "\x1b[31m", "\ud800", "\x7f"])
def test_control_characters_are_seen(text: str) -> None:
    assert has_control_characters(text)


@pytest.mark.parametrize("text", ["两行\n文字\t。", "😀", "é"])
def test_ordinary_text_has_no_control_characters(text: str) -> None:
    assert not has_control_characters(text)


@given(st.text(max_size=60))
def test_tokens_are_letters_and_digits_only(text: str) -> None:
    tokens = [*index_tokens(text), *pinyin_tokens(text)]
    asked = [token for word in query_words(text) for each in word.alternatives for token in each]

    assert all(token.isalnum() for token in [*tokens, *asked] if token)


@given(st.text(alphabet="扫描电子显微镜质谱仪SEM-x8 ", min_size=1, max_size=30))
def test_what_is_indexed_is_found_by_itself(text: str) -> None:
    known = set(index_tokens(text))

    for word in query_words(text):
        assert any(known.issuperset(each) for each in word.alternatives)


def test_a_whole_number_is_read_or_nothing() -> None:
    given = ("12", "0", "", "-1", "1.5", "²", "9" * 18, "9" * 19)

    assert [whole_number(text) for text in given] == [12, 0, None, None, None, None, 10**18 - 1, None]
    assert whole_number("123456789", digits=8) is None


def test_line_breaks_of_any_kind_are_seen() -> None:
    breaks = ("\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029")

    assert [has_line_breaks(f"a{sign}b") for sign in breaks] == [True] * len(breaks)
    assert not has_line_breaks("a b\tc")
