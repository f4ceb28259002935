"""Requests that need the agreement of other roles than the manager's, and labs with several managers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Role, User
from backend.core.errors import Forbidden, Refused
from backend.outbox.models import Message
from booking.actions.changing import reschedule_booking
from booking.actions.deciding import approve_booking, reject_booking
from booking.actions.policies import save_policy
from booking.models import Approval, Booking, Status
from booking.rules.presets import Answers, apply_presets
from tests.booking.lab import HTMX, NOW, Lab, browser, html
from tests.conftest import ApiClient
from tests.factories import at, make_instrument, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def asking(*roles: str) -> Lab:
    lab = Lab()
    document = apply_presets({}, Answers(approval="everybody", approvers=roles))
    save_policy(instrument=lab.instrument, document=document, by=lab.manager)
    return lab


def told(kind: str = "booking_requested") -> set[int]:
    return set(Message.objects.filter(kind=kind).values_list("recipient", flat=True))


def statuses(user: User, booking: Booking) -> dict[str, int]:
    client, path = browser(user), f"/bookings/{booking.pk}/"
    got = {"page": client.get(path).status_code, "desk": client.get("/desk/").status_code}
    steps = {"cancel": "reason", "start": "", "withdraw": "", "no-show": ""}
    return got | {step: client.post(f"{path}{step}/", {"version": booking.version}).status_code for step in steps}


def test_mails_go_to_exactly_those_who_must_still_agree() -> None:
    lab = asking("finance")
    finance = make_member(lab.institution, Role.FINANCE)
    make_member(make_instrument().institution, Role.FINANCE)

    lab.book()

    assert told() == {finance.pk}


def test_finance_sees_and_decides_but_has_no_other_right() -> None:
    lab = asking("manager", "finance")
    finance, colleague = make_member(lab.institution, Role.FINANCE), make_member(lab.institution)
    booking = lab.book()
    other = lab.book(13, 14)
    Booking.objects.filter(pk=other.pk).update(approval_roles=["manager"])

    assert statuses(finance, booking) == {
        "page": 200, "desk": 200, "cancel": 403, "start": 403, "withdraw": 403, "no-show": 403,
    }  # fmt: skip
    assert statuses(finance, other)["page"] == 404
    assert statuses(colleague, booking)["page"] == 404
    page = html(browser(finance).get("/desk/"))
    assert f"/desk/{booking.pk}/approve/" in page
    assert f"request={other.pk}" not in page
    assert "desk-resources" not in page
    assert browser(finance).get(f"/bookings/{booking.pk}/move/").status_code == 403


def test_finance_finds_the_desk_in_the_navigation_once_it_is_asked() -> None:
    lab = asking("finance")
    finance = make_member(lab.institution, Role.FINANCE)
    before = browser(finance).get("/desk/").status_code, "/desk/" in html(browser(finance).get("/bookings/"))

    booking = lab.book()
    after = browser(finance).get("/desk/").status_code, "/desk/" in html(browser(finance).get("/bookings/"))
    approve_booking(booking=booking, by=finance)

    assert (before, after) == ((404, False), (200, True))
    assert "All decided" in html(browser(finance).get("/desk/"))


def test_the_page_says_which_roles_have_agreed_and_which_are_open() -> None:
    lab = asking("manager", "finance", "admin")
    booking = approve_booking(booking=lab.book(), by=lab.manager)

    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))

    assert booking.status == Status.REQUESTED
    for words in ("Lab manager: agreed", "Finance: open", "Administrator: open"):
        assert words in page


def test_each_role_agrees_on_the_desk_and_the_last_one_confirms() -> None:
    lab = asking("manager", "finance")
    finance = make_member(lab.institution, Role.FINANCE)
    booking = lab.book()

    first = browser(lab.manager).post(f"/desk/{booking.pk}/approve/", {"version": 1}, headers=HTMX)
    waiting = ApiClient(lab.manager).post_api(f"/bookings/{booking.pk}/approve", {})
    second = ApiClient(finance).post_api(f"/bookings/{booking.pk}/approve", {"version": 1})

    assert "All decided" in html(first)  # the manager has nothing left to decide, though the request waits
    assert waiting.json()["errors"][0]["code"] == "already_agreed"
    assert second.json()["status"] == "confirmed"
    assert [(each["role"], each["decision"]) for each in second.json()["approvals"]] == [
        ("manager", "approved"),
        ("finance", "approved"),
    ]


def test_one_rejection_rejects_and_is_kept_as_a_decision() -> None:
    lab = asking("manager", "finance")
    finance = make_member(lab.institution, Role.FINANCE)
    booking = approve_booking(booking=lab.book(), by=lab.manager)

    answer = ApiClient(finance).post_api(f"/bookings/{booking.pk}/reject", {"reason": "No budget"})

    assert answer.json()["status"] == "rejected"
    decisions = dict(Approval.objects.values_list("role", "decision"))
    assert decisions == {"manager": "approved", "finance": "rejected"}
    assert "Finance: rejected" in html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))


def test_who_is_not_asked_neither_agrees_nor_rejects() -> None:
    lab = asking("finance")
    booking = lab.book()

    with pytest.raises(Forbidden):
        approve_booking(booking=booking, by=lab.manager)
    with pytest.raises(Forbidden):
        reject_booking(booking=booking, by=lab.manager, reason="No")
    assert ApiClient(lab.manager).post_api(f"/bookings/{booking.pk}/reject", {"reason": "No"}).status_code == 403
    assert "All decided" in html(browser(lab.manager).get("/desk/"))


def test_nobody_agrees_to_their_own_request_in_another_role() -> None:
    lab = asking("finance")
    lab.engineer = make_member(lab.enterprise, user=make_member(lab.institution, Role.FINANCE))
    booking = lab.book()

    with pytest.raises(Refused) as refused:
        approve_booking(booking=booking, by=lab.engineer)

    assert refused.value.refusals[0].code == "own_request"
    assert "/approve/" not in html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))
    assert told() == set()


def test_a_move_asks_every_role_again() -> None:
    lab = asking("manager", "finance")
    finance = make_member(lab.institution, Role.FINANCE)
    booking = approve_booking(booking=lab.book(), by=lab.manager)
    Message.objects.all().delete()

    reschedule_booking(booking=booking, by=lab.engineer, start=at(14), end=at(15))

    assert told() == {lab.manager.pk, finance.pk}


def test_stale_decisions_are_told_apart() -> None:
    lab = asking("manager")
    colleague = make_manager(lab.institution)
    booking = lab.book()
    approve_booking(booking=booking, by=lab.manager)

    page = browser(colleague).post(f"/desk/{booking.pk}/approve/", {"version": 1}, headers=HTMX)
    api = ApiClient(colleague).post_api(f"/bookings/{booking.pk}/reject", {"reason": "No"})

    assert page.status_code == 200
    assert f"{lab.manager.name} was faster: this request is “Confirmed” by now." in page.content.decode()
    assert api.status_code == 409
    assert "Confirmed" in api.json()["detail"]


# --- three managers -------------------------------------------------------------------------------------------------


class Three:
    """A lab with a manager of everything and two of chosen instruments, of which one is named here."""

    def __init__(self) -> None:
        self.lab = asking("manager")
        self.here = make_manager(self.lab.institution, all_instruments=False)
        self.elsewhere = make_manager(self.lab.institution, all_instruments=False)
        self.other = make_instrument(self.lab.institution)
        make_price_list(self.other)
        self.lab.instrument.managers.add(self.here)
        self.other.managers.add(self.elsewhere)


def test_a_manager_of_chosen_instruments_sees_and_decides_exactly_those() -> None:
    three = Three()
    booking = three.lab.book()

    for user, seen in ((three.lab.manager, True), (three.here, True), (three.elsewhere, False)):
        client, api = browser(user), ApiClient(user)
        assert (f"/desk/{booking.pk}/" in html(client.get("/desk/"))) is seen
        assert client.get(f"/bookings/{booking.pk}/").status_code == (200 if seen else 404)
        assert api.get_api("/bookings").json()["count"] == int(seen)
        assert api.get_api(f"/instruments/{three.lab.instrument.pk}/policy").status_code == (200 if seen else 403)
        assert (three.lab.instrument.local_no in html(client.get("/manage/instruments/"))) is seen
        events = client.get("/desk/events/?start=2026-11-30T16:00:00Z&end=2026-12-07T16:00:00Z").json()
        assert bool(events) is seen
    with pytest.raises(Forbidden):
        approve_booking(booking=booking, by=three.elsewhere)
    assert approve_booking(booking=booking, by=three.here).status == Status.CONFIRMED


def test_all_named_managers_get_the_mails_and_all_others_where_none_is_named() -> None:
    three = Three()
    second = make_manager(three.lab.institution)
    three.lab.instrument.managers.add(second)

    three.lab.book(9, 10)
    named = told()
    Message.objects.all().delete()
    three.lab.instrument.managers.clear()
    three.lab.book(10, 11)

    assert named == {three.here.pk, second.pk}
    assert told() == {three.lab.manager.pk, second.pk}


def test_administrators_are_asked_where_nobody_is_a_manager() -> None:
    lab = asking("manager")
    admin = make_member(lab.institution, Role.ADMIN)
    lab.manager.memberships.all().delete()

    lab.book()

    assert told() == {admin.pk}


@pytest.mark.parametrize(("who", "status"), [("admin", 200), ("everything", 200), ("chosen", 403)])
def test_who_names_the_managers_of_an_instrument(who: str, status: int) -> None:
    three = Three()
    user = {
        "admin": make_member(three.lab.institution, Role.ADMIN),
        "everything": three.lab.manager,
        "chosen": three.here,
    }[who]

    answer = ApiClient(user).patch_api(f"/instruments/{three.lab.instrument.pk}", {"managers": [three.elsewhere.pk]})
    form = html(browser(user).get(f"/manage/instruments/{three.lab.instrument.pk}/?section=place"))

    assert answer.status_code == status
    assert ('name="managers"' in form) is (status == 200)
    named = {three.elsewhere.pk} if status == 200 else {three.here.pk}
    assert set(three.lab.instrument.managers.values_list("pk", flat=True)) == named


def test_only_current_managers_can_be_named() -> None:
    three = Three()
    gone = make_manager(three.lab.institution)
    gone.memberships.update(ended_at=NOW)

    for user in (gone, make_member(three.lab.institution, Role.ADMIN), make_manager(make_instrument().institution)):
        path = f"/instruments/{three.lab.instrument.pk}"
        answer = ApiClient(three.lab.manager).patch_api(path, {"managers": [user.pk]})
        assert answer.json()["errors"][0]["code"] == "not_a_manager"
