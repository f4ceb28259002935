"""The record, the lab's list, credit and its rules, on pages and over the API."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from backend.accounts.models import Role, User
from backend.core.errors import Refused
from booking.actions.appealing import appeal_violation, record_violation, strike_out_violation
from booking.actions.credit import save_credit_rules
from booking.actions.policies import save_policy
from booking.actions.using import start_booking
from booking.models import Appeal, AppealState, Attachment, CreditRules, Violation
from booking.queries.credit import credit_of, credits_for
from tests.booking.lab import HTMX, Lab, browser, html, queries
from tests.conftest import ApiClient
from tests.factories import DAY, at, make_member

pytestmark = pytest.mark.django_db

LADDER = {
    "rules": [
        {
            "id": "absences", "kind": "ladder", "count": ["no_show"], "window": "12mo",
            "steps": [{"at": 3, "do": "deny"}],
        }
    ]
}  # fmt: skip
VALUES: dict[str, Any] = {
    "start": 100, "floor": 0, "ceiling": 120, "points": {"no_show": 20, "*": 5}, "completed": 1, "recovery": 5,
    "recovery_days": 30, "months": None, "appeal_days": 14,
}  # fmt: skip


@pytest.fixture
def lab(clock: Any) -> Lab:
    lab = Lab()
    save_policy(instrument=lab.instrument, document=LADDER, by=lab.manager, valid_from=date(2026, 1, 1))
    return lab


def note(lab: Lab, name: str = "no_show", person: User | None = None, days: int = 0, **more: Any) -> Violation:
    return record_violation(
        by=lab.manager, name=name, reason="Seen by the lab", person=person or lab.engineer,
        organisation=lab.enterprise, instrument=lab.instrument, at=timezone.now() - timedelta(days=days), **more,
    )  # fmt: skip


# --- one's own ---


def test_the_record_shows_limits_entries_and_suspensions(lab: Lab) -> None:
    page = browser(lab.engineer)
    empty = html(page.get("/account/record/"))
    note(lab)
    two = note(lab)
    some = html(page.get("/account/record/"))
    note(lab)
    denied = html(page.get("/account/record/"))

    assert "Nothing on record" in empty
    assert "2 / 3" in some
    assert f"/account/record/{two.pk}/appeal/" in some
    assert "On the deny list until the lab lifts it" in denied
    assert "On the deny list" not in some


def test_an_appeal_with_a_file_reaches_the_bookings_messages(lab: Lab, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    booking = lab.book()
    found = record_violation(by=lab.manager, name="late", reason="Seen", booking=booking)
    page = browser(lab.engineer)
    form = html(page.get(f"/account/record/{found.pk}/appeal/"))
    file = SimpleUploadedFile("door.txt", b"The door was locked", "text/plain")

    answer = page.post(f"/account/record/{found.pk}/appeal/", {"reason": "The door was locked.", "files": file})

    assert "multipart/form-data" in form
    assert answer.status_code == 302
    assert Appeal.objects.get().reason == "The door was locked."
    assert Attachment.objects.get().note.booking == booking
    assert "The door was locked." in html(browser(lab.manager).get(f"/manage/violations/{found.pk}/"))


def test_an_empty_appeal_says_so_in_the_form(lab: Lab) -> None:
    found = note(lab)

    answer = browser(lab.engineer).post(f"/account/record/{found.pk}/appeal/", {"reason": ""})

    assert answer.status_code == 422
    assert not Appeal.objects.exists()


def test_an_administrator_sees_the_whole_organisation_and_others_do_not(lab: Lab) -> None:
    note(lab, "left_dirty")

    assert "left dirty" in html(browser(lab.boss).get("/account/record/?who=all"))
    assert "left dirty" not in html(browser(lab.boss).get("/account/record/"))
    assert "left dirty" not in html(browser(make_member(lab.enterprise)).get("/account/record/?who=all"))


def test_strangers_find_nothing(lab: Lab) -> None:
    found = note(lab)
    stranger, other = browser(lab.stranger), browser(Lab().manager)

    assert stranger.get(f"/manage/violations/{found.pk}/").status_code == 404
    assert stranger.get(f"/account/record/{found.pk}/appeal/").status_code == 404
    assert other.post(f"/manage/violations/{found.pk}/strike-out/", {"reason": "x"}).status_code == 404
    assert browser(lab.manager).get(f"/account/record/{found.pk}/appeal/").status_code == 403
    assert browser(lab.engineer).post(f"/manage/violations/{found.pk}/strike-out/", {"reason": "x"}).status_code == 403


# --- the lab ---


def test_the_lab_filters_decides_and_strikes_out(lab: Lab) -> None:
    absent, late = note(lab), note(lab, "late")
    appeal_violation(violation=absent, by=lab.engineer, reason="Ill.")
    page = browser(lab.manager)
    every = html(page.get("/manage/violations/"))
    waiting = html(page.get("/manage/violations/?state=appealed"))
    only_late = html(page.get("/manage/violations/?name=late"))

    page.post(f"/manage/violations/{absent.pk}/decide/", {"decision": "uphold", "answer": "Get well."}, headers=HTMX)
    page.post(f"/manage/violations/{late.pk}/strike-out/", {"reason": "Wrong person."}, headers=HTMX)

    assert "One appeal waits for your decision." in every
    assert f"/manage/violations/{absent.pk}/" in waiting
    assert f"/manage/violations/{late.pk}/" not in waiting
    assert f"/manage/violations/{absent.pk}/" not in only_late
    assert Appeal.objects.get().state == AppealState.UPHELD
    assert not Violation.objects.filter(struck_out_at=None).exists()
    assert "No entry fits" in html(page.get("/manage/violations/?person=nobody"))


def test_the_lab_lifts_what_it_sees(lab: Lab) -> None:
    for _number in range(3):
        note(lab)
    page = browser(lab.manager)
    shown = html(page.get("/manage/violations/"))
    wish = {"rule": "absences", "institution": lab.institution.pk, "person": lab.engineer.pk, "organisation": ""}

    answer = page.post("/manage/violations/lift/", {**wish, "reason": "We talked."}, headers=HTMX)

    assert "Suspended now" in shown
    assert answer.status_code < 300
    assert "Suspended now" not in html(page.get("/manage/violations/"))


def test_by_hand_by_number_or_by_address(lab: Lab) -> None:
    booking, page = lab.book(), browser(lab.manager)
    by_number = page.post("/manage/violations/new/", {"name": "late", "booking": booking.pk, "reason": "Seen"})
    by_address = page.post(
        "/manage/violations/new/",
        {"name": "late", "email": lab.engineer.email, "instrument": lab.instrument.pk, "reason": "Seen",
         "at": "2026-11-23T10:00"},
    )  # fmt: skip
    unknown = page.post("/manage/violations/new/", {"name": "late", "booking": 999_999, "reason": "Seen"})

    assert (by_number.status_code, by_address.status_code, unknown.status_code) == (302, 302, 422)
    assert Violation.objects.earliest("at").at == at(10, day=date(2026, 11, 23))


def test_the_table_is_the_list_as_filtered(lab: Lab) -> None:
    note(lab, days=1)
    note(lab, "late")

    table = b"".join(browser(lab.manager).get("/manage/violations/export.csv?name=late")).decode()  # type: ignore[arg-type]
    own = b"".join(browser(lab.engineer).get("/account/record/export.csv")).decode()  # type: ignore[arg-type]

    assert (len(table.splitlines()), len(own.splitlines())) == (2, 3)
    assert lab.engineer.name in table


def test_operators_of_the_network_read_and_do_not_decide(lab: Lab) -> None:
    network = lab.institution.__class__.objects.create(kind="network", code="net", name="Network")
    operator = make_member(network, Role.OPERATOR)
    found = note(lab)
    page = browser(operator)

    assert f"/manage/violations/{found.pk}/" in html(page.get("/manage/violations/"))
    assert "Strike out" not in html(page.get(f"/manage/violations/{found.pk}/"))
    assert page.post(f"/manage/violations/{found.pk}/strike-out/", {"reason": "x"}).status_code == 403


def test_query_counts_are_equal_for_one_entry_and_thirty(lab: Lab) -> None:
    note(lab)
    mine, desk = browser(lab.engineer), browser(lab.manager)
    paths = ((mine, "/account/record/"), (desk, "/manage/violations/"))
    for page, path in paths:
        page.get(path)
    few = [queries(page, path) for page, path in paths]
    for number in range(29):
        person = make_member(lab.enterprise) if number % 3 == 0 else lab.engineer
        note(lab, f"kind{number % 4}", person)
    many = [queries(page, path) for page, path in paths]

    assert few == many


# --- credit ---


def test_credit_is_counted_from_entries_and_a_struck_out_one_does_not_count(lab: Lab) -> None:
    admin = make_member(lab.institution, Role.ADMIN)
    none_yet = credit_of(lab.engineer, timezone.now())
    save_credit_rules(holder=lab.institution, by=admin, values=VALUES)
    first, _second = note(lab), note(lab, "left_dirty")
    before = credit_of(lab.engineer, timezone.now())
    shown = html(browser(lab.engineer).get("/account/record/"))

    strike_out_violation(violation=first, by=lab.manager, reason="Wrong person.")

    after = credit_of(lab.engineer, timezone.now())
    assert none_yet == []
    assert [each.score.total for each in before] == [75]
    assert [each.score.total for each in after] == [95]
    assert "-20" in shown


def test_the_institutions_rules_count_what_happened_in_its_house(lab: Lab) -> None:
    network = lab.institution.__class__.objects.create(kind="network", code="net", name="Network")
    save_credit_rules(holder=network, by=lab.manager, values=VALUES)
    save_credit_rules(holder=lab.institution, by=lab.manager, values={**VALUES, "points": {"*": 50}})
    other = Lab()
    record_violation(
        by=other.manager, name="no_show", reason="There", person=lab.engineer, organisation=lab.enterprise,
        instrument=other.instrument,
    )  # fmt: skip
    note(lab)
    person, now = lab.engineer.pk, timezone.now()

    found = credits_for({(person, lab.institution.pk), (person, other.institution.pk)}, now)

    assert found == {(person, lab.institution.pk): 50, (person, other.institution.pk): 60}


@pytest.mark.parametrize(("least", "allowed"), [(80, True), (81, False)])
def test_rules_can_ask_for_credit(lab: Lab, least: int, allowed: bool) -> None:
    save_credit_rules(holder=lab.institution, by=lab.manager, values=VALUES)
    rule = {"id": "credit", "kind": "require", "that": {"person.credit": {"min": least}}, "code": "low_credit"}
    save_policy(instrument=lab.instrument, document={"rules": [rule]}, by=lab.manager)
    note(lab)
    if allowed:
        assert lab.book().start == at(9, day=DAY)
        return

    with pytest.raises(Refused) as refused:
        lab.book()

    assert [each.code for each in refused.value.refusals] == ["low_credit"]


def test_rules_of_credit_are_dated_versions(lab: Lab) -> None:
    admin = browser(make_member(lab.institution, Role.ADMIN))
    address = f"/manage/institutions/{lab.institution.pk}/credit/"
    form = {
        "start": "90", "floor": "10", "ceiling": "110", "completed": "2", "recovery": "5", "recovery_days": "30",
        "appeal_days": "7", "lost_no_show": "30", "others": "left_dirty: 12",
    }  # fmt: skip
    page = html(admin.get(address))

    saved = admin.post(address, form)
    wrong = admin.post(address, {**form, "others": "no colon"})
    upside_down = admin.post(address, {**form, "start": "5"})

    made = CreditRules.objects.get()
    assert "No rules of your own" in page
    assert (saved.status_code, wrong.status_code, upside_down.status_code) == (302, 422, 422)
    assert (made.version, made.start, made.appeal_days) == (1, 90, 7)
    assert (made.points["no_show"], made.points["left_dirty"]) == (30, 12)
    assert browser(lab.manager).get(address).status_code == 403


# --- API ---


def test_the_whole_way_over_the_ApiClient(lab: Lab) -> None:
    booking = lab.book()
    made = ApiClient(lab.manager).post_api("/violations", {"name": "no_show", "booking": booking.pk, "reason": "Seen"})
    pk = made.json()["id"]
    mine = ApiClient(lab.engineer).get_api("/violations").json()
    appeal = ApiClient(lab.engineer).post_api(f"/violations/{pk}/appeal", {"reason": "Ill."})
    foreign = ApiClient(lab.stranger).post_api(f"/violations/{pk}/appeal", {"reason": "Me too."})
    decided = ApiClient(lab.manager).post_api(
        f"/appeals/{appeal.json()['id']}/decide", {"uphold": False, "answer": "No."}
    )
    standing = ApiClient(lab.engineer).get_api("/me/standing").json()
    struck = ApiClient(lab.manager).post_api(f"/violations/{pk}/strike-out", {"reason": "After all."})

    assert (made.status_code, appeal.status_code, foreign.status_code) == (201, 201, 404)
    assert [each["id"] for each in mine["items"]] == [pk]
    assert decided.json()["state"] == "dismissed"
    assert [(each["count"], each["limit"]) for each in standing["counters"]] == [(1.0, 3.0)]
    assert struck.json()["struck_out_at"]
    assert json.dumps(standing["barred"]) == "[]"


def test_lifting_over_the_api(lab: Lab) -> None:
    for _number in range(3):
        note(lab)
    wish = {"institution": lab.institution.pk, "person": lab.engineer.pk, "reason": "We talked."}
    barred = ApiClient(lab.engineer).get_api("/me/standing").json()["barred"]

    own = ApiClient(lab.engineer).post_api("/standings/lift", wish)
    done = ApiClient(lab.manager).post_api("/standings/lift", wish)
    again = ApiClient(lab.manager).post_api("/standings/lift", wish)

    assert [each["code"] for each in barred] == ["deny"]
    assert (own.status_code, done.status_code, again.status_code) == (404, 201, 409)
    assert ApiClient(lab.engineer).get_api("/me/standing").json()["barred"] == []


def test_a_customer_without_a_suspension_has_none_lifted(lab: Lab) -> None:
    wish = {"institution": lab.institution.pk, "organisation": lab.enterprise.pk, "reason": "We talked."}

    answer = ApiClient(lab.manager).post_api("/standings/lift", wish)

    assert answer.status_code == 409
    assert answer.json()["errors"][0]["code"] == "nothing_to_lift"


def test_a_violation_is_named_in_words_and_begun_on_the_bookings_page(lab: Lab, clock: Any) -> None:
    booking = lab.book(10, 11)
    clock.move_to(at(10))
    start_booking(booking=booking, by=booking.user)
    page = browser(lab.manager)

    there = html(page.get(f"/bookings/{booking.pk}/"))
    own = html(browser(booking.user).get(f"/bookings/{booking.pk}/"))
    form = html(page.get(f"/manage/violations/new/?booking={booking.pk}"))
    page.post("/manage/violations/new/", {"name": "Left early", "booking": booking.pk, "reason": "Seen"})

    assert f'href="/manage/violations/new/?booking={booking.pk}"' in there
    assert "/manage/violations/new/" not in own
    assert f'value="{booking.pk}"' in form
    assert '<option value="Left early">' in form
    assert Violation.objects.get().name == "early_leave"
