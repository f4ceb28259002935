"""Every worked example of the rulebook comes out to the cent, and its lists are saved without a remark."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from instruments.pricing.checks import check_price_list
from instruments.pricing.engine import answer, price
from instruments.pricing.published import published_table
from instruments.pricing.reading import parse_price_list
from instruments.pricing.sentences import describe

FOLDER = Path(__file__).parents[2] / "data" / "rulebook"
FILES = sorted((FOLDER / "prices").glob("*.json"))
# In the style of published lists; the amounts were worked out by hand before the engine saw them.
MORE = sorted((FOLDER / "published_prices").glob("*.json"))
UTC = ZoneInfo("UTC")


def _documents() -> list[tuple[str, dict[str, Any]]]:
    return [(path.stem, json.loads(path.read_text("utf-8"), parse_float=Decimal)) for path in (*FILES, *MORE)]


EXAMPLES = [
    pytest.param(document["lists"][example["list"]], example, id=f"{name}-{example['example']}")
    for name, document in _documents()
    for example in document["examples"]
]
LISTS = [
    pytest.param(found, id=f"{name}-{key}")
    for name, document in _documents()
    for key, found in document["lists"].items()
]


@pytest.mark.parametrize(("document", "example"), EXAMPLES)
def test_example_comes_out(document: dict[str, Any], example: dict[str, Any]) -> None:
    price_list = parse_price_list(document)

    if "ask" in example:
        found = Decimal(int(answer(price_list, example["records"], example["ask"], tz=UTC)))
    else:
        found = price(price_list, example["records"], tz=UTC).total()

    assert found == Decimal(example["expected"])


def test_rulebook_has_80_examples_and_77_more() -> None:
    published = sum(len(json.loads(path.read_text("utf-8"))["examples"]) for path in MORE)

    assert (len(EXAMPLES) - published, published) == (80, 77)


@pytest.mark.parametrize("document", LISTS)
def test_list_has_no_mistakes_and_a_sentence_for_each_rule(document: dict[str, Any]) -> None:
    price_list = parse_price_list(document)

    assert check_price_list(price_list) == []
    assert [code for code, sentence in describe(price_list) if sentence] == [rule.code for rule in price_list.rules]
    assert {row.code for row in published_table(price_list, {})} == {rule.code for rule in price_list.rules}
