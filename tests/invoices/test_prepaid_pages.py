"""Pages and API of prepaid accounts, spending rules, budgets and the organisation's own money."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from backend.accounts.models import Role, User
from booking.models import Booking, SpendingRequest, Status
from invoices.models import Budget, PrepaidAccount, PrepaidEntry, PrepaidTerms, SpendingRule
from tests.booking.lab import Lab, browser, html
from tests.factories import make_charge, make_line, make_member
from tests.invoices.test_prepaid import Prepaid

pytestmark = pytest.mark.django_db
TODAY = "2026-11-24"


@pytest.fixture(autouse=True)
def _clock(time_machine: Any) -> None:
    time_machine.move_to("2026-11-24T01:00:00Z", tick=False)


def send(user: User, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    return getattr(browser(user), method)(f"/api/v1{path}", body or {}, content_type="application/json")


def test_finance_opens_an_account_records_money_and_takes_it_back() -> None:
    lab = Lab()
    finance = browser(make_member(lab.institution, Role.FINANCE))

    assert "No prepaid account here" in html(finance.get("/finance/prepaid/"))
    opened = finance.post("/finance/prepaid/open/", {"customer": "示例新材料"})
    account = PrepaidAccount.objects.get()
    assert opened["Location"] == f"/prepaid/{account.pk}/"
    wrong = finance.post(f"/prepaid/{account.pk}/top-up/", {"amount": "x", "date": TODAY, "reference": "T1"})
    assert wrong.status_code == 422
    finance.post(f"/prepaid/{account.pk}/top-up/", {"amount": "500.00", "date": TODAY, "reference": "T1"})
    finance.post(f"/prepaid/{account.pk}/refund/", {"amount": "200.00", "date": TODAY, "reference": "R1"})
    paid_out = PrepaidEntry.objects.get(kind="refund")
    finance.post(f"/prepaid/{account.pk}/entries/{paid_out.pk}/reverse/", {"reason": "bounced"})

    account.refresh_from_db()
    assert account.balance == Decimal("500.00")
    page = html(finance.get(f"/prepaid/{account.pk}/"))
    assert "¥500.00" in page
    assert "bounced" in page
    too_much = finance.post(f"/prepaid/{account.pk}/refund/", {"amount": "500.01", "date": TODAY, "reference": "R2"})
    assert too_much.status_code == 409


def test_the_customer_reads_its_statement_and_records_nothing() -> None:
    lab = Prepaid("300.00")
    lab.book(9, 12)
    boss = browser(lab.boss)
    path = f"/prepaid/{lab.account.pk}/"

    page = html(boss.get(path))
    assert "Record a top-up" not in page
    assert "¥300.00" in page
    assert boss.post(f"{path}top-up/", {"amount": "1", "date": TODAY, "reference": "x"}).status_code == 403
    assert browser(lab.engineer).get(path).status_code == 404
    assert browser(lab.stranger).get(path).status_code == 404


def test_the_statement_as_tables() -> None:
    lab = Prepaid("300.00")
    lab.book(9, 12)
    boss = browser(lab.boss)

    text = b"".join(boss.get(f"/prepaid/{lab.account.pk}/entries.csv").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["Kind"], row["Amount"], row["Frozen"], row["Balance"]) for row in rows] == [
        ("Top-up", "300.00", "0.00", "300.00"),
        ("Frozen", "0.00", "300.00", "300.00"),
    ]
    content = b"".join(boss.get(f"/prepaid/{lab.account.pk}/entries.xlsx").streaming_content)  # type: ignore[attr-defined]
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert [row[2] for row in sheet.iter_rows(min_row=2, values_only=True)] == [300, 0]


def test_terms_are_set_by_finance_or_an_administrator() -> None:
    lab = Lab()
    admin = browser(make_member(lab.institution, Role.ADMIN))

    assert admin.post("/finance/prepaid/terms/", {"kind": "percent", "percent": "30"}).status_code == 302
    single = {"what": "instrument", "instrument": lab.instrument.pk, "kind": "fixed", "amount": "50"}
    assert admin.post("/finance/prepaid/terms/", single).status_code == 302
    lab.institution.refresh_from_db()
    assert lab.institution.asks_prepaid
    assert admin.post("/finance/prepaid/terms/", {"kind": "fixed"}).status_code == 422
    own = PrepaidTerms.objects.get(instrument=lab.instrument)
    admin.post(f"/finance/prepaid/terms/{own.pk}/delete/")
    admin.post("/finance/prepaid/terms/", {"kind": "none"})
    lab.institution.refresh_from_db()
    assert not lab.institution.asks_prepaid
    assert browser(lab.manager).get("/finance/prepaid/terms/").status_code == 403


def test_the_live_check_says_what_is_missing_and_what_would_be_frozen() -> None:
    lab = Prepaid("300.00")
    slot = {"instrument": lab.instrument.pk, "start": "2026-12-01T09:00:00+08:00", "mode": "self"}

    good = send(lab.engineer, "post", "/bookings/check", {**slot, "end": "2026-12-01T12:00:00+08:00"}).json()
    assert good["prepaid"] == {
        "account": lab.account.pk, "frozen": "300.00", "available": "300.00", "missing": "0.00",
    }  # fmt: skip
    assert good["notices"][0].startswith("¥300.00 is frozen on your prepaid account")
    bad = send(lab.engineer, "post", "/bookings/check", {**slot, "end": "2026-12-01T13:00:00+08:00"}).json()
    [refusal] = bad["refusals"]
    assert (refusal["code"], refusal["params"]["missing"]) == ("balance_too_low", "100.00")
    assert "¥100.00 is missing" in refusal["fix_text"]


def test_the_whole_of_an_account_through_the_api() -> None:
    lab = Lab()
    finance = make_member(lab.institution, Role.FINANCE)
    body = {"institution": lab.institution.pk, "customer": "示例新材料"}
    account = send(finance, "post", "/prepaid-accounts", body).json()
    path = f"/prepaid-accounts/{account['id']}"
    money = {"amount": "500.00", "date": TODAY, "reference": "T1"}

    entry = send(finance, "post", f"{path}/top-ups", money).json()
    assert (entry["kind"], entry["balance_after"]) == ("top_up", "500.00")
    assert send(finance, "post", f"{path}/top-ups", money).status_code == 409
    refused = send(finance, "post", f"{path}/refunds", {**money, "amount": "500.01"}).json()
    assert [each["code"] for each in refused["errors"]] == ["balance_too_low"]
    assert send(finance, "post", f"{path}/entries/{entry['id']}/reverse", {"reason": "x"}).status_code == 201
    assert send(lab.boss, "get", path).json()["balance"] == "0.00"
    assert send(lab.boss, "get", f"{path}/entries").json()["count"] == 2
    assert send(lab.boss, "post", f"{path}/top-ups", money).status_code == 403
    assert send(lab.stranger, "get", path).status_code == 404
    terms = {"kind": "percent", "percent": "20.00"}
    assert send(finance, "put", f"/institutions/{lab.institution.pk}/prepaid-terms", terms).json()["version"] == 1
    stale = send(finance, "put", f"/institutions/{lab.institution.pk}/prepaid-terms", {**terms, "version": 0})
    assert stale.status_code == 412


def test_an_administrator_writes_a_rule_and_agrees_on_the_page() -> None:
    lab = Lab()
    boss = browser(lab.boss)

    assert "No rules" in html(boss.get("/money/spending/"))
    assert boss.post("/money/spending/", {"kind": "over", "approvers": ["admin"]}).status_code == 422
    boss.post("/money/spending/", {"kind": "over", "amount": "250", "approvers": ["admin"]})
    lab.enterprise.refresh_from_db()
    first, second = lab.book(9, 12), lab.book(13, 16)
    assert "Asks above ¥250.00 a booking" in html(boss.get("/money/spending/"))
    assert html(boss.get("/spending/")).count("Fracture surfaces") == 2
    engineer = html(browser(lab.engineer).get(f"/bookings/{first.pk}/"))
    assert "to agree to the price" in engineer

    asked = SpendingRequest.objects.order_by("pk")
    boss.post(f"/spending/{asked[0].pk}/approve/")
    assert boss.post(f"/spending/{asked[1].pk}/reject/", {"reason": ""}).status_code == 422
    boss.post("/spending/reject/", {"pick": [asked[1].pk], "reason": "too dear"})

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (Status.CONFIRMED, Status.REJECTED)
    assert "Nothing waits for your agreement" in html(boss.get("/spending/"))
    rule = SpendingRule.objects.get()
    boss.post(f"/money/spending/{rule.pk}/delete/")
    assert not SpendingRule.objects.exists()
    assert browser(lab.engineer).get("/spending/").status_code == 404
    assert browser(lab.engineer).get("/money/spending/").status_code == 403


def test_agreeing_through_the_api() -> None:
    lab = Lab()
    rules = f"/organisations/{lab.enterprise.pk}/spending-rules"
    rule = send(lab.boss, "put", rules, {"kind": "always", "approvers": ["admin"]}).json()
    lab.enterprise.refresh_from_db()
    lab.book(9, 12)
    lab.book(13, 16)

    shown = send(lab.engineer, "get", f"/bookings/{Booking.objects.earliest('pk').pk}").json()
    assert (shown["status"], shown["awaiting"]) == ("requested", "customer")
    first, second = (row["id"] for row in send(lab.boss, "get", "/spending-requests").json()["items"])
    assert send(lab.boss, "post", f"/spending-requests/{first}/approve").json()["status"] == "approved"
    decided = {"requests": [first, second], "approve": False, "reason": "no"}
    answers = send(lab.boss, "post", "/spending-requests/decide", decided).json()
    assert [(row["status"], [r["code"] for r in row["refusals"]]) for row in answers] == [
        ("approved", ["wrong_status"]),
        ("rejected", []),
    ]
    assert send(lab.engineer, "get", "/spending-requests").json()["count"] == 0
    assert send(lab.boss, "delete", f"/spending-rules/{rule['id']}").status_code == 204
    assert send(lab.engineer, "get", rules).status_code == 403


def test_a_leader_sets_the_budget_of_their_project_only() -> None:
    lab = Lab()
    leader = make_member(lab.enterprise)
    mine = lab.enterprise.projects.create(code="P1", name="Alloys", leader=leader)
    other = lab.enterprise.projects.create(code="P2", name="Glass")
    body = {"amount": "1000", "period": "year", "warn_percent": "80", "stop": "on"}

    assert browser(leader).post(f"/money/budgets/{mine.pk}/", body).status_code == 302
    assert browser(leader).post(f"/money/budgets/{other.pk}/", body).status_code == 403
    assert browser(lab.stranger).get(f"/money/budgets/{mine.pk}/").status_code == 404
    page = html(browser(leader).get("/money/budgets/"))
    assert "Alloys" in page
    assert "Glass" not in page
    assert Budget.objects.get().stop
    browser(lab.boss).post(f"/money/budgets/{other.pk}/", {**body, "leader": leader.pk})
    other.refresh_from_db()
    assert other.leader_id == leader.pk
    shown = send(lab.boss, "get", f"/organisations/{lab.enterprise.pk}/budgets").json()
    assert [(row["project"]["name"], row["left"]) for row in shown] == [
        ("P1 Alloys", "1000.00"),
        ("P2 Glass", "1000.00"),
    ]


def test_the_own_money_page_by_role() -> None:
    lab = Prepaid("300.00")
    project = lab.enterprise.projects.create(code="P1", name="Alloys")
    lab.book(9, 12)
    make_charge(lab.enterprise, make_line("40.00"), institution=lab.institution, project_id=project.pk)

    boss = html(browser(lab.boss).get("/money/"))
    assert "Prepaid account" in boss
    assert "Open quotes" in boss
    assert "¥340.00" in boss
    assert "P1 Alloys" in boss
    narrowed = html(browser(lab.boss).get(f"/money/?project={project.pk}"))
    assert "¥40.00" in narrowed
    engineer = html(browser(lab.engineer).get("/money/"))
    assert "Prepaid account" not in engineer
    assert "P1 Alloys" not in engineer
    assert "Nothing here in this year" in html(browser(lab.stranger).get("/money/"))
    table = b"".join(browser(lab.boss).get("/money/figures.csv?state=final").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["Month or project"], row["Total"]) for row in rows if row["Total"] != "0.00"] == [
        ("2026-12", "40.00"),
        ("P1 Alloys", "40.00"),
    ]
