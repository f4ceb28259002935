"""The references of the two JSON models: their examples come out as printed, and every key is named."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from booking.rules import layers, rule_reading
from booking.rules.conditions import READERS
from booking.rules.kinds.ladder import ACTIONS
from booking.rules.model import KINDS
from booking.rules.tally import MEASURES
from instruments.pricing import reading, reading_terms
from instruments.pricing.checks import check_price_list
from instruments.pricing.model import CLOCKS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PRICING, POLICY = DOCS / "pricing.md", DOCS / "policy.md"
_BLOCK = re.compile(r"^```(json|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PRICING_KEYS = {
    *reading.LIST_KEYS, *reading.RULE_KEYS, *reading.ROW_KEYS, *reading.TIER_KEYS, *reading.PICK_KEYS,
    *reading.SCOPE_KEYS, *reading_terms.WINDOW_KEYS, *reading_terms.SPAN_KEYS, *reading_terms.HISTORY_KEYS,
    *reading_terms.QUANTITY_KEYS, *reading_terms.UNITS, *CLOCKS,
}  # fmt: skip
POLICY_KEYS = {
    *layers.POLICY_KEYS, *rule_reading.RULE_KEYS, *rule_reading.CASE_KEYS, *READERS, *KINDS, *MEASURES, *ACTIONS,
    *(key for kind in KINDS.values() for key in kind.KEYS),
}  # fmt: skip


def _examples(path: Path) -> list[tuple[dict[str, Any], str]]:
    """Each file of examples with the text that follows it: what the command prints."""
    blocks = _BLOCK.findall(path.read_text("utf-8"))
    assert [language for language, _body in blocks] == ["json", "text"] * 3
    bodies = [body for _language, body in blocks]
    return [(json.loads(file), text) for file, text in zip(bodies[::2], bodies[1::2], strict=True)]


def _printed(command: str, document: dict[str, Any], folder: Path, *options: str) -> str:
    file, out = folder / "example.json", StringIO()
    file.write_text(json.dumps(document), "utf-8")
    call_command(command, str(file), *options, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("place", range(3))
def test_price_list_comes_out_as_printed(place: int, tmp_path: Path) -> None:
    document, text = _examples(PRICING)[place]

    printed = _printed("price", document, tmp_path, "--lines")

    assert printed == text
    assert "WRONG" not in printed
    for rules in document["lists"].values():
        assert check_price_list(reading.parse_price_list(rules)) == []


@pytest.mark.parametrize("place", range(3))
def test_policy_comes_out_as_printed(place: int, tmp_path: Path) -> None:
    document, text = _examples(POLICY)[place]
    number = len(document["examples"])

    assert _printed("decide", document, tmp_path) == text
    assert text.endswith(f"{number} of {number} right\n")


@pytest.mark.parametrize(("path", "keys"), [(PRICING, PRICING_KEYS), (POLICY, POLICY_KEYS)], ids=["pricing", "policy"])
def test_every_key_is_described(path: Path, keys: set[str]) -> None:
    prose = _BLOCK.sub("", path.read_text("utf-8"))
    named = {word for code in re.findall(r"`([^`\n]+)`", prose) for word in re.findall(r"\w+", code)}

    assert keys - named == set()


@pytest.mark.parametrize("path", [PRICING, POLICY], ids=["pricing", "policy"])
def test_lines_fit(path: Path) -> None:
    assert [line for line in path.read_text("utf-8").splitlines() if len(line) > 120] == []
