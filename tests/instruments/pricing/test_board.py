"""The price list as it is put up: columns for audiences, one label for each row, the rest in words."""

from __future__ import annotations

from typing import Any

from django.utils import translation

from instruments.pricing.board import Board, price_board
from instruments.pricing.names import Asked, asked_facts, asked_parties
from instruments.pricing.sentences import describe
from tests.instruments.pricing.building import MONTH, price_list

LABELS = {"inside": "Members", "outside": "Guests"}


def _board(*rules: dict[str, Any], **more: Any) -> Board:
    return price_board(price_list(*rules, **more), LABELS)


def _rows(board: Board, place: int = 0) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.label, tuple(map(str, row.prices))) for row in board.items[place].rows]


def test_audiences_are_columns_and_the_rest_is_the_label() -> None:
    rows = [
        {"when": {"audience": "inside", "scan": "a"}, "rate": 1},
        {"when": {"audience": "outside", "scan": "a"}, "rate": 2},
        {"when": {"audience": "inside", "scan": "b", "n": {">": 2}}, "rate": 3},
    ]
    board = _board({"name": "Scan", "qty": ["samples"], "rows": rows, "when": {"event": "use", "kind": "X"}})

    (item,) = board.items
    assert (item.name, item.unit, item.columns, item.remarks) == ("Scan", "sample", ("Members", "Guests"), ("X",))
    assert _rows(board) == [("a", ("1", "2")), ("b, n > 2", ("3", "None"))]


def test_who_is_not_named_pays_what_all_others_pay() -> None:
    rows = [
        {"when": {"audience": "outside", "class": "a"}, "rate": 9},
        {"when": {"class": "a", "help": True}, "rate": 5},
        {"when": {"class": "b", "help": False}, "rate": 4},
    ]
    board = _board({"rows": rows})

    assert board.items[0].columns == ("Guests", "all others")
    assert _rows(board) == [
        ("a", ("9", "None")), ("a, help", ("None", "5")), ("b, without help", ("4", "4"))
    ]  # fmt: skip


def test_one_price_for_everybody_needs_no_columns() -> None:
    tiers = [{"from": 0, "rate": 10}, {"over": 5, "pct": 50}]
    board = _board(
        {"qty": ["used"], "rate": 8, "tiers": tiers, "scope": MONTH}, {"rate": 3, "when": {"audience": "inside"}}
    )

    assert board.items[0].columns == ()
    assert _rows(board) == [("up to 5 h", ("10",)), ("over 5 h", ("4",))]
    assert board.items[0].remarks == ("Counted per person and month",)
    assert board.items[1].remarks == ("Members",)
    assert _rows(board, 1) == [("", ("3",))]


def test_everything_else_is_told_in_words_with_its_times() -> None:
    bands = {"night": [{"from": "20:00", "to": "08:00"}], "idle": [{}]}
    board = _board(
        {"name": "Time", "qty": ["used"], "rate": 5},
        {"name": "Night", "kind": "percent", "rate": -30, "when": {"start_in": "night"}},
        {"name": "Choice", "rate": 1, "pick": {"group": "g", "option": "o"}},
        {"name": "Step", "tiers": [{"from": 0, "rate": 1, "pct": 5}], "rate": 2},
        {"name": "Quoted", "tiers": [{"from": 0, "pct": 50}], "rate": "quoted"},
        bands=bands,
    )

    assert [item.name for item in board.items] == ["Time", "Choice"]
    assert [name for name, _text in board.terms] == ["Night", "Step", "Quoted"]
    assert board.bands == (("night", "every day 20:00–08:00 (next day)"),)


def test_a_list_names_its_own_codes() -> None:
    found = price_list(
        {"qty": ["plates"], "rows": [{"when": {"audience": "vip"}, "rate": 1}]},
        labels={"audience:vip": {"en": "friends", "zh-hans": "朋友"}, "plates": "dishes"},
    )

    with translation.override("zh-hans"):
        chinese = describe(found)[0][1]

    assert describe(found)[0][1] == "Dishes × price (friends 1.00)."
    assert "朋友" in chinese


def test_what_is_asked_for_by_sort() -> None:
    found = price_list(
        {"qty": ["points"], "rate": 1, "when": {"scan": ["a", "b"], "rush": True, "group": 2}, "scope": MONTH},
        {"rate": 1, "when": {"stage": {"!=": "x"}}},
    )

    assert asked_facts(found) == [
        Asked("group", "number"),
        Asked("points", "number"),
        Asked("rush", "truth"),
        Asked("scan", "choice", ("a", "b")),
        Asked("stage", "choice", ("x",)),
    ]
    assert asked_parties(found) == {"person"}


def test_numbers_are_told_with_their_name_and_tags_by_their_rules() -> None:
    board = _board(
        {
            "name": "Tank",
            "rows": [{"when": {"tank": 5}, "rate": 1}, {"when": {"tank": None}, "rate": 2}],
            "tags": ["all"],
        },
        {"name": "Pump", "rate": 1, "tags": ["all"]},
        {"name": "Fee", "kind": "percent", "on": ["all"], "rate": 10},
    )

    assert [label for label, _prices in _rows(board)] == ["tank is 5", "without tank"]
    assert board.terms == (("Fee", "10 % of Tank and Pump."),)
