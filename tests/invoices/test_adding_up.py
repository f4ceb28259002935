"""Whatever order things happen in, the ledger and its documents add up, recomputed here from the bare rows."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
import time_machine

from backend.accounts.models import User
from backend.core.errors import Refused
from invoices.actions.charges import finalise_charges, release_charges, reopen_charges, reserve_charges
from invoices.actions.corrections import correct_charges
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import delete_draft, draft_invoice, issue_invoice
from invoices.actions.payments import record_payment, reverse_payment
from invoices.models import Charge, ChargeState, Invoice, InvoiceKind, InvoiceStatus, TaxRate
from invoices.rules import Line, digest
from tests.factories import make_charge, make_line
from tests.invoices.ledger import Ledger

pytestmark = pytest.mark.django_db

STEPS = 160
CENT = Decimal("0.01")


@pytest.fixture(autouse=True)
def _december() -> Iterator[None]:
    with time_machine.travel("2026-12-15T02:00:00Z", tick=False):
        yield


class Walk:
    """Random actions on one customer's ledger, and what each source should cost in the end."""

    def __init__(self, seed: int) -> None:
        self.rng, self.ledger, self.done = random.Random(seed), Ledger(), Counter[str]()
        self.wanted: dict[uuid.UUID, Decimal] = {}
        self.sources: list[uuid.UUID] = []
        self.user: User = make_charge(self.ledger.customer, institution=self.ledger.institution).user
        rate = {"percent": Decimal(self.rng.choice(["0", "1", "6", "13"])), "included": seed % 2 == 0}
        TaxRate.objects.create(institution=self.ledger.institution, valid_from=date(2026, 1, 1), **rate)

    def lines(self) -> list[Line]:
        amounts = [
            Decimal(self.rng.randint(-500 if nth else 0, 20_000)) * CENT for nth in range(self.rng.randint(0, 3))
        ]
        return [make_line(str(amount), f"item{nth}") for nth, amount in enumerate(amounts)]

    def step(self) -> None:
        acts: list[Callable[[], None]] = [
            *[self.reserve] * 4, *[self.finalise] * 5, *[self.correct] * 4, self.release, self.reopen,
            *[self.draft] * 2, *[self.issue] * 2, self.delete, *[self.credit] * 2, *[self.pay] * 2, self.take_back,
        ]  # fmt: skip
        act = self.rng.choice(acts)
        with suppress(Refused):
            act()
            self.done[act.__name__] += 1

    def reserve(self) -> None:
        self.sources.append(uuid.UUID(int=self.rng.getrandbits(128)))
        reserve_charges(
            source="booking",
            source_uid=self.sources[-1],
            institution_id=self.ledger.institution.pk,
            customer_id=self.ledger.customer.pk,
            project_id=None,
            user_id=self.user.pk,
            subject="x",
            service_date=date(2026, self.rng.randint(9, 12), 5),
            price_list="x",
            currency=self.rng.choice(["CNY", "CNY", "USD"]),
            lines=self.lines(),
        )

    def source(self) -> uuid.UUID:
        if not self.sources:
            self.reserve()
        return self.rng.choice(self.sources)

    def finalise(self) -> None:
        uid, lines = self.source(), [*self.lines(), make_line("1.00", "floor")]
        finalise_charges(source="booking", source_uid=uid, lines=lines, differences=[])
        self.wanted[uid] = sum((line.amount for line in lines), Decimal(0))

    def correct(self) -> None:
        uid, lines = self.source(), self.lines()
        if uid in self.wanted:
            correct_charges(
                source="booking",
                source_uid=uid,
                correction_uid=uuid.UUID(int=self.rng.getrandbits(128)),
                lines=lines,
                differences=[],
                service_date=date(2026, 12, 6),
                by_id=None,
            )
            self.wanted[uid] = sum((line.amount for line in lines), Decimal(0))

    def release(self) -> None:
        uid = self.source()
        release_charges(source="booking", source_uid=uid)
        self.wanted.pop(uid, None)

    def reopen(self) -> None:
        uid = self.source()
        charge = reopen_charges(source="booking", source_uid=uid)
        if charge is not None and charge.state == ChargeState.RESERVED:
            self.wanted.pop(uid, None)

    def paper(self, status: str) -> Invoice | None:
        found = list(Invoice.objects.filter(status=status, kind=InvoiceKind.INVOICE).order_by("pk"))
        return self.rng.choice(found) if found else None

    def draft(self) -> None:
        draft_invoice(
            institution_id=self.ledger.institution.pk,
            customer_id=self.ledger.customer.pk,
            period=self.rng.choice(["2026-10", "2026-12"]),
            by=self.ledger.finance,
        )

    def issue(self) -> None:
        if draft := self.paper("draft"):
            issue_invoice(invoice=draft, by=self.ledger.finance)

    def delete(self) -> None:
        if draft := self.paper("draft"):
            delete_draft(invoice=draft, by=self.ledger.finance)

    def credit(self) -> None:
        """Without billing anew, what other statements say of the same source is all that is owed."""
        paper, rebill = self.paper("issued"), self.rng.random() < 0.6
        if paper is None:
            return
        roots = {charge.original_id or charge.pk for charge in paper.charges.all()}
        credit_invoice(invoice=paper, reason="x", by=self.ledger.finance, rebill=rebill)
        for root in Charge.objects.filter(pk__in=roots, source_uid__in=self.wanted) if not rebill else ():
            standing = {"invoice__status": InvoiceStatus.ISSUED, "invoice__kind": InvoiceKind.INVOICE}
            left = [*root.successors.filter(**standing), *Charge.objects.filter(pk=root.pk, **standing)]
            self.wanted[root.source_uid] = sum((charge.total for charge in left), Decimal(0))

    def pay(self) -> None:
        if (paper := self.paper("issued")) and paper.balance:
            amount = self.rng.choice([paper.balance, (paper.balance / 3).quantize(CENT) or paper.balance])
            reference = str(self.rng.random())
            record_payment(
                invoice=paper, amount=amount, date=date(2026, 12, 15), reference=reference, by=self.ledger.finance
            )

    def take_back(self) -> None:
        if (paper := self.paper("issued")) and (payment := paper.payments.filter(reverses=None, reversal=None).first()):
            reverse_payment(payment=payment, reason="x", by=self.ledger.finance)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_ledger_adds_up_whatever_happens(seed: int) -> None:
    walk = Walk(seed)

    for _ in range(STEPS):
        walk.step()

    assert min(walk.done[name] for name in ("finalise", "correct", "issue", "credit", "pay")) > 0
    for charge in Charge.objects.prefetch_related("lines"):
        stage = "reserved" if charge.state == ChargeState.RESERVED else "final"
        assert charge.total == sum((line.amount for line in charge.lines.all() if line.stage == stage), Decimal(0))
    for uid, wanted in walk.wanted.items():
        root = Charge.objects.get(source_uid=uid)
        family = [root, *root.successors.all()]
        owed = sum((one.total for one in family if one.state in (ChargeState.FINAL, ChargeState.INVOICED)), Decimal(0))
        assert owed == wanted, uid
    for paper in Invoice.objects.exclude(status=InvoiceStatus.DRAFT):
        _check_paper(paper)


def _check_paper(paper: Invoice) -> None:
    lines = sum((line.amount for line in paper.lines.all()), Decimal(0))
    assert lines == (paper.total if paper.snapshot["tax"]["included"] else paper.net)
    assert lines == sum((charge.total for charge in paper.charges.all()), Decimal(0))
    assert {charge.currency for charge in paper.charges.all()} <= {paper.currency}
    assert paper.net + paper.tax == paper.total == Decimal(paper.snapshot["total"])
    assert paper.paid == sum((payment.amount for payment in paper.payments.all()), Decimal(0))
    assert paper.snapshot_sha256 == digest(paper.snapshot)
    if paper.credits:
        assert (paper.net, paper.tax, paper.total) == (-paper.credits.net, -paper.credits.tax, -paper.credits.total)


def test_finalising_again_after_a_correction_is_not_taken_for_done() -> None:
    ledger = Ledger()
    charge = ledger.charge("100.00")
    ledger.issue()
    source = {"source": charge.source, "source_uid": charge.source_uid}
    correct_charges(
        **source,
        correction_uid=uuid.uuid4(),
        lines=[make_line("80.00")],
        differences=[],
        service_date=charge.service_date,
        by_id=None,
    )

    with pytest.raises(Refused):
        finalise_charges(**source, lines=[], differences=[])
