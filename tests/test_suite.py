"""The suite's own machinery: parts that run side by side, and templates of test databases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from django.db import connection

from tests import __main__ as suite
from tests import database

PARTS = [suite.Part(name, "", "") for name in ("first", "second")]


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ((0, 0), ["first", "second"]),
        ((5, 0), ["first", "second"]),
        ((1, 0), ["second", "first"]),
        ((0, 1), ["first", "second"]),
    ],
)
def test_of_parts_side_by_side_the_one_that_failed_is_told_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], codes: tuple[int, int], told: list[str]
) -> None:
    def run(part: suite.Part, _arguments: Sequence[str], _done: Sequence[str], tell: Callable[[str], object]) -> object:
        tell(f"{part.name}\n")
        return codes[PARTS.index(part)], f"summary of {part.name}"

    monkeypatch.setattr(suite, "run", run)

    ended = suite.run_beside(PARTS, [], [])

    assert [part.name for part, _code, _summary in ended] == told
    assert capsys.readouterr().out.split("\n")[2:-1] == told


def test_the_state_of_the_migrations_names_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    before = database._state()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path.name == "0001_initial.py"))

    after = database._state()

    assert before != after
    assert before.split("_")[0] == after.split("_")[0]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="templates are files on SQLite alone")
def test_templates_of_earlier_states_go_and_copies_stay(tmp_path: Path) -> None:
    now, older, copy, other = (
        tmp_path / f"test_{name}.sqlite3"
        for name in ("aa_0123456789", "aa_9876543210", "aa_9876543210_77", "bb_0123456789")
    )
    for path in (now, older, copy, other):
        path.touch()

    database._drop_older(str(now))

    assert sorted(tmp_path.iterdir()) == sorted([now, copy, other])
