"""``manage.py decide FILE.json``."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

POLICY = {
    "rules": [{"kind": "length", "max": 60}, {"kind": "event", "on": "checkin", "after": "start", "name": "late"}]
}
SLOT = {"start": "2026-03-10 09:00", "end": "2026-03-10 11:00"}
LONG = {"req": SLOT, "now": "2026-03-09"}


def make_example(label: str, expected: Any, do: str = "decide", given: Any = LONG) -> dict[str, Any]:
    return {"example": label, "do": do, "policy": "p", "given": given, "expected": expected}


def run(folder: Path, document: Any) -> list[str]:
    file = folder / "file.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    out = StringIO()
    call_command("decide", str(file), stdout=out)
    return out.getvalue().splitlines()


def test_one_line_per_example_and_the_score(tmp_path: Path) -> None:
    examples = [
        make_example("1", {"refuse": [["too_long", {"max": 60, "is": 120.0, "until": None}]]}),
        make_example("2", {"refuse": ["too_long"]}),
        make_example("3", {"refuse": [["too_long", {"max": 61}]]}),
        make_example("4", {}),
        make_example(
            "5",
            [["late", {"at": "2026-03-10 09:01"}]],
            "observe",
            {"booking": SLOT, "seq": [["checkin", "2026-03-10 09:01"]]},
        ),
        make_example(
            "6", ["a", "b"], "rank", {"requests": [{"id": "b"}, {"id": "a", "made": "2026-03-01"}], "now": "2026-03-09"}
        ),
    ]

    lines = run(tmp_path, {"policies": {"p": POLICY}, "examples": examples})

    assert [line[:7] for line in lines[:-1]] == ["1 right", "2 right", "3 wrong", "4 wrong", "5 right", "6 right"]
    assert lines[-1] == "4 of 6 right"


def test_rank_is_checked_by_place(tmp_path: Path) -> None:
    given = {"requests": [{"id": "b"}, {"id": "a", "made": "2026-03-01"}], "now": "2026-03-09"}
    example = make_example("1", [["a", {"place": 2}], ["b", {"place": 1}]], "rank", given)

    assert run(tmp_path, {"policies": {"p": [POLICY, {}]}, "examples": [example]})[-1] == "0 of 1 right"


@pytest.mark.parametrize(
    "example",
    [
        3,
        {"example": "1"},
        make_example("1", {}, do="dance"),
        make_example("1", {}, given={"req": SLOT}),
        make_example("1", {}, given={"req": SLOT, "now": "soon"}),
        make_example("1", {}, given={**LONG, "bookings": 3}),
        make_example("1", {}, given={**LONG, "facts": {"person": 3}}),
        make_example("1", {"refuse": 3}),
        make_example("1", {"refuse": [[]]}),
        make_example("1", [], "observe", {"booking": SLOT, "seq": ["checkin"]}),
        make_example("1", {"refuse": [["too_long", {"per": {"x": 1}}]]}),
        make_example("1", {"refuse": [["too_long", {"max": [60]}]]}),
    ],
)
def test_an_example_that_makes_no_sense_is_wrong(tmp_path: Path, example: Any) -> None:
    lines = run(tmp_path, {"policies": {"p": POLICY}, "examples": [example]})

    assert " wrong: " in lines[0]
    assert lines[1:] == ["0 of 1 right"]


def test_values_of_lists_and_objects_are_compared(tmp_path: Path) -> None:
    policy = {"rules": [{"kind": "require", "that": {"x": 1, "y": 2}}]}
    good = {"failed": ["x", "y"], "need": {"x": 1}}

    def score(values: dict[str, Any]) -> str:
        example = make_example("1", {"refuse": [["require", values]]})
        return run(tmp_path, {"policies": {"p": policy}, "examples": [example]})[-1]

    assert score(good) == "1 of 1 right"
    assert score({"failed": ["x"]}) == "0 of 1 right"
    assert score({"need": {"x": 2}}) == "0 of 1 right"


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("{", "The file is not valid JSON"),
        ("[" * 100_000, "The file is not valid JSON"),
        ("\x00", "The file is not valid JSON"),
        ([], "The file must hold an object with policies and a list of examples."),
        ({"policies": {}, "examples": {}}, "The file must hold an object with policies and a list of examples."),
        (
            {"policies": {"p": {"rules": [{"kind": "nap"}]}}, "examples": []},
            "The policy p has problems. rules[0].kind: Choose one of: ",
        ),
    ],
)
def test_a_bad_file_gets_one_sentence(tmp_path: Path, document: Any, sentence: str) -> None:
    with pytest.raises(CommandError) as caught:
        run(tmp_path, document)

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
    assert caught.value.returncode == 1


def test_a_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="The file cannot be read"):
        call_command("decide", str(tmp_path / "none.json"))
