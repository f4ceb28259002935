"""What stands behind a wish that costs money: prepaid accounts, the customer's own rules for spending, and budgets.

Values and pure decisions; `invoices.queries.reading_means` asks the database for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from backend.accounts.models import Organisation
from backend.core.errors import Refusal
from backend.core.money import ZERO, format_amount, round_half_up, shown_amount
from invoices.models import PrepaidKind, SpendingKind


@dataclass(frozen=True, slots=True)
class Party:
    """Who wants to spend, and with whom; ``user_id`` is who will use it."""

    institution: Organisation
    instrument_id: int
    customer: Organisation
    user_id: int
    group_id: int | None = None
    project_id: int | None = None

    @property
    def inside(self) -> bool:
        return self.customer.pk == self.institution.pk


@dataclass(frozen=True, slots=True)
class Terms:
    institution_id: int
    instrument_id: int | None
    kind: str
    percent: Decimal | None
    amount: Decimal | None
    inside: bool

    def demand(self, total: Decimal) -> Decimal:
        """What must be frozen for something that costs ``total``."""
        if total <= 0:
            return ZERO
        if self.kind == PrepaidKind.FULL:
            return total
        if self.kind == PrepaidKind.PERCENT and self.percent is not None:
            return round_half_up(total * self.percent / 100)
        return self.amount if self.kind == PrepaidKind.FIXED and self.amount is not None else ZERO


@dataclass(frozen=True, slots=True)
class Account:
    pk: int
    institution_id: int
    group_id: int | None
    project_id: int | None
    currency: str
    available: Decimal


@dataclass(frozen=True, slots=True)
class Rule:
    """A customer's rule; ``limit`` for those above an amount."""

    customer_id: int
    person_id: int | None
    project_id: int | None
    group_id: int | None
    kind: str
    limit: Decimal | None
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowance:
    """A project's budget and what it has been charged with in the year of ``day``, or ever."""

    project_id: int
    amount: Decimal
    currency: str
    yearly: bool
    stop: bool
    warn_percent: int
    used: Decimal

    @property
    def left(self) -> Decimal:
        return self.amount - self.used

    @property
    def warns_at(self) -> Decimal:
        return self.amount * self.warn_percent / 100


@dataclass(frozen=True, slots=True)
class Hold:
    """What is to be frozen on an account; without an account nothing is available.

    With ``as_far_as`` it goes, less is enough: for what was booked before and has not become dearer.
    """

    amount: Decimal
    currency: str
    account_id: int | None = None
    available: Decimal = ZERO
    as_far_as: bool = False

    @property
    def missing(self) -> Decimal:
        return max(self.amount - self.available, ZERO)


@dataclass(frozen=True, slots=True)
class Need:
    """Whose agreement the customer wants; ``limit`` is the amount from the rule, None where it always asks."""

    approvers: tuple[str, ...]
    limit: Decimal | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a thing that is changed holds already: that is free for its new price."""

    account_id: int | None
    frozen: Decimal
    project_id: int | None
    total: Decimal
    day: date


@dataclass(frozen=True, slots=True)
class Means:
    terms: Sequence[Terms] = ()
    accounts: Sequence[Account] = ()
    rules: Sequence[Rule] = ()
    allowances: Sequence[Allowance] = ()
    day: date | None = None
    standing: Standing | None = field(default=None)

    def hold(self, party: Party, currency: str, total: Decimal) -> Hold | None:
        """None where nothing is asked of the party."""
        terms = self._terms(party)
        needed = terms.demand(total) if terms and (terms.inside or not party.inside) else ZERO
        if needed <= 0:
            return None
        account = self._account(party, currency)
        return Hold(needed, currency, account.pk, account.available) if account else Hold(needed, currency)

    def _terms(self, party: Party) -> Terms | None:
        mine = [row for row in self.terms if row.institution_id == party.institution.pk]
        own = next((row for row in mine if row.instrument_id == party.instrument_id), None)
        return own or next((row for row in mine if row.instrument_id is None), None)

    def _account(self, party: Party, currency: str) -> Account | None:
        """The narrowest that there is: the project's, the group's, the customer's."""
        mine = [a for a in self.accounts if (a.institution_id, a.currency) == (party.institution.pk, currency)]
        wanted = [(None, party.project_id), (party.group_id, None), (None, None)]
        fits = (a for names in wanted for a in mine if (a.group_id, a.project_id) == names)
        return next(fits, None)

    def need(self, party: Party, currency: str, total: Decimal) -> Need | None:
        """None where the customer lets it pass. An amount in another currency cannot be compared and is asked about."""
        rule = self._rule(party)
        if rule is None or rule.kind == SpendingKind.NEVER or total <= 0:
            return None
        comparable = currency == party.customer.currency
        if rule.kind == SpendingKind.OVER and comparable and rule.limit is not None and total <= rule.limit:
            return None
        return Need(rule.approvers, rule.limit)

    def _rule(self, party: Party) -> Rule | None:
        mine = [row for row in self.rules if row.customer_id == party.customer.pk]
        wanted = [(party.user_id, None, None), (None, party.project_id, None), (None, None, party.group_id)]
        order = [*wanted, (None, None, None)]
        fits = (row for names in order for row in mine if (row.person_id, row.project_id, row.group_id) == names)
        return next(fits, None)

    def allowance(self, party: Party, currency: str) -> Allowance | None:
        mine = (a for a in self.allowances if (a.project_id, a.currency) == (party.project_id, currency))
        return next(mine, None) if party.project_id is not None else None

    def after(self, party: Party, hold: Hold | None, total: Decimal) -> Means:
        """What is left once this has been booked too."""
        taken, account = (hold.amount, hold.account_id) if hold else (ZERO, None)
        return replace(
            self,
            accounts=[replace(a, available=a.available - taken) if a.pk == account else a for a in self.accounts],
            allowances=[
                replace(a, used=a.used + total) if a.project_id == party.project_id else a for a in self.allowances
            ],
        )

    def without(self, standing: Standing) -> Means:
        """What there would be if the thing that is changed had not been booked."""
        pk, project = standing.account_id, standing.project_id
        counts = self.day is not None and standing.day.year == self.day.year
        return replace(
            self,
            standing=standing,
            accounts=[replace(a, available=a.available + standing.frozen) if a.pk == pk else a for a in self.accounts],
            allowances=[
                replace(a, used=a.used - standing.total) if a.project_id == project and (counts or not a.yearly) else a
                for a in self.allowances
            ],
        )


NO_MEANS = Means()


def asks(party: Party) -> bool:
    """Whether there is anything to read for them; without a query."""
    return party.institution.asks_prepaid or party.customer.rules_spending


def too_low(hold: Hold, institution: str) -> Refusal:
    """Why it cannot be booked: what is missing, and what to do."""
    shown = {
        "needed": shown_amount(hold.amount, hold.currency),
        "available": shown_amount(max(hold.available, ZERO), hold.currency),
        "missing": shown_amount(hold.missing, hold.currency),
        "institution": institution,
    }
    return Refusal(
        "balance_too_low",
        _("%(needed)s must lie on your prepaid account at %(institution)s; %(available)s is available.") % shown,
        params={
            "needed": format_amount(hold.amount),
            "available": format_amount(max(hold.available, ZERO)),
            "missing": format_amount(hold.missing),
            "currency": hold.currency,
        },
        fix_text=_(
            "%(missing)s is missing. Ask your administrator or finance to transfer it to %(institution)s; "
            "you can book once it has been recorded there."
        )
        % shown,
    )
