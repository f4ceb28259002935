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
from booking.rules.decide import decide
from booking.rules.kinds.ladder import ACTIONS
from booking.rules.model import KINDS, Policy
from booking.rules.sentences import describe
from booking.rules.tally import MEASURES
from booking.rules.values import as_instant
from instruments.pricing import reading, reading_terms
from instruments.pricing.checks import check_price_list
from instruments.pricing.model import CLOCKS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PRICING, POLICY = DOCS / "pricing.md", DOCS / "policy.md"
VERDICTS = ("refuse", "approve", "notice")
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


def _examples(path: Path, texts: int) -> list[tuple[dict[str, Any], list[str]]]:
    """Each file of examples with the blocks of text that follow it."""
    found: list[tuple[dict[str, Any], list[str]]] = []
    for language, body in _BLOCK.findall(path.read_text("utf-8")):
        if language == "json":
            found.append((json.loads(body), []))
        else:
            found[-1][1].append(body)
    assert len(found) == 3
    assert all(len(blocks) == texts for _document, blocks in found)
    return found


def _printed(command: str, document: dict[str, Any], folder: Path, *options: str) -> str:
    file, out = folder / "example.json", StringIO()
    file.write_text(json.dumps(document), "utf-8")
    call_command(command, str(file), *options, stdout=out)
    return out.getvalue()


def _merged(policy: Any) -> Policy:
    return layers.merge_layers(policy if isinstance(policy, list) else [policy])


def _in_words(document: dict[str, Any]) -> str:
    """The rules as sentences, then the answer to every request."""
    policies = {name: _merged(policy) for name, policy in document["policies"].items()}
    lines = [f"{rule}: {sentence}" for policy in policies.values() for rule, sentence in describe(policy)]
    for example in document["examples"]:
        policy, given = policies[example["policy"]], example["given"]
        if example.get("do", "decide") != "decide":
            continue
        now = as_instant(given["now"], policy.calendar)
        assert now is not None
        known = {name: given[name] for name in ("facts", "bookings", "events") if name in given}
        decision = decide(policy, given["req"], act=given.get("act", "create"), now=now, **known)
        for verdict in VERDICTS:
            entries = getattr(decision, verdict)
            lines += [f"{example['example']} → {verdict} {entry.code}: {entry.detail}" for entry in entries]
    return "\n".join(lines)


@pytest.mark.parametrize("place", range(3))
def test_price_list_comes_out_as_printed(place: int, tmp_path: Path) -> None:
    document, (text,) = _examples(PRICING, texts=1)[place]

    printed = _printed("price", document, tmp_path, "--lines")

    assert printed == text
    assert "WRONG" not in printed
    for rules in document["lists"].values():
        assert check_price_list(reading.parse_price_list(rules)) == []


@pytest.mark.parametrize("place", range(3))
def test_policy_comes_out_as_printed(place: int, tmp_path: Path) -> None:
    document, (text, words) = _examples(POLICY, texts=2)[place]
    number = len(document["examples"])

    assert _printed("decide", document, tmp_path) == text
    assert text.endswith(f"{number} of {number} right\n")
    assert words.split() == _in_words(document).split()


@pytest.mark.parametrize(("path", "keys"), [(PRICING, PRICING_KEYS), (POLICY, POLICY_KEYS)], ids=["pricing", "policy"])
def test_every_key_is_described(path: Path, keys: set[str]) -> None:
    prose = _BLOCK.sub("", path.read_text("utf-8"))
    named = {word for code in re.findall(r"`([^`\n]+)`", prose) for word in re.findall(r"\w+", code)}

    assert keys - named == set()


@pytest.mark.parametrize("path", [PRICING, POLICY], ids=["pricing", "policy"])
def test_lines_fit(path: Path) -> None:
    assert [line for line in path.read_text("utf-8").splitlines() if len(line) > 120] == []
