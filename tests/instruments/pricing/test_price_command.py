"""``manage.py price``: examples, lines, and bad files."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

RULEBOOK = Path(__file__).parents[2] / "data" / "rulebook" / "prices"
RULE = {"code": "r", "name": "Time", "kind": "price", "qty": ["n"], "rate": 2, "required": True}
RECORD = {"id": "1", "at": "2026-03-10T09:00", "n": 3}


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command("price", *arguments, stdout=out)
    return out.getvalue()


def _file(path: Path, document: Any) -> str:
    target = path / "list.json"
    target.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return str(target)


def _document(example: Any = None, **more: Any) -> dict[str, Any]:
    first = {"example": 1, "list": "a", "records": [RECORD], "expected": "6"}
    return {"lists": {"a": {"rules": [RULE]}}, "examples": [{**first, **(example or {})}], **more}


def test_one_line_for_each_example_and_the_score() -> None:
    assert (
        _run(str(RULEBOOK / "24.json"))
        == "4 (list): 0.00, right\n5 (list): 1.50, right\n6 (list): 3.00, right\n3 of 3 right\n"
    )


def test_what_is_asked_for_is_compared() -> None:
    assert "3 (list): 2255.00, right" in _run(str(RULEBOOK / "49.json"))


def test_lines_are_printed_on_demand(tmp_path: Path) -> None:
    text = _run(_file(tmp_path, _document()), "--lines")

    assert "    1          6.00  invoice  Time: 3 n × 2.00 = 6.00\n" in text


@pytest.mark.parametrize(
    ("example", "verdict"),
    [
        ({"expected": "6.00"}, "6.00, right"),
        ({"expected": 6}, "6.00, right"),
        ({"expected": 6.0}, "6.00, right"),
        ({"expected": "7"}, "6.00 instead of 7, WRONG"),
        ({"expected": "refused"}, "6.00 instead of refused, WRONG"),
        ({"expected": None}, "6.00 instead of None, WRONG"),
        ({"ask": "sum:r"}, "6.00, right"),
    ],
)
def test_verdict(example: dict[str, Any], verdict: str, tmp_path: Path) -> None:
    text = _run(_file(tmp_path, _document(example)))

    assert text.startswith(f"1 (a): {verdict}")


def test_only_list_need_not_be_named(tmp_path: Path) -> None:
    document = _document()
    del document["examples"][0]["list"]

    assert _run(_file(tmp_path, document)) == "1 (a): 6.00, right\n1 of 1 right\n"


def test_what_is_not_offered_may_be_expected(tmp_path: Path) -> None:
    never = {**RULE, "rate": None, "rows": [{"when": {"n": 9}, "rate": 1}]}
    document = _document({"expected": "refused"}, lists={"a": {"rules": [never]}})

    text = _run(_file(tmp_path, document), "--lines")

    assert "1 (a): refused, right" in text
    assert "    1  not_offered  Time: not offered, there is no price for this.\n" in text


def test_zone_of_the_times(tmp_path: Path) -> None:
    band = {"bands": {"b": [{"to": "12:00"}]}, "rules": [{**RULE, "when": {"start_in": "b"}}]}
    record = {**RECORD, "at": "2026-03-10T09:00+00:00"}
    document = _document({"records": [record], "expected": "0"}, lists={"a": band}, tz="Asia/Shanghai")

    assert _run(_file(tmp_path, document)).endswith("1 of 1 right\n")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "list.json: file: The file is not JSON"),
        ("[" * 100_000, "list.json: file: The file is not JSON"),
        ("[]", "list.json: list.json: “list.json” must be an object."),
        ({"lists": []}, "list.json: lists: “lists” must be an object."),
        ({"lists": {}}, "list.json: examples: “examples” must be a list."),
        ({"lists": {}, "examples": [3]}, "list.json: examples[0]: “examples[0]” must be an object."),
        (_document({"list": "b"}), "list.json: examples[0].list: There is no list “b”."),
        (_document({"list": []}), "list.json: examples[0].list: There is no list “[]”."),
        (_document({"records": 3}), "list.json: examples[0].records: “records” must be a list."),
        (_document({"records": [3]}), "list.json: records[0]: “records[0]” must be an object."),
        (_document({"ask": "x"}), "list.json: ask: There is no quantity “x” to ask for."),
        (_document(tz="Moon"), "list.json: tz: “Moon” is not a time zone."),
        (
            _document(lists={"a": {"rules": [{}]}}),
            "list.json: lists.a.rules[0].code: “rules[0].code” is missing. Write it. (and 2 more)",
        ),
    ],
)
def test_bad_file_gets_one_sentence(document: Any, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        _run(_file(tmp_path, document))

    assert str(caught.value).startswith(sentence)
    assert caught.value.returncode == 1


def test_missing_file_gets_one_sentence() -> None:
    with pytest.raises(CommandError, match="The file cannot be read"):
        _run("nowhere.json")
