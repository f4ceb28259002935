"""``manage.py issue_invoices``."""

from __future__ import annotations

import io
from datetime import date

import pytest
from django.core.management import CommandError, call_command

from backend.accounts.models import Role
from invoices import rules
from invoices.models import Charge, ChargeState, Invoice
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member

pytestmark = pytest.mark.django_db


def run(**options: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("issue_invoices", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_it_issues_everything_of_a_month_once() -> None:
    one, two = make_institution(code="a"), make_institution(code="b")
    for institution in (one, two):
        make_member(institution, Role.FINANCE)
        for _ in range(2):
            make_charge(make_enterprise(), institution=institution)
    make_charge(make_enterprise(), make_line("5.00"), institution=one, currency="USD")
    later = make_charge(make_enterprise(), institution=one, service_date=date(2027, 1, 1))

    out, err = run(period="2026-12")
    again, _err = run(period="2026-12")

    assert out.splitlines()[-1] == "2026-12: 5 issued (CNY 400.00, USD 5.00), 0 refused"
    assert again.splitlines() == ["2026-12: 0 issued (nothing), 0 refused"]
    assert err == ""
    assert Charge.objects.filter(state=ChargeState.FINAL).get() == later
    assert sorted(Invoice.objects.filter(institution=one).values_list("sequence", flat=True)) == [1, 2, 3]


def test_it_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    institution = make_institution()
    make_member(institution, Role.FINANCE)
    for _ in range(3):
        make_charge(make_enterprise(), institution=institution)
    from invoices.management.commands import issue_invoices as command

    issue, done = command.issue_invoice, []

    def stop_at_the_second(**given: object) -> Invoice:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return issue(**given)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "issue_invoice", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(period="2026-12")
    monkeypatch.undo()
    out, _err = run(period="2026-12")

    assert out.splitlines()[-1] == "2026-12: 2 issued (CNY 200.00), 0 refused"
    assert sorted(Invoice.objects.values_list("sequence", flat=True)) == [1, 2, 3]


def test_what_does_not_fit_one_document_becomes_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_LINES", 2)
    institution, customer = make_institution(), make_enterprise()
    make_member(institution, Role.FINANCE)
    for _ in range(5):
        make_charge(customer, institution=institution)

    out, _err = run(period="2026-12")

    assert out.splitlines()[-1] == "2026-12: 3 issued (CNY 500.00), 0 refused"


def test_a_refusal_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_LINES", 1)
    institution = make_institution()
    make_member(institution, Role.FINANCE)
    make_charge(make_enterprise(), make_line(), make_line(code="b"), institution=institution)
    make_charge(make_enterprise(), institution=institution)

    out, err = run(period="2026-12")

    assert out.splitlines()[-1] == "2026-12: 1 issued (CNY 100.00), 1 refused"
    assert "This has 2 lines" in err


def test_one_institution_and_a_named_issuer() -> None:
    chosen, other = make_institution(code="a"), make_institution()
    for institution in (chosen, other):
        make_charge(make_enterprise(), institution=institution)
    issuer = make_member(chosen, Role.ADMIN)

    run(period="2026-12", institution="a", user=issuer.email)

    invoice = Invoice.objects.get()
    assert (invoice.institution, invoice.issued_by) == (chosen, issuer)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"period": "2026-13"}, "not a month"),
        ({"period": "2026-12", "institution": "zz"}, "no institution with the code"),
        ({"period": "2026-12", "user": "nobody@example.org"}, "no person with the address"),
        ({"period": "2026-12"}, "nobody in finance"),
    ],
)
def test_mistakes_are_named(options: dict[str, str], says: str) -> None:
    make_charge()

    with pytest.raises(CommandError, match=says):
        run(**options)
