"""Reading what stands behind wishes: one query, and none where neither institution nor customer has anything of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    BooleanField,
    DecimalField,
    F,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Coalesce

from backend.core.money import ZERO, round_half_up
from backend.core.prepared import DAY, Given, Prepared, among
from invoices.models import Budget, BudgetPeriod, Charge, PrepaidAccount, PrepaidTerms, SpendingRule
from invoices.queries.means import NO_MEANS, Account, Allowance, Means, Party, Rule, Standing, Terms, asks


def read_means(parties: Iterable[Party], day: date, *, changing: tuple[str, UUID] | None = None) -> Means:
    """One query, none where nobody asks; ``changing`` names the source of a charge that is to change, one more.

    Yearly budgets are those of the year of ``day``.
    """
    asked = [party for party in parties if asks(party)]
    if not asked:
        return NO_MEANS
    first, last = date(day.year, 1, 1), date(day.year, 12, 31)
    prepaid = [party for party in asked if party.institution.asks_prepaid]
    ruled = [party for party in asked if party.customer.rules_spending]
    rows = _MEANS.rows(
        institutions=sorted({party.institution.pk for party in prepaid}),
        instruments=sorted({party.instrument_id for party in prepaid}),
        holders=sorted({party.customer.pk for party in prepaid}),
        customers=sorted({party.customer.pk for party in ruled}),
        projects=sorted({party.project_id for party in ruled if party.project_id is not None}),
        first=first,
        last=last,
    )
    found = replace(_means(rows), day=day)
    standing = _standing(*changing) if changing else None
    return found.without(standing) if standing else found


def _standing(source: str, uid: UUID) -> Standing | None:
    rows = Charge.objects.filter(source=source, source_uid=uid)
    row = rows.values_list("account_id", "frozen", "project_id", "total", "service_date").first()
    return Standing(*row) if row else None


def _means(rows: Iterable[tuple[Any, ...]]) -> Means:
    terms, accounts, rules, allowances = [], [], [], []
    for what, pk, owner, group, project, word, more, number, other, flag in rows:
        if what == "terms":
            terms.append(Terms(owner, pk, word, _money(number), _money(other), bool(flag)))
        elif what == "account":
            accounts.append(Account(pk, owner, group, project, word, _money(number) or ZERO))
        elif what == "rule":
            rules.append(Rule(owner, pk, project, group, word, _money(number), tuple(json.loads(more))))
        else:
            yearly = more == BudgetPeriod.YEAR
            amount, used = _money(number) or ZERO, _money(other) or ZERO
            allowances.append(Allowance(project, amount, word, yearly, bool(flag), group, used))
    return Means(terms, accounts, rules, allowances)


def _money(value: Any) -> Decimal | None:
    return None if value is None else round_half_up(Decimal(str(value)))


_MONEY = DecimalField(max_digits=14, decimal_places=2)
_ID = BigIntegerField(null=True)
_COLUMNS = ("what", "a", "b", "c", "d", "word", "more", "number", "other", "flag")


def _row(rows: QuerySet[Any], what: str, **columns: Any) -> QuerySet[Any, Any]:
    """One shape for all four kinds of rows."""
    empty = {
        **dict.fromkeys(("a", "b", "c", "d"), Cast(Value(None), _ID)),
        **dict.fromkeys(("word", "more"), Cast(Value(""), TextField())),
        **dict.fromkeys(("number", "other"), Cast(Value(None), _MONEY)),
        "flag": Value(False, BooleanField()),
    }
    named = {"what": Cast(Value(what), TextField()), **empty, **columns}
    found: QuerySet[Any, Any] = rows.order_by().annotate(**named).values_list(*_COLUMNS)
    return found


def _all() -> QuerySet[Any, Any]:
    terms = PrepaidTerms.objects.filter(among("institution", "institutions"))
    # Nulls are no ids, so the institution's own row is looked for by itself.
    own, single = _terms(terms.filter(instrument=None)), _terms(terms.filter(among("instrument", "instruments")))
    found: QuerySet[Any, Any] = own.union(single, _accounts(), _rules(), _budgets(), all=True)
    return found


def _terms(rows: QuerySet[PrepaidTerms]) -> QuerySet[Any, Any]:
    return _row(
        rows,
        "terms",
        a=F("instrument_id"),
        b=F("institution_id"),
        word=_text("kind"),
        number=Cast("percent", _MONEY),
        other=F("amount"),
        flag=F("inside"),
    )


def _accounts() -> QuerySet[Any, Any]:
    return _row(
        PrepaidAccount.objects.filter(among("institution", "institutions"), among("customer", "holders")),
        "account",
        a=F("pk"),
        b=F("institution_id"),
        c=F("group_id"),
        d=F("project_id"),
        word=_text("currency"),
        number=Cast(F("balance") - F("frozen"), _MONEY),
    )


def _rules() -> QuerySet[Any, Any]:
    return _row(
        SpendingRule.objects.filter(among("organisation", "customers")),
        "rule",
        a=F("person_id"),
        b=F("organisation_id"),
        c=F("group_id"),
        d=F("project_id"),
        word=_text("kind"),
        more=Cast("approvers", TextField()),
        number=F("amount"),
    )


def _budgets() -> QuerySet[Any, Any]:
    return _row(
        Budget.objects.filter(among("project", "projects")),
        "budget",
        c=Cast("warn_percent", _ID),
        d=F("project_id"),
        word=_text("currency"),
        more=_text("period"),
        number=F("amount"),
        other=Coalesce(_charged(), Value(ZERO, _MONEY)),
        flag=F("stop"),
    )


def _text(column: str) -> Cast:
    return Cast(column, TextField())


def _charged() -> Subquery:
    """What the budget's project has been charged with in its period and currency."""
    mine = Charge.objects.filter(project=OuterRef("project"), currency=OuterRef("currency"))
    within = {"service_date__gte": Given("first", DAY), "service_date__lte": Given("last", DAY)}
    yearly = mine.filter(**within) | mine.filter(project__budget__period=BudgetPeriod.EVER)
    return Subquery(yearly.order_by().values("project").annotate(sum=Sum("total")).values("sum"), output_field=_MONEY)


_MEANS = Prepared(_all)
