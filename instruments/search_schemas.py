"""Shapes of what helps to search."""

from __future__ import annotations

from typing import Annotated

from ninja import Field, Schema

from backend.core.api import LINE


class Typed(Schema):
    q: Annotated[str, Field(max_length=200), LINE] = Field("", description="What was typed so far")


class SuggestionOut(Schema):
    kind: str = Field(description="technique, maker or instrument")
    words: str = Field(description="What to search for")
    label: str


class OptionOut(Schema):
    value: str
    label: str
    number: int = Field(description="How many instruments this choice leaves")


class FacetsOut(Schema):
    """Each facet counts as if it were not chosen itself; ``price_max``: how many cost at most so much."""

    category: list[OptionOut]
    technique: list[OptionOut]
    institution: list[OptionOut]
    region: list[OptionOut]
    mode: list[OptionOut]
    status: list[OptionOut]
    sharing: list[OptionOut]
    price_max: list[OptionOut]


class PieceOut(Schema):
    text: str
    hit: bool


class HighlightOut(Schema):
    """Where the words were found: a name, else a technique's name or a piece of a text."""

    field: str
    pieces: list[PieceOut]
