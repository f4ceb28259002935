"""Samples on the pages and over HTTP: who sees what, each step once by page and once by API."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from backend.accounts.models import Role
from backend.core import pdf
from booking.models import OrderStatus, SampleOrder
from tests.booking.lab import HTMX, NOW, browser, html, queries
from tests.booking.samples import Bench
from tests.factories import make_manager, make_member

pytestmark = pytest.mark.django_db
S = OrderStatus


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path, clock: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def typed(*rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The form as a browser sends it."""
    sent: dict[str, Any] = {"purpose": "Phase purity", "row": [], **fields}
    for number, row in enumerate(rows):
        sent["row"].append(f"r{number}")
        sent |= {f"item-r{number}-{name}": value for name, value in {"quantity": 1, **row}.items()}
    return sent


def api(user: Any) -> Any:
    client = browser(user)

    def ask(method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return getattr(client, method)(f"/api/v1/sample-orders{path}", **sent, headers=headers)

    return ask


# --- submitting ------------------------------------------------------------------------------------------------------


def test_the_instrument_leads_to_the_order() -> None:
    for fields in ({}, {"mode_self": False, "mode_operator": False}):
        bench = Bench(**fields)

        page = html(browser(bench.engineer).get(f"/instruments/{bench.instrument.pk}/"))

        assert f'href="/instruments/{bench.instrument.pk}/samples/"' in page


def test_a_visitor_signs_in_first() -> None:
    bench = Bench()

    response = browser().get(f"/instruments/{bench.instrument.pk}/samples/")

    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/")


def test_the_price_appears_while_it_is_typed_and_writes_nothing() -> None:
    bench = Bench()
    sent = typed({"name": "Powder", "quantity": 3, "fact_points": "4"}, {"name": "", "quantity": 2})

    page = html(browser(bench.engineer).post(f"/instruments/{bench.instrument.pk}/samples/check/", sent))

    assert "¥580.00" in page  # 100 + 3 × 80 + 12 × 20
    assert not SampleOrder.objects.exists()


def test_several_rows_are_submitted_at_once() -> None:
    bench = Bench()
    sent = typed(
        {"name": "Powder", "quantity": 3, "tests": "XRD，SEM", "fact_points": "4", "storage": "Keep dry"},
        {"name": "Foil", "quantity": 2, "fact_points": "4"},
        requirements="In argon", return_samples="on", wished_on="2026-12-10",
    )  # fmt: skip

    response = browser(bench.engineer).post(f"/instruments/{bench.instrument.pk}/samples/", sent)

    order = SampleOrder.objects.get()
    assert response["Location"] == f"/samples/{order.pk}/"
    assert [(item.name, item.quantity, item.tests, item.parameters) for item in order.items.all()] == [
        ("Powder", 3, ["XRD", "SEM"], {"points": 4}), ("Foil", 2, [], {"points": 4}),
    ]  # fmt: skip
    assert (order.return_samples, str(order.wished_on)) == (True, "2026-12-10")


def test_every_error_is_named_with_its_sample() -> None:
    bench = Bench()
    sent = typed({"name": "", "quantity": 0}, {"name": "x", "quantity": 10_001}, purpose="")

    page = html(browser(bench.engineer).post(f"/instruments/{bench.instrument.pk}/samples/", sent, headers=HTMX), 422)

    for words in ("Purpose", "Sample 1", "Sample 2"):
        assert words in page


def test_a_row_more_and_a_row_less() -> None:
    bench = Bench()
    client, path = browser(bench.engineer), f"/instruments/{bench.instrument.pk}/samples/row/"

    assert 'name="row"' in html(client.get(path))
    gone = client.get(f"{path}?remove")
    assert (gone.content, gone["HX-Trigger"]) == (b"", "rows-changed")


# --- the steps -------------------------------------------------------------------------------------------------------


def step(user: Any, order: SampleOrder, name: str, status: int = 302, **data: Any) -> Any:
    order.refresh_from_db()
    response = browser(user).post(f"/samples/{order.pk}/{name}/", {"version": order.version, **data})
    assert response.status_code == status, html(response, status)
    order.refresh_from_db()
    return response


def test_from_accepting_to_sending_back_on_the_pages() -> None:
    bench = Bench()
    order = bench.submit()
    first, second = order.items.all()

    step(bench.manager, order, "accept", expected_on="2026-12-04")
    assert (order.status, str(order.expected_on)) == (S.ACCEPTED, "2026-12-04")
    counted = {f"item-{first.pk}-quantity": 2, f"item-{first.pk}-condition": "torn", f"item-{second.pk}-quantity": 2}
    step(bench.manager, order, "receive", **counted)
    first.refresh_from_db()
    assert (order.status, first.received_quantity, first.condition) == (S.RECEIVED, 2, "torn")
    step(bench.manager, order, "machine-time", start="2026-12-01T09:00", end="2026-12-01T10:00")
    step(bench.manager, order, "start")
    step(bench.manager, order, "results", files=SimpleUploadedFile("r.csv", b"a,b\n1,2\n"))
    tested = {
        f"item-{first.pk}-quantity": 2, f"item-{first.pk}-fact_points": 4, f"item-{first.pk}-tests": "XRD",
        f"item-{second.pk}-quantity": 2, f"item-{second.pk}-fact_points": 1, f"item-{second.pk}-tests": "",
    }  # fmt: skip
    step(bench.manager, order, "finish", report="Pure", **tested)
    assert (order.status, order.report) == (S.DONE, "Pure")
    step(bench.manager, order, "return", item=[first.pk, second.pk])

    page = html(browser(bench.engineer).get(f"/samples/{order.pk}/"))
    for words in ("r.csv", "Pure", "torn", "2 tested instead of 3", "Samples sent back", "¥720.00"):
        assert words in page


def test_one_tap_receives_what_the_label_names() -> None:
    bench = Bench()
    order = bench.at_state(S.ACCEPTED)
    item = order.items.first()
    assert item is not None

    page = html(browser(bench.manager).get(f"/samples/{order.pk}/?item={item.pk}"))

    assert "All of it has arrived" in page
    assert "sample-receipt read" in page


def test_finishing_twice_from_an_old_page_is_refused() -> None:
    bench = Bench()
    order = bench.at_state(S.ACCEPTED)

    response = browser(bench.manager).post(f"/samples/{order.pk}/start/", {"version": order.version - 1})

    assert response.status_code == 412


def test_the_customer_reads_what_cancelling_costs_before_doing_it() -> None:
    bench = Bench()
    order = bench.at_state(S.RECEIVED)

    page = html(browser(bench.engineer).get(f"/samples/{order.pk}/"))
    assert "Cancelling costs" in page
    assert "¥200.00</span>, because" in page
    step(bench.engineer, order, "cancel", reason="Too late")
    assert order.status == S.CANCELLED


def test_messages_and_files_belong_to_the_order() -> None:
    bench = Bench()
    order = bench.submit()
    client = browser(bench.engineer)
    sent = {"text": "Is argon needed?", "files": SimpleUploadedFile("list.csv", b"a,b\n1,2\n")}

    assert "Is argon needed?" in html(client.post(f"/samples/{order.pk}/messages/", sent, headers=HTMX))
    file = order.conversation.get().attachments.get()
    response = client.get(f"/samples/{order.pk}/files/{file.pk}/")
    assert b"".join(response.streaming_content) == b"a,b\n1,2\n"
    assert browser(bench.stranger).get(f"/samples/{order.pk}/files/{file.pk}/").status_code == 404


# --- who sees what ---------------------------------------------------------------------------------------------------


def seen(user: Any, order: SampleOrder) -> int:
    page = browser(user).get(f"/samples/{order.pk}/").status_code
    assert browser(user).get(f"/api/v1/sample-orders/{order.pk}").status_code == page
    return page


def test_the_parties_see_an_order_and_nobody_else() -> None:
    bench = Bench()
    order = bench.submit()
    finance = make_member(bench.institution, Role.FINANCE)

    assert [seen(user, order) for user in (bench.engineer, bench.boss, bench.manager, finance)] == [200] * 4
    insiders = make_member(bench.enterprise), make_member(bench.institution)
    others = (bench.stranger, *insiders, make_manager(Bench().institution))
    assert [seen(user, order) for user in others] == [404] * 4


def test_who_only_sees_an_order_cannot_act() -> None:
    bench = Bench()
    order = bench.submit()
    finance = make_member(bench.institution, Role.FINANCE)

    for user, path in ((bench.engineer, "accept"), (finance, "accept"), (finance, "cancel"), (finance, "agree")):
        assert browser(user).post(f"/samples/{order.pk}/{path}/", {}).status_code == 403
    assert browser(bench.stranger).post(f"/samples/{order.pk}/accept/", {}).status_code == 404


def test_results_are_given_when_the_order_is_done() -> None:
    bench = Bench()
    order = bench.at_state(S.TESTING)
    (file,) = bench.deliver(order)
    path = f"/samples/{order.pk}/results/{file.pk}/"

    assert browser(bench.manager).get(path).status_code == 200
    assert browser(bench.engineer).get(path).status_code == 404
    assert "result.csv" not in html(browser(bench.engineer).get(f"/samples/{order.pk}/"))

    order.refresh_from_db()
    from_lab = browser(bench.manager).post(f"/api/v1/sample-orders/{order.pk}/finish", "{}", "application/json")
    assert from_lab.status_code == 200
    response = browser(bench.engineer).get(path)
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert browser(bench.stranger).get(path).status_code == 404


# --- lists -----------------------------------------------------------------------------------------------------------


def test_the_lists_cost_the_same_whatever_their_length() -> None:
    bench = Bench()
    bench.submit()
    lists = [(bench.engineer, path) for path in ("/samples/", "/api/v1/sample-orders")]
    lists.append((bench.manager, "/samples/desk/"))
    before = [queries(browser(user), path) for user, path in lists]
    for _ in range(4):
        bench.at_state(S.DONE)
        bench.submit()

    assert [queries(browser(user), path) for user, path in lists] == before


def test_the_desk_filters_by_state_instrument_and_words() -> None:
    bench = Bench()
    order, done = bench.submit(purpose="Alpha"), bench.at_state(S.DONE, purpose="Beta")
    desk = browser(bench.manager)

    assert order.number in html(desk.get("/samples/desk/"))
    assert done.number not in html(desk.get("/samples/desk/"))
    assert done.number in html(desk.get("/samples/desk/?status=done"))
    assert order.number in html(desk.get(f"/samples/desk/?q={order.number}"))
    assert order.number in html(desk.get("/samples/desk/?q=powder"))
    assert order.number not in html(desk.get("/samples/desk/?q=nothing"))
    assert order.number in html(desk.get(f"/samples/desk/?instrument={bench.instrument.pk}"))
    assert desk.get("/samples/desk/?instrument=x&status=y&page=0").status_code == 200
    assert browser(bench.engineer).get("/samples/desk/").status_code == 403


def test_an_administrator_sees_the_whole_organisations_orders() -> None:
    bench = Bench()
    order = bench.submit()

    assert order.number not in html(browser(bench.boss).get("/samples/"))
    assert order.number in html(browser(bench.boss).get("/samples/?who=all"))
    assert order.number not in html(browser(make_member(bench.enterprise)).get("/samples/?who=all"))


def test_labels_have_a_code_for_each_bag(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    order = bench.submit([{"name": "Powder", "quantity": 3}, {"name": "Many", "quantity": 13, "storage": "Flammable"}])
    drawn: list[str] = []
    monkeypatch.setattr(pdf, "render", lambda text: drawn.append(text) or b"%PDF-")

    response = browser(bench.manager).get(f"/samples/{order.pk}/labels.pdf")

    assert response["Content-Type"] == "application/pdf"
    assert drawn[0].count('class="label"') == 3 + 1
    assert "Flammable" in drawn[0]
    assert browser(bench.stranger).get(f"/samples/{order.pk}/labels.pdf").status_code == 404


@pytest.mark.parametrize(("kinds", "labels"), [(20, 240), (21, 21)])
def test_labels_of_a_large_order_can_be_drawn_in_time(monkeypatch: pytest.MonkeyPatch, kinds: int, labels: int) -> None:
    """Two beside each other are laid out together, never all at once: that takes minutes."""
    bench = Bench()
    order = bench.submit([{"name": f"Powder {n}", "quantity": 12, "parameters": {"points": 1}} for n in range(kinds)])
    drawn: list[str] = []
    monkeypatch.setattr(pdf, "render", lambda text: drawn.append(text) or b"%PDF-")

    browser(bench.manager).get(f"/samples/{order.pk}/labels.pdf")

    assert drawn[0].count('class="label"') == labels
    assert drawn[0].count('class="pair"') == (labels + 1) // 2


# --- API -------------------------------------------------------------------------------------------------------------


def wish(bench: Bench, **more: Any) -> dict[str, Any]:
    items = [{"name": "Powder", "quantity": 3, "tests": ["XRD"], "parameters": {"points": 4}}]
    return {"instrument": bench.instrument.pk, "items": items, "purpose": "Purity", "return_samples": True, **more}


def test_all_steps_over_the_api() -> None:
    bench = Bench()
    mine, lab = api(bench.engineer), api(bench.manager)
    checked = {name: value for name, value in wish(bench).items() if name not in ("purpose", "return_samples")}
    answer = mine("post", "/check", checked).json()
    assert (answer["acceptable"], answer["quote"]["total"]) == (True, "580.00")

    made = mine("post", "", wish(bench))
    assert made.status_code == 201
    pk, item = made.json()["id"], made.json()["items"][0]["id"]
    for name, body, status in (
        ("accept", {"expected_on": "2026-12-04"}, "accepted"),
        ("receive", {"items": [{"id": item, "quantity": 2, "condition": "torn"}]}, "received"),
        ("start", {"start": "2026-12-01T09:00:00+08:00", "end": "2026-12-01T10:00:00+08:00"}, "testing"),
        ("finish", {"items": [{"id": item, "parameters": {"points": 1}}], "report": "Pure"}, "done"),
    ):
        answer = lab("post", f"/{pk}/{name}", body)
        assert (answer.status_code, answer.json()["status"]) == (200, status), answer.content

    done = mine("get", f"/{pk}").json()
    assert done["charge"]["total"] == "300.00"  # 100 + 2 × 80 + 2 × 20
    assert done["bookings"]
    assert lab("post", f"/{pk}/return", {}).json()["items"][0]["returned_at"]


def test_the_same_key_submits_once() -> None:
    bench = Bench()
    mine = api(bench.engineer)

    first, second = (mine("post", "", wish(bench), **{"Idempotency-Key": "a"}).json() for _ in range(2))

    assert first == second
    assert SampleOrder.objects.count() == 1
    assert mine("post", "", wish(bench, purpose="Other"), **{"Idempotency-Key": "a"}).status_code == 422


@pytest.mark.parametrize(
    "more",
    [
        {"items": []},
        {"items": [{"name": "x", "quantity": 0}]},
        {"items": [{"name": "x", "quantity": 10_001}]},
        {"items": [{"name": "x", "quantity": True}]},
        {"items": [{"name": "x", "quantity": 1}] * 51},
        {"purpose": ""},
        {"surprise": 1},
    ],
)
def test_what_has_the_wrong_shape_is_refused(more: dict[str, Any]) -> None:
    bench = Bench()

    assert api(bench.engineer)("post", "", wish(bench, **more)).status_code == 422


def test_rejecting_and_cancelling_over_the_api() -> None:
    bench = Bench()
    mine, lab = api(bench.engineer), api(bench.manager)
    first, second = bench.submit(), bench.submit()

    assert lab("post", f"/{first.pk}/reject", {}).status_code == 422
    assert lab("post", f"/{first.pk}/reject", {"reason": "Toxic"}).json()["status"] == "rejected"
    assert mine("post", f"/{second.pk}/cancel", {"version": 9}).status_code == 412
    assert mine("post", f"/{second.pk}/cancel", {}).json()["status"] == "cancelled"
    answer = mine("post", f"/{second.pk}/cancel", {})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "wrong_status")


def test_results_over_the_api() -> None:
    bench = Bench()
    order = bench.at_state(S.TESTING)
    lab = browser(bench.manager)
    path = f"/api/v1/sample-orders/{order.pk}/results"

    answer = lab.post(path, {"files": SimpleUploadedFile("r.csv", b"a,b\n1,2\n")})
    assert answer.status_code == 201, answer.content
    url = answer.json()[0]["url"]
    assert b"".join(lab.get(url).streaming_content) == b"a,b\n1,2\n"
    assert browser(bench.engineer).get(url).status_code == 404
    assert lab.delete(url).status_code == 204
    assert lab.get(url).status_code == 404
    assert lab.post(path, {"files": io.BytesIO(b"MZ\0")}).status_code == 422


def test_the_list_is_filtered_and_counts() -> None:
    bench = Bench()
    bench.submit()
    bench.at_state(S.DONE)
    mine = api(bench.engineer)

    assert mine("get", "").json()["count"] == 2
    assert [one["status"] for one in mine("get", "?status=done,testing").json()["items"]] == ["done"]
    assert mine("get", "?status=nonsense").status_code == 422
    assert api(bench.stranger)("get", "").json() == {"items": [], "count": 0}


def test_checking_a_time_for_samples_points_to_the_order() -> None:
    bench = Bench()
    start = NOW + timedelta(days=3)
    slot = {
        "instrument": bench.instrument.pk, "start": start.isoformat(), "end": (start + timedelta(hours=1)).isoformat(),
        "mode": "sample",
    }  # fmt: skip

    answer = Client().post("/api/v1/bookings/check", json.dumps(slot), "application/json")
    assert answer.status_code == 401
    said = browser(bench.engineer).post("/api/v1/bookings/check", json.dumps(slot), "application/json").json()
    assert "sample-orders" in said["refusals"][0]["fix_text"]
