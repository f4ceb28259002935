"""Shapes of the API about bank statements; money is text with two decimals."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, In, Page
from backend.core.money import format_amount
from invoices.models import BankStatement, RowState
from invoices.money_schemas import PartIn, TransferPartOut
from invoices.queries.statements import Matching
from invoices.schemas import Id


class StatementForm(In):
    """``date`` … ``text`` name the headings of the columns where they are not to be guessed; they are remembered."""

    institution: Id | None = None
    date: Annotated[str, Field(max_length=100), LINE] = ""
    amount: Annotated[str, Field(max_length=100), LINE] = ""
    payer: Annotated[str, Field(max_length=100), LINE] = ""
    account: Annotated[str, Field(max_length=100), LINE] = ""
    reference: Annotated[str, Field(max_length=100), LINE] = ""
    text: Annotated[str, Field(max_length=100), LINE] = ""


class FaultOut(Schema):
    line: int
    reason: str


class StatementOut(Schema):
    id: int
    name: str
    new_rows: int
    known_rows: int
    faults: list[FaultOut]


class RowFilter(Page):
    status: RowState | None = None
    institution: Id | None = None


class MatchSuggestionOut(Schema):
    enterprise: int
    parts: list[TransferPartOut]
    rest: str
    score: int
    reasons: list[str]


class RowOut(Schema):
    """``sure``: the first suggestion may be confirmed without a look."""

    id: int
    status: str
    date: date
    amount: str
    currency: str
    payer: str
    account: str
    reference: str
    text: str
    reason: str
    transfer: int | None
    sure: bool
    suggestions: list[MatchSuggestionOut]


class RowList(Schema):
    items: list[RowOut]
    count: int


class MatchIn(In):
    """Without parts ``enterprise`` says whose credit the money is."""

    parts: list[PartIn] = Field(default_factory=list, max_length=100)
    enterprise: Id | None = None
    keep_rest: bool = False


class SetAsideIn(In):
    reason: Annotated[str, Field(min_length=1, max_length=200), LINE]


class LedgerIn(In):
    institution: Id | None = None


class MatchedOut(Schema):
    matched: int
    refused: list[str]


def statement_out(statement: BankStatement) -> dict[str, Any]:
    return {
        "id": statement.pk,
        "name": statement.name,
        "new_rows": statement.new_rows,
        "known_rows": statement.known_rows,
        "faults": [{"line": line, "reason": reason} for line, reason in statement.faults],
    }


def row_out(found: Matching, numbers: dict[int, str]) -> dict[str, Any]:
    row = found.row
    kept = ("date", "currency", "payer", "account", "reference", "text", "reason")
    return {
        "id": row.pk,
        "status": row.state,
        "amount": format_amount(row.amount),
        "transfer": row.transfer_id,
        "sure": found.sure,
        **{name: getattr(row, name) for name in kept},
        "suggestions": [
            {
                "enterprise": one.customer,
                "parts": [
                    {"invoice": pk, "number": numbers[pk], "amount": format_amount(part), "reversed": False}
                    for pk, part in one.parts
                ],
                "rest": format_amount(one.rest),
                "score": one.score,
                "reasons": list(one.reasons),
            }
            for one in found.suggestions
        ],
    }
