"""Pure decisions of the ledger."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices import rules
from invoices.rules import Line

CENTS = st.integers(min_value=0, max_value=10**12).map(lambda n: Decimal(n) / 100)
PERCENTS = st.integers(min_value=0, max_value=10_000).map(lambda n: Decimal(n) / 100)


@given(amount=CENTS, percent=PERCENTS, included=st.booleans())
def test_net_and_tax_are_the_total(amount: Decimal, percent: Decimal, included: bool) -> None:
    split = rules.split_tax(amount, percent, included=included)

    assert split.net + split.tax == split.total
    assert (split.total if included else split.net) == amount
    assert all(value == value.quantize(Decimal("0.01")) and value >= 0 for value in split)
    exact = Fraction(split.net) * Fraction(percent) / 100
    assert abs(Fraction(split.tax) - exact) <= Fraction(1, 100)


@pytest.mark.parametrize(
    ("amount", "percent", "included", "expected"),
    [
        ("106.00", "6", True, ("100.00", "6.00", "106.00")),
        ("100.00", "6", False, ("100.00", "6.00", "106.00")),
        ("100.00", "6", True, ("94.34", "5.66", "100.00")),
        ("0.01", "6", True, ("0.01", "0.00", "0.01")),
        ("1445.00", "1", True, ("1430.69", "14.31", "1445.00")),
        ("99.99", "0", False, ("99.99", "0.00", "99.99")),
        ("0.25", "6", False, ("0.25", "0.02", "0.27")),
    ],
)
def test_known_splits(amount: str, percent: str, included: bool, expected: tuple[str, str, str]) -> None:
    split = rules.split_tax(Decimal(amount), Decimal(percent), included=included)

    assert tuple(str(value) for value in split) == expected


def test_a_line_is_posted_with_four_places() -> None:
    line = Line("time", "机时费\0", Fraction(23, 3), "小时", Fraction(1, 3), Decimal("2.56"), "w\0hy")

    posted = rules.as_posted(line)

    assert posted == Line("time", "机时费", Decimal("7.6667"), "小时", Decimal("0.3333"), Decimal("2.56"), "why")


def test_texts_are_cut_to_their_columns() -> None:
    posted = rules.as_posted(Line("c" * 50, "n" * 130, None, "u" * 30, None, Decimal(1)))

    assert (len(posted.code), len(posted.name), len(posted.unit)) == (40, 120, 20)
    assert posted.name.endswith("…")


def test_an_amount_with_fractions_of_a_cent_is_an_error() -> None:
    with pytest.raises(ValueError, match="more than two decimals"):
        rules.as_posted(Line("time", "x", None, "", None, Decimal("1.005")))


def test_a_reversal_takes_all_back() -> None:
    back = rules.reversal(Line("time", "x", Decimal(2), "h", Decimal(5), Decimal("10.00"), "why"))

    assert back == Line("time", "x", Decimal(-2), "h", Decimal(5), Decimal("-10.00"), "why")
    assert str(rules.reversal(Line("time", "x", None, "", None, Decimal("0.00"))).amount) == "0.00"


@pytest.mark.parametrize(
    ("stored", "due", "total", "paid", "expected"),
    [
        ("draft", None, "0.00", "0.00", "draft"),
        ("issued", date(2026, 12, 2), "100.00", "0.00", "open"),
        ("issued", date(2026, 12, 1), "100.00", "0.00", "open"),
        ("issued", date(2026, 11, 30), "100.00", "0.00", "overdue"),
        ("issued", None, "100.00", "0.00", "open"),
        ("issued", date(2026, 12, 1), "100.00", "99.99", "part_paid"),
        ("issued", date(2026, 11, 30), "100.00", "99.99", "overdue"),
        ("issued", date(2026, 11, 30), "100.00", "100.00", "paid"),
        ("issued", None, "-100.00", "0.00", "issued"),  # a credit note
        ("credited", date(2026, 11, 30), "100.00", "0.00", "credited"),
    ],
)
def test_status_follows_payments_and_the_due_date(
    stored: str, due: date | None, total: str, paid: str, expected: str
) -> None:
    shown = rules.status_of(stored, due, date(2026, 12, 1), total=Decimal(total), paid=Decimal(paid))

    assert shown == expected


@pytest.mark.parametrize(
    ("number", "expected"), [("12.50", "-12.50"), ("-12.50", "12.50"), ("0.00", "0.00"), ("", ""), ("0", "0")]
)
def test_the_opposite_of_a_printed_number(number: str, expected: str) -> None:
    assert rules.negated(number) == expected


def test_months() -> None:
    assert rules.last_day("2028-02") == date(2028, 2, 29)
    assert rules.first_day("2026-12") == date(2026, 12, 1)
    assert rules.neighbour("2026-12", 1) == "2027-01"
    assert rules.neighbour("2026-01", -1) == "2025-12"
    assert rules.period_of(date(2026, 3, 5)) == "2026-03"
    assert rules.due_date(date(2026, 12, 5)) == date(2027, 1, 4)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "26-01", "2026-1", "", "2026-01\n", "２０２６-01", "1999-01"])
def test_what_is_not_a_month(text: str) -> None:
    assert not rules.is_period(text)
    with pytest.raises(ValueError, match="not a month"):
        rules.last_day(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("26152000000012345678", "26152000000012345678"),
        (" 2615 2000 0000 1234 5678 ", "26152000000012345678"),
        ("２６１５２０００００００１２３４５６７８", "26152000000012345678"),
        ("2615200000001234567", None),
        ("261520000000123456789", None),
        ("2615200000001234567X", None),
        ("٢٦١٥٢٠٠٠٠٠٠٠١٢٣٤٥٦٧٨", None),
        ("", None),
        ("2615200000001234567\0", None),
    ],
)
def test_fapiao_numbers(text: str, expected: str | None) -> None:
    assert rules.fapiao_number(text) == expected


def test_one_content_has_one_digest() -> None:
    assert rules.digest({"b": "机", "a": [1, {"d": 1, "c": 2}]}) == rules.digest(
        {"a": [1, {"c": 2, "d": 1}], "b": "机"}
    )
    assert rules.canonical({"b": "机", "a": 1}) == '{"a":1,"b":"机"}'.encode()


@pytest.mark.parametrize(
    ("number", "quantity", "price", "grouped"),
    [
        (None, "", "", ""),
        (Decimal("1.5000"), "1.5", "1.50", "1.5"),
        (Decimal("1200.0000"), "1200", "1200.00", "1,200"),
        (Decimal("0.3333"), "0.3333", "0.3333", "0.3333"),
        (Decimal("-2.0000"), "-2", "-2.00", "-2"),
    ],
)
def test_numbers_for_readers(number: Decimal | None, quantity: str, price: str, grouped: str) -> None:
    assert rules.plain_number(number) == quantity
    assert rules.plain_price(number) == price
    assert rules.grouped(quantity) == grouped
