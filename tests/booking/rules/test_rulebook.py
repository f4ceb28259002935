"""The published rules of real facilities, with their worked examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from booking.rules.examples import check_examples
from booking.rules.layers import parse_policy
from booking.rules.sentences import describe

FOLDER = Path(__file__).parents[2] / "data" / "rulebook"


def read(folder: str) -> list[tuple[str, dict[str, Any]]]:
    files = sorted((FOLDER / folder).glob("*.json"))
    return [(file.stem, json.loads(file.read_text(encoding="utf-8"))) for file in files]


# ``policies`` are published rules, ``published`` further ones in their manner, with the answers that each text gives.
DOCUMENTS = [*read("policies"), *read("published")]
EXAMPLES = [(name, document, example) for name, document in DOCUMENTS for example in document["examples"]]
POLICIES = [policy for _name, document in DOCUMENTS for policy in document["policies"].values()]


@pytest.mark.parametrize(("folder", "texts", "examples"), [("policies", 14, 61), ("published", 31, 170)])
def test_the_rulebook_is_complete(folder: str, texts: int, examples: int) -> None:
    found = read(folder)

    assert (len(found), sum(len(document["examples"]) for _name, document in found)) == (texts, examples)


@pytest.mark.parametrize(
    ("document", "example"),
    [(document, example) for _name, document, example in EXAMPLES],
    ids=[f"{name}-{example['example']}" for name, _document, example in EXAMPLES],
)
def test_example_comes_out_right(document: dict[str, Any], example: dict[str, Any]) -> None:
    (result,) = check_examples({"policies": document["policies"], "examples": [example]})

    assert result.right, result.line


@pytest.mark.parametrize("policy", POLICIES)
def test_every_rule_has_a_sentence(policy: dict[str, Any]) -> None:
    found = describe(parse_policy(policy))

    assert len(found) == len(policy["rules"])
    assert all(text.endswith((".", ")")) and "%(" not in text for _id, text in found)
