"""The published rules of real facilities, with their worked examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from booking.rules.examples import check_examples
from booking.rules.layers import parse_policy
from booking.rules.sentences import describe

FILES = sorted((Path(__file__).parents[2] / "data" / "rulebook" / "policies").glob("*.json"))
DOCUMENTS = [json.loads(file.read_text(encoding="utf-8")) for file in FILES]
EXAMPLES = [(document, example) for document in DOCUMENTS for example in document["examples"]]
POLICIES = [policy for document in DOCUMENTS for policy in document["policies"].values()]


def test_the_rulebook_is_complete() -> None:
    assert len(EXAMPLES) == 61


@pytest.mark.parametrize(
    ("document", "example"),
    EXAMPLES,
    ids=[f"{document['text']}-{example['example']}" for document, example in EXAMPLES],
)
def test_example_comes_out_right(document: dict[str, Any], example: dict[str, Any]) -> None:
    (result,) = check_examples({"policies": document["policies"], "examples": [example]})

    assert result.right, result.line


@pytest.mark.parametrize("policy", POLICIES)
def test_every_rule_has_a_sentence(policy: dict[str, Any]) -> None:
    found = describe(parse_policy(policy))

    assert len(found) == len(policy["rules"])
    assert all(text.endswith((".", ")")) and "%(" not in text for _id, text in found)
