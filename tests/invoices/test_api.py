"""The API door: shapes, rights, constant query counts."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from backend.accounts.actions import create_token
from backend.accounts.models import Membership, Organisation, Project, Role, User
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Invoice, TaxRate
from tests.conftest import ApiClient
from tests.factories import DAY, make_charge, make_enterprise, make_institution, make_line, make_member, make_user

pytestmark = pytest.mark.django_db


class World:
    def __init__(self) -> None:
        self.institution: Organisation = make_institution(code="kx")
        self.customer: Organisation = make_enterprise()
        self.finance: User = make_member(self.institution, Role.FINANCE)
        self.admin: User = make_member(self.customer, Role.ADMIN)
        self.payer: User = make_member(self.customer, Role.FINANCE)
        self.member: User = make_member(self.customer)
        TaxRate.objects.create(name="Services", percent=Decimal(6), valid_from=date(2020, 1, 1))

    def charge(self, *lines: Any, **fields: Any) -> Any:
        fields.setdefault("user", self.member)
        return make_charge(self.customer, *lines, institution=self.institution, **fields)

    def draft(self, period: str = "2026-12") -> Invoice:
        return draft_invoice(
            institution_id=self.institution.pk, customer_id=self.customer.pk, period=period, by=self.finance
        )

    def issued(self, period: str = "2026-12") -> Invoice:
        self.charge(service_date=date.fromisoformat(f"{period}-01"))
        return issue_invoice(invoice=self.draft(period), by=self.finance)

    def strangers(self) -> list[User]:
        """Each kind of person who has nothing to do with this ledger."""
        return [
            make_member(make_enterprise(), Role.ADMIN),
            make_member(make_institution(), Role.FINANCE, Role.ADMIN, Role.MANAGER),
            make_member(self.institution, Role.MANAGER, Role.ADMIN),
            make_user(),
        ]


@pytest.fixture
def world() -> World:
    return World()


def test_a_charge_shows_its_lines_and_why(world: World) -> None:
    project = Project.objects.create(organisation=world.customer, code="KY-1", name="x")
    charge = world.charge(
        make_line("120.50", quantity=Decimal("1.5"), unit_price=Decimal("80.3333")), project_id=project.pk
    )

    body = ApiClient(world.admin).get_api("/charges").json()

    assert body == {
        "items": [
            {
                "id": charge.pk,
                "uid": str(charge.uid),
                "status": "final",
                "disputed": False,
                "source": "booking",
                "source_uid": str(charge.source_uid),
                "subject": "扫描电子显微镜",
                "service_date": "2026-12-01",
                "institution": {"id": world.institution.pk, "name": world.institution.name},
                "customer": {"id": world.customer.pk, "name": world.customer.name},
                "project": "KY-1",
                "user": {"id": world.member.pk, "name": world.member.name},
                "price_list": "Simple v1",
                "currency": "CNY",
                "reserved_total": "120.50",
                "total": "120.50",
                "differences": [],
                "invoice": None,
                "voucher": None,
                "lines": [
                    {
                        "id": charge.lines.get(stage="final").pk,
                        "code": "time",
                        "description": "机时费",
                        "quantity": "1.5",
                        "unit": "小时",
                        "unit_price": "80.3333",
                        "amount": "120.50",
                        "why": "1 × 120.50 = 120.50",
                    }
                ],
            }
        ],
        "count": 1,
    }


def test_charges_are_filtered(world: World) -> None:
    first = world.charge(service_date=date(2026, 12, 1))
    second = world.charge(service_date=date(2026, 12, 9), final=False)
    other = make_charge(institution=world.institution)

    def ids(**query: Any) -> list[int]:
        return sorted(item["id"] for item in ApiClient(world.finance).get_api("/charges", **query).json()["items"])

    assert ids() == sorted([first.pk, second.pk, other.pk])
    assert ids(organisation=world.customer.pk) == [first.pk, second.pk]
    assert ids(**{"from": "2026-12-02", "to": "2026-12-09"}) == [second.pk]
    assert ids(status="reserved") == [second.pk]


def test_who_sees_which_charges(world: World) -> None:
    of_member = world.charge()
    of_admin = world.charge(user=world.admin)

    seen = {
        who.pk: {item["id"] for item in ApiClient(who).get_api("/charges").json()["items"]}
        for who in (world.finance, world.admin, world.member, *world.strangers())
    }

    both = {of_member.pk, of_admin.pk}
    assert list(seen.values()) == [both, both, {of_member.pk}, set(), set(), set(), set()]


def test_drafting_and_issuing(world: World) -> None:
    world.charge(make_line("106.00"))
    client = ApiClient(world.finance)

    draft = client.post_api(
        "/invoices/draft",
        {"institution": world.institution.pk, "enterprise": world.customer.pk, "period": "2026-12"},
    ).json()
    issued = client.post_api(f"/invoices/{draft['id']}/issue").json()

    assert (draft["status"], draft["number"], draft["net"], draft["tax"]) == ("draft", None, "100.00", "6.00")
    assert (draft["total"], draft["lines"][0]["amount"]) == ("106.00", "106.00")
    assert (issued["status"], issued["total"]) == ("open", "106.00")
    assert issued["number"].startswith("JS-kx-")
    assert issued["lines"][0]["why"] == "1 × 106.00 = 106.00"
    assert client.post_api(f"/invoices/{draft['id']}/issue").status_code == 409


def test_drafting_nothing_is_refused(world: World) -> None:
    world.charge(service_date=date(2027, 1, 1))

    body = {"institution": world.institution.pk, "enterprise": world.customer.pk, "period": "2026-12"}
    response = ApiClient(world.finance).post_api("/invoices/draft", body)

    assert (response.status_code, response.json()["errors"][0]["code"]) == (409, "nothing_to_invoice")


@pytest.mark.parametrize(
    "change",
    [{"period": "2026-13"}, {"institution": "x"}, {"enterprise": 2**40}, {"extra": 1}, {"period": "2026-12\0"}],
)
def test_bad_input_is_named(world: World, change: dict[str, Any]) -> None:
    body = {"institution": world.institution.pk, "enterprise": world.customer.pk, "period": "2026-12", **change}

    response = ApiClient(world.finance).post_api("/invoices/draft", body)

    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")
    assert response.json()["errors"][0]["field"] == next(iter(change))


def test_a_customer_that_was_never_charged_does_not_exist_here(world: World) -> None:
    for enterprise in (make_enterprise().pk, 999_999):
        body = {"institution": world.institution.pk, "enterprise": enterprise, "period": "2026-12"}
        assert ApiClient(world.finance).post_api("/invoices/draft", body).status_code == 404


def test_only_finance_drafts(world: World) -> None:
    world.charge()
    body = {"institution": world.institution.pk, "enterprise": world.customer.pk, "period": "2026-12"}

    codes = [ApiClient(who).post_api("/invoices/draft", body).status_code for who in (world.admin, *world.strangers())]

    # The institution's own manager sees it but lacks the role; to all others its ledger does not exist.
    assert codes == [404, 404, 404, 403, 404]


def test_an_issued_invoice_is_for_finance_and_the_customers_administrators(world: World) -> None:
    invoice = world.issued()

    def codes(path: str) -> list[int]:
        people = (world.finance, world.admin, world.payer, world.member, *world.strangers())
        return [ApiClient(who).get_api(path).status_code for who in people]

    assert codes(f"/invoices/{invoice.pk}") == [200, 200, 200, 404, 404, 404, 404, 404]
    assert codes(f"/invoices/{invoice.pk}/pdf") == [200, 200, 200, 404, 404, 404, 404, 404]
    assert [ApiClient(who).get_api("/invoices").json()["count"] for who in (world.payer, world.member)] == [1, 0]


def test_a_draft_is_for_finance_alone(world: World) -> None:
    world.charge()
    draft = world.draft()

    for who in (world.admin, world.member, *world.strangers()):
        assert ApiClient(who).get_api(f"/invoices/{draft.pk}").status_code == 404
        assert ApiClient(who).post_api(f"/invoices/{draft.pk}/issue").status_code == 404
        assert ApiClient(who).get_api("/invoices").json() == {"items": [], "count": 0}
    assert ApiClient(world.finance).get_api(f"/invoices/{draft.pk}").status_code == 200
    assert ApiClient(world.finance).get_api(f"/invoices/{draft.pk}/pdf").status_code == 409


def test_a_customer_reads_but_does_not_write(world: World) -> None:
    invoice = world.issued()
    client = ApiClient(world.admin)

    assert client.post_api(f"/invoices/{invoice.pk}/issue").status_code == 403
    assert client.post_api(f"/invoices/{invoice.pk}/fapiao", {"number": "26152000000012345678"}).status_code == 403


def test_a_former_member_sees_nothing(world: World) -> None:
    invoice = world.issued()
    Membership.objects.filter(user=world.admin).update(ended_at="2026-12-02T00:00:00Z")

    assert ApiClient(world.admin).get_api(f"/invoices/{invoice.pk}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/charges"),
        ("get", "/invoices"),
        ("get", "/invoices/1"),
        ("get", "/invoices/1/pdf"),
        ("post", "/invoices/draft"),
        ("post", "/invoices/1/issue"),
        ("post", "/invoices/1/fapiao"),
        ("get", "/exports/invoices.csv"),
        ("get", "/exports/invoice-lines.xlsx"),
    ],
)
def test_a_visitor_must_sign_in(method: str, path: str) -> None:
    client = ApiClient()

    response = client.get_api(path) if method == "get" else client.post_api(path, {})

    assert response.status_code == 401


def test_what_does_not_exist_is_not_found(world: World) -> None:
    client = ApiClient(world.finance)

    for path in ("/invoices/999999", "/invoices/999999/pdf", f"/invoices/{10**30}"):
        assert client.get_api(path).status_code == 404


def test_status_is_derived_and_can_be_filtered(world: World) -> None:
    with time_machine.travel("2026-11-02T00:00:00Z"):
        late = world.issued("2026-10")
    with time_machine.travel("2026-12-20T00:00:00Z", tick=False):
        fresh = world.issued("2026-12")
        world.charge()
        draft = world.draft("2026-12")
        client = ApiClient(world.finance)
        found = {
            status: [item["id"] for item in client.get_api("/invoices", status=status).json()["items"]]
            for status in ("draft", "open", "overdue", "issued", "credited")
        }
        assert client.get_api("/invoices", status="nonsense").status_code == 422
        assert client.get_api(f"/invoices/{late.pk}").json()["status"] == "overdue"

    assert found == {
        "draft": [draft.pk],
        "open": [fresh.pk],
        "overdue": [late.pk],
        "issued": [fresh.pk, late.pk],
        "credited": [],
    }


def test_invoices_are_filtered(world: World) -> None:
    october, december = world.issued("2026-10"), world.issued("2026-12")
    client = ApiClient(world.finance)

    def ids(**query: Any) -> list[int]:
        return [item["id"] for item in client.get_api("/invoices", **query).json()["items"]]

    assert ids(period="2026-10") == [october.pk]
    assert ids(enterprise=world.customer.pk, limit=1) == [december.pk]
    assert ids(enterprise=make_enterprise().pk) == []
    assert ids(institution=world.institution.pk, offset=1) == [october.pk]
    assert client.get_api("/invoices", limit=1).json()["count"] == 2


def test_the_pdf_is_downloaded_as_it_was_stored(world: World) -> None:
    invoice = world.issued()

    response = ApiClient(world.payer).get_api(f"/invoices/{invoice.pk}/pdf")

    assert response.content.startswith(b"%PDF-")
    assert response.headers["Content-Type"] == "application/pdf"
    assert f'filename="{invoice.number}.pdf"' in response.headers["Content-Disposition"]
    assert response.headers["ETag"] == f'"{invoice.pdf.sha256}"'


def test_the_fapiao_number_is_written_back(world: World) -> None:
    invoice = world.issued()
    client = ApiClient(world.finance)

    wrong = client.post_api(f"/invoices/{invoice.pk}/fapiao", {"number": "1"})
    right = client.post_api(f"/invoices/{invoice.pk}/fapiao", {"number": "26152000000012345678"})

    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "number")
    assert right.json()["fapiao_number"] == "26152000000012345678"


def test_a_machine_reads_with_a_token_and_does_not_write_with_a_read_only_one(world: World) -> None:
    world.charge()
    draft = world.draft()
    _token, secret = create_token(user=world.finance, name="erp", read_only=True)
    client = ApiClient()
    header = {"Authorization": f"Bearer {secret}"}

    assert client.get(f"/api/v1/invoices/{draft.pk}", headers=header).status_code == 200
    assert client.post_api(f"/invoices/{draft.pk}/issue", **header).status_code == 403


def _content(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_invoices_are_exported(world: World) -> None:
    customer = make_enterprise(name="=HYPERLINK(1)")
    make_charge(customer, make_line("106.00"), institution=world.institution)
    draft = draft_invoice(
        institution_id=world.institution.pk, customer_id=customer.pk, period="2026-12", by=world.finance
    )
    invoice = issue_invoice(invoice=draft, by=world.finance)
    client = ApiClient(world.finance)

    rows = list(csv.reader(io.StringIO(_content(client.get_api("/exports/invoices.csv")).decode("utf-8-sig"))))
    workbook = load_workbook(io.BytesIO(_content(client.get_api("/exports/invoices.xlsx", period="2026-12"))))

    assert rows[0][:3] == ["Number", "Status", "Period"]
    assert rows[1][:5] == [invoice.number, "Open", "2026-12", world.institution.name, "'=HYPERLINK(1)"]
    assert rows[1][7:11] == ["100.00", "6.00", "6.00", "106.00"]
    sheet: Any = workbook.active
    assert (sheet["E2"].value, sheet["E2"].data_type, sheet["K2"].value) == ("=HYPERLINK(1)", "s", 106)


def test_lines_are_exported(world: World) -> None:
    invoice = world.issued()
    world.charge()
    world.draft()

    response = ApiClient(world.admin).get_api("/exports/invoice-lines.csv", period="2026-12")

    rows = list(csv.reader(io.StringIO(_content(response).decode("utf-8-sig"))))
    assert len(rows) == 2
    assert rows[1][:2] == [invoice.number, "1"]
    assert rows[1][9:17] == ["time", "机时费", "1", "小时", "100.00", "100.00", "CNY", "1 × 100.00 = 100.00"]
    assert rows[1][17:] == ["Invoice", ""]


def test_exports_hold_only_what_one_may_see(world: World) -> None:
    invoice = world.issued()

    for who in (world.member, *world.strangers()):
        for name in ("invoices", "invoice-lines"):
            content = _content(ApiClient(who).get_api(f"/exports/{name}.csv", institution=world.institution.pk))
            assert invoice.number.encode() not in content
    assert ApiClient(world.finance).get_api("/exports/invoices.pdf").status_code == 422
    assert ApiClient(world.finance).get_api("/exports/invoices.csv", period="x").status_code == 422


def _queries(client: ApiClient, path: str, **query: Any) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get_api(path, **query)
        if response.streaming:
            _content(response)
    assert response.status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    "path", ["/charges", "/invoices", "/exports/invoices.csv", "/exports/invoice-lines.csv", "/exports/invoices.xlsx"]
)
def test_lists_take_as_many_queries_for_30_rows_as_for_one(world: World, path: str) -> None:
    def add() -> None:
        customer = make_enterprise()
        for period in ("2026-11", "2026-12"):
            make_charge(customer, make_line(), make_line(code="b"), institution=world.institution,
                        service_date=date.fromisoformat(f"{period}-01"))  # fmt: skip
            draft = draft_invoice(
                institution_id=world.institution.pk, customer_id=customer.pk, period=period, by=world.finance
            )
            if period == "2026-11":
                issue_invoice(invoice=draft, by=world.finance)

    add()
    client = ApiClient(world.finance)
    client.get_api("/me")
    one = _queries(client, path)
    for _ in range(15):
        add()

    assert _queries(client, path, limit=100) == one


def test_a_detail_takes_as_many_queries_for_30_lines_as_for_one(world: World) -> None:
    client = ApiClient(world.finance)
    world.charge()
    small = world.draft("2026-12").pk
    one = _queries(client, f"/invoices/{small}")
    for _ in range(30):
        world.charge(service_date=DAY)
    assert world.draft("2026-12").pk == small

    assert _queries(client, f"/invoices/{small}") == one
