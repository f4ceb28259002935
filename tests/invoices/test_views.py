"""The pages: what each shows to whom, and its buttons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import Organisation, Project, Role, User
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import ChargeState, Invoice
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member, make_user
from tests.invoices.test_api import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _december() -> Iterator[None]:
    with time_machine.travel("2026-12-15T02:00:00Z", tick=False):
        yield


@pytest.fixture
def world() -> World:
    return World()


def browser(user: User | None = None) -> Client:
    client = Client(headers={"accept-language": "en"})
    if user is not None:
        client.force_login(user)
    return client


def html(response: Any) -> str:
    assert response.status_code == 200, response
    return " ".join(response.content.decode().split())


HTMX = {"HX-Request": "true"}


def test_the_desk_shows_the_month_in_figures(world: World) -> None:
    world.issued("2026-12")
    world.charge(make_line("50.00"), final=False)
    world.charge(make_line("70.00"), service_date=date(2026, 12, 3))

    page = html(browser(world.finance).get("/finance/"))

    assert "¥70.00" in page
    assert "¥100.00" in page
    assert "JS-kx-2026-000001" in page
    assert "1 use up to the end of the month is booked but not verified yet." in page


def test_the_figures_lead_to_what_they_add_up(world: World) -> None:
    with time_machine.travel("2026-11-01T02:00:00Z", tick=False):
        late = world.issued("2026-10")
    part, open_one = world.issued(), world.issued()
    Invoice.objects.filter(pk=part.pk).update(paid=40)
    client = browser(world.finance)

    page = html(client.get("/finance/?period=2026-12"))
    links = re.findall(r'href="(/invoices/\?institution=[^"]*)"', page)
    shown = {link.split("&amp;")[-1]: html(client.get(link.replace("&amp;", "&"))) for link in links}

    assert re.search(r"¥40\.00.{0,60}1 invoice ", page)
    assert re.search(r"¥160\.00.{0,60}2 invoices ", page)
    assert open_one.number in shown["status=not_due"]
    assert late.number not in shown["status=not_due"]
    assert late.number in shown["status=overdue"]
    assert part.number in shown["period=2026-12"]


def test_the_button_of_a_row_drafts_that_row(world: World) -> None:
    world.charge(currency="CNY")
    world.charge(currency="USD")
    form = {"institution": world.institution.pk, "customer": world.customer.pk, "period": "2026-12"}
    client = browser(world.finance)
    page = html(client.get("/finance/?period=2026-12"))

    client.post("/finance/draft/", {**form, "currency": "USD"})

    assert 'name="currency" value="USD"' in page
    assert "1 customer " in page
    assert [draft.currency for draft in Invoice.objects.filter(status="draft")] == ["USD"]


def test_a_list_of_given_and_received_invoices_names_both_sides(world: World) -> None:
    ours = world.issued()
    elsewhere = World.__new__(World)
    elsewhere.institution, elsewhere.customer = make_institution(code="zz", name="Elsewhere"), world.institution
    elsewhere.finance = make_member(elsewhere.institution, Role.FINANCE)
    elsewhere.member = world.finance
    theirs = elsewhere.issued()
    client = browser(world.finance)

    both = html(client.get("/invoices/"))
    one = html(client.get(f"/invoices/?institution={world.institution.pk}"))

    assert ours.number in both
    assert theirs.number in both
    assert both.count("Elsewhere") == 2  # once in the filter, once in the row
    assert theirs.number not in one


def test_one_click_drafts_and_one_issues(world: World) -> None:
    world.charge()
    client = browser(world.finance)
    fields = {"institution": world.institution.pk, "customer": world.customer.pk, "period": "2026-12"}

    drafted = client.post("/finance/draft/", fields, headers=HTMX)
    draft = Invoice.objects.get()
    issued = client.post(f"/invoices/{draft.pk}/issue/", {"back": "desk"}, headers=HTMX)

    assert drafted["HX-Redirect"] == issued["HX-Redirect"] == "/finance/?period=2026-12"
    assert Invoice.objects.get().number == "JS-kx-2026-000001"
    assert "Issued as JS-kx-2026-000001." in html(client.get("/finance/?period=2026-12"))


def test_buttons_work_without_scripts(world: World) -> None:
    world.charge()
    client = browser(world.finance)
    fields = {"institution": world.institution.pk, "customer": world.customer.pk, "period": "2026-12"}

    assert client.post("/finance/draft/", fields).status_code == 302
    draft = Invoice.objects.get()
    assert client.post(f"/invoices/{draft.pk}/issue/").headers["Location"] == f"/invoices/{draft.pk}/"


def test_a_refusal_stays_on_the_page(world: World) -> None:
    invoice = world.issued()

    response = browser(world.finance).post(f"/invoices/{invoice.pk}/issue/", headers=HTMX)

    assert (response.status_code, response["HX-Retarget"]) == (409, "#problems")
    assert "JS-kx-2026-000001" in response.content.decode()


@pytest.mark.parametrize("change", [{"period": "x"}, {"customer": ""}, {"institution": 2**40}])
def test_a_forged_draft_form_is_invalid(world: World, change: dict[str, Any]) -> None:
    fields = {"institution": world.institution.pk, "customer": world.customer.pk, "period": "2026-12", **change}

    assert browser(world.finance).post("/finance/draft/", fields, headers=HTMX).status_code == 422


def test_a_draft_is_deleted(world: World) -> None:
    world.charge()
    draft = world.draft()

    response = browser(world.finance).post(f"/invoices/{draft.pk}/delete/")

    assert response.headers["Location"] == "/finance/?period=2026-12"
    assert not Invoice.objects.exists()


def test_those_without_a_ledger_are_led_to_their_money(world: World) -> None:
    for who in (world.admin, world.member, make_member(world.institution, Role.ADMIN)):
        response = browser(who).get("/finance/")
        assert (response.status_code, response.headers["Location"]) == (302, "/money/")


def test_the_invoice_page_shows_paper_lines_and_why(world: World) -> None:
    invoice = world.issued()

    page = html(browser(world.payer).get(f"/invoices/{invoice.pk}/"))

    for text in (
        "JS-kx-2026-000001",
        "1 × 100.00 = 100.00",
        "94.34",
        "5.66",
        "人民币壹佰元整",
        invoice.snapshot_sha256,
    ):
        assert text in page
    assert "Note the number" not in page


def test_a_draft_page_previews_with_todays_rate(world: World) -> None:
    world.charge(make_line("106.00"))
    draft = world.draft()

    page = html(browser(world.finance).get(f"/invoices/{draft.pk}/"))

    assert "given when issued" in page
    assert "CNY 106.00" in page
    assert "6.00" in page


def test_progress_while_the_pdf_is_made(world: World) -> None:
    invoice = world.issued()
    client = browser(world.finance)

    waiting = html(client.get(f"/invoices/{invoice.pk}/pdf-state/"))
    pdf = client.get(f"/invoices/{invoice.pk}/pdf/")
    ready = html(client.get(f"/invoices/{invoice.pk}/pdf-state/"))

    assert "being made" in waiting
    assert 'hx-trigger="load delay:2s"' in waiting
    assert pdf.content.startswith(b"%PDF-")
    assert "being made" not in ready
    assert "hx-trigger" not in ready


def test_nobody_waits_for_ever_for_the_pdf(world: World) -> None:
    invoice = world.issued()

    with time_machine.travel("2026-12-15T02:02:00Z"):
        page = html(browser(world.finance).get(f"/invoices/{invoice.pk}/pdf-state/"))

    assert "Download PDF" in page


def test_the_fapiao_number_is_noted(world: World) -> None:
    invoice = world.issued()
    client = browser(world.finance)

    wrong = client.post(f"/invoices/{invoice.pk}/fapiao/", {"number": "12"}, headers=HTMX)
    right = client.post(f"/invoices/{invoice.pk}/fapiao/", {"number": "26152000000012345678"}, headers=HTMX)

    assert wrong.status_code == 422
    assert right["HX-Redirect"] == f"/invoices/{invoice.pk}/"
    assert "26152000000012345678" in html(browser(world.admin).get(f"/invoices/{invoice.pk}/"))


def test_lines_are_downloaded(world: World) -> None:
    invoice = world.issued()

    response = browser(world.payer).get(f"/invoices/{invoice.pk}/lines.csv")

    assert 'filename="JS-kx-2026-000001.csv"' in response["Content-Disposition"]
    assert "机时费" in b"".join(response.streaming_content).decode()


def test_a_draft_has_no_lines_to_download(world: World) -> None:
    world.charge()

    assert browser(world.finance).get(f"/invoices/{world.draft().pk}/lines.csv").status_code == 404


def test_the_list_is_filtered_sorted_and_exported_as_seen(world: World) -> None:
    first, second = world.issued("2026-10"), world.issued("2026-11")
    client = browser(world.finance)

    page = html(client.get("/invoices/?sort=-number"))
    filtered = html(client.get("/invoices/?period=2026-10&status=open"))
    table = b"".join(client.get("/invoices/export/invoices.csv?period=2026-10").streaming_content).decode()

    assert page.index(second.number) < page.index(first.number)
    assert first.number in filtered
    assert second.number not in filtered
    assert "export/invoices.csv?period=2026-10&amp;status=open" in filtered
    assert first.number in table
    assert second.number not in table
    for sort in ("number", "period", "customer", "-due", "total", "nonsense"):
        assert client.get(f"/invoices/?sort={sort}&customer=x&page=99").status_code == 200


def test_an_empty_list_says_what_to_do(world: World) -> None:
    assert "made from verified use at the finance desk" in html(browser(world.finance).get("/invoices/"))
    assert "What has arisen so far stands under “Costs”" in html(browser(world.admin).get("/invoices/"))
    assert "No invoice fits these filters" in html(browser(world.admin).get("/invoices/?status=open"))


def test_the_money_page_shows_charges_as_they_arise(world: World) -> None:
    project = Project.objects.create(organisation=world.customer, code="KY-1", name="Anodes")
    world.charge(make_line("50.00"), final=False, project_id=project.pk)
    world.charge(make_line("30.00"), user=world.admin)
    released = world.charge(make_line("999.00"), final=False)
    type(released).objects.filter(pk=released.pk).update(state=ChargeState.RELEASED)
    invoice = world.issued("2026-11")

    admin = html(browser(world.admin).get("/money/"))
    member = html(browser(world.member).get("/money/"))

    for text in ("KY-1 Anodes", "¥50.00", "¥30.00", "1 × 50.00 = 50.00", "Reserved", invoice.number):
        assert text in admin
    assert "999.00" not in admin
    assert "¥30.00" not in member


def test_the_money_page_of_a_plain_member_has_charges_but_no_invoices(world: World) -> None:
    invoice = world.issued("2026-12")

    page = html(browser(world.member).get("/money/"))
    payer = html(browser(world.payer).get("/money/"))

    assert f"· {invoice.number}" in page
    assert "¥100.00" in page
    for text in ('href="/invoices/', "Open invoices", "Overdue", 'id="invoices"'):
        assert text not in page
        assert text in payer


def test_a_plain_member_is_led_from_the_invoices_to_their_money(world: World) -> None:
    invoice = world.issued()
    client = browser(world.member)

    response = client.get("/invoices/")
    exported = b"".join(client.get("/invoices/export/lines.csv").streaming_content).decode()

    assert (response.status_code, response.headers["Location"]) == (302, "/money/")
    assert invoice.number not in exported
    assert browser(make_user()).get("/invoices/").status_code == 200


def test_the_money_page_leads_who_belongs_to_no_organisation_to_one() -> None:
    page = browser(make_user()).get("/money/").content.decode()

    assert "You belong to no organisation yet" in page


GETS = ["", "pdf/", "pdf-state/", "lines.csv", "lines.xlsx"]
POSTS = ["issue/", "delete/", "fapiao/"]


@pytest.mark.parametrize("path", [*GETS, *POSTS])
def test_strangers_find_nothing(world: World, path: str) -> None:
    invoice = world.issued()

    for who in (world.member, *world.strangers()):
        client = browser(who)
        address = f"/invoices/{invoice.pk}/{path}"
        response = client.post(address) if path in POSTS else client.get(address)
        assert response.status_code == 404


@pytest.mark.parametrize("path", POSTS)
def test_the_customer_cannot_press_the_buttons_of_finance(world: World, path: str) -> None:
    invoice = world.issued()

    assert browser(world.admin).post(f"/invoices/{invoice.pk}/{path}").status_code == 403


def test_finance_of_another_institution_cannot_draft_here(world: World) -> None:
    world.charge()
    fields = {"institution": world.institution.pk, "customer": world.customer.pk, "period": "2026-12"}

    for who, expected in zip(world.strangers(), (404, 404, 403, 404), strict=True):
        assert browser(who).post("/finance/draft/", fields).status_code == expected


@pytest.mark.parametrize("path", ["/finance/", "/money/", "/invoices/", "/invoices/1/", "/invoices/export/lines.xlsx"])
def test_visitors_are_asked_to_sign_in(path: str) -> None:
    response = browser().get(path)

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/account/login/?next=")


@pytest.mark.parametrize("path", ["/finance/?period=2026-12", "/invoices/", "/money/?period=2026-12"])
def test_pages_take_as_many_queries_for_36_rows_as_for_6(path: str) -> None:
    institution = make_institution()
    who = make_member(institution, Role.FINANCE, Role.ADMIN)

    def add(n: int) -> None:
        for index in range(n):
            customer = institution if path.startswith("/money") else make_enterprise()
            for period in ("2026-10", "2026-11", "2026-12"):
                make_charge(customer, make_line(), make_line(code="b"), institution=institution, user=who,
                            service_date=date.fromisoformat(f"{period}-01"))  # fmt: skip
                if period == "2026-12" and index % 2:
                    continue
                draft = draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period=period, by=who)
                if period != "2026-11":
                    issue_invoice(invoice=draft, by=who)

    client = browser(who)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            html(client.get(path))
        return len(captured)

    add(2)
    few = queries()
    add(10)

    assert queries() == few


def test_pages_have_no_inline_style_or_script(world: World) -> None:
    invoice = world.issued()
    world.charge()
    draft = world.draft()
    client = browser(world.finance)

    for path in ("/finance/", "/invoices/", "/money/", f"/invoices/{invoice.pk}/", f"/invoices/{draft.pk}/"):
        page = html(client.get(path))
        body = page[page.index("<main") : page.index("</main>")]
        assert "style=" not in body
        assert "<script" not in body


def test_the_filters_name_organisations_in_the_readers_language(world: World) -> None:
    world.issued("2026-11")
    Organisation.objects.filter(pk=world.customer.pk).update(name="示例新材料", name_en="Example New Materials")
    other = world.issued("2026-12")

    page = html(browser(world.finance).get("/invoices/"))
    chinese = html(browser(world.finance).get("/invoices/", headers={"accept-language": "zh-hans"}))

    assert f'<option value="{other.customer_id}">Example New Materials</option>' in page
    assert "示例新材料</option>" not in page
    assert "示例新材料</option>" in chinese
