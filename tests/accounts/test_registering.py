"""An enterprise registers; the network confirms or refuses it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache

from backend.accounts.actions import NewPerson
from backend.accounts.models import Organisation, OrganisationStatus, Registration, RegistrationStatus, User
from backend.accounts.own_actions.registering import (
    change_registration,
    confirm_registration,
    refuse_registration,
    register_enterprise,
)
from backend.accounts.queries import access_of
from backend.audit.actions import faults
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.requesting import request_booking
from tests.accounts.making import (
    ENTERPRISE,
    GOOD,
    LETTER,
    OTHER,
    PASSWORD,
    PERSON,
    WRONG,
    browser,
    make_operator,
    prefixed,
    queries_of,
)
from tests.factories import at, make_enterprise, make_instrument, make_price_list, make_user
from tests.parallel import at_once


@pytest.fixture(autouse=True)
def _empty_cache(db: None) -> None:
    cache.clear()


def register(by: User | None = None, **changes: str) -> Registration:
    return register_enterprise(enterprise={**ENTERPRISE, **changes}, by=by or make_user())


def post(client: Any = None, person: dict[str, str] | None = None, htmx: bool = False, **changes: str) -> Any:
    data = {**prefixed("person", {**PERSON, **(person or {})}), **prefixed("enterprise", {**ENTERPRISE, **changes})}
    headers = {"HX-Request": "true"} if htmx else {}
    return (client or browser()).post("/register/", data, headers=headers)


# --- actions ----------------------------------------------------------------------------------------------------------


def test_an_enterprise_is_pending_and_its_person_runs_it_later() -> None:
    user, operator = make_user(), make_operator()

    registration = register(user)

    organisation = registration.organisation
    assert (organisation.status, organisation.uscc) == (OrganisationStatus.PENDING, GOOD)
    assert access_of(user).where() == []
    assert sorted(user.memberships.values_list("role", flat=True)) == ["admin", "member"]
    assert Entry.objects.get().action == "registration.submit"
    assert set(Message.objects.values_list("kind", "recipient")) == {("registration_received", operator.pk)}


def test_a_new_person_comes_with_it() -> None:
    person = NewPerson(email="LI@acme.example", name="Li", password=PASSWORD)

    user = register_enterprise(enterprise=ENTERPRISE, by=person).user

    assert user.email == "li@acme.example"
    assert user.check_password(PASSWORD)
    assert not EmailAddress.objects.get(user=user).verified


@pytest.mark.parametrize("code", [WRONG, "", "91350100M000100Y44"])
def test_a_wrong_code_registers_nothing(code: str) -> None:
    with pytest.raises(Invalid):
        register(uscc=code)

    assert not Organisation.objects.exists()


def test_a_known_code_is_told_to_ask_and_not_whom() -> None:
    make_enterprise(name="Secret Name", uscc=GOOD)

    with pytest.raises(Refused) as caught:
        register()

    refusal = caught.value.refusals[0]
    assert (refusal.code, refusal.field) == ("uscc_known", "uscc")
    assert str(refusal.fix_text) == "Ask its administrator for an invitation."
    assert "Secret" not in str(refusal)
    assert not Registration.objects.exists()


def test_a_known_address_is_told_to_sign_in() -> None:
    make_user(email="li@acme.example")

    with pytest.raises(Invalid) as caught:
        register_enterprise(enterprise=ENTERPRISE, by=NewPerson(email="Li@acme.example", name="Li", password=PASSWORD))

    assert caught.value.refusals[0].code == "email_known"
    assert not Organisation.objects.exists()


def test_too_many_registrations_of_one_person() -> None:
    user = make_user()
    for code in (GOOD, OTHER, LETTER):
        register(user, uscc=code)

    with pytest.raises(Refused) as caught:
        register(user, uscc="91110000600037341L")

    assert caught.value.refusals[0].code == "too_many"


def test_data_can_be_completed_while_it_waits() -> None:
    registration = register()

    change_registration(registration=registration, enterprise={**ENTERPRISE, "bank": "Bank"}, by=registration.user)
    change_registration(registration=registration, enterprise={**ENTERPRISE, "bank": "Bank"}, by=registration.user)

    registration.organisation.refresh_from_db()
    assert registration.organisation.bank == "Bank"
    assert list(Entry.objects.values_list("action", "before", "after"))[1:] == [
        ("registration.change", {"bank": ""}, {"bank": "Bank"})
    ]


def test_confirmed_it_acts_and_the_person_hears() -> None:
    registration = register()
    operator = make_operator()

    confirm_registration(registration=registration, by=operator)

    access = access_of(registration.user)
    assert access.has(registration.organisation_id, "admin")
    assert Message.objects.filter(kind="registration_confirmed", recipient=registration.user).count() == 2
    assert list(faults()) == []


def test_a_letter_needs_a_note() -> None:
    registration = register(uscc=LETTER)
    operator = make_operator()

    assert registration.needs_review
    with pytest.raises(Invalid) as caught:
        confirm_registration(registration=registration, by=operator, note=" ")
    confirmed = confirm_registration(registration=registration, by=operator, note="Compared with the licence")

    assert caught.value.refusals[0].code == "review_note"
    assert (confirmed.status, confirmed.note) == ("confirmed", "Compared with the licence")
    assert Entry.objects.latest("pk").reason == "Compared with the licence"


def test_refused_it_gives_the_code_back() -> None:
    registration = register()

    refuse_registration(registration=registration, by=make_operator(), reason="Not the same name")

    registration.organisation.refresh_from_db()
    assert (registration.organisation.status, registration.organisation.uscc) == (OrganisationStatus.CLOSED, None)
    assert Message.objects.filter(kind="registration_refused", context__note="Not the same name").count() == 2
    assert register().status == RegistrationStatus.PENDING


def test_a_refusal_has_a_reason() -> None:
    with pytest.raises(Invalid):
        refuse_registration(registration=register(), by=make_operator(), reason="  ")


def test_refused_it_can_be_submitted_again() -> None:
    operator = make_operator()
    registration = register()
    refuse_registration(registration=registration, by=operator, reason="Wrong name")

    again = change_registration(
        registration=registration, enterprise={**ENTERPRISE, "name": "Right"}, by=registration.user
    )

    organisation = Organisation.objects.get(pk=registration.organisation_id)
    assert (again.status, again.decided_at) == (RegistrationStatus.PENDING, None)
    assert (organisation.status, organisation.name, organisation.uscc) == (OrganisationStatus.PENDING, "Right", GOOD)
    assert Message.objects.filter(kind="registration_received").values("key").distinct().count() == 2


def test_submitting_again_does_not_take_a_code_from_another() -> None:
    registration = register()
    refuse_registration(registration=registration, by=make_operator(), reason="Wrong")
    make_enterprise(uscc=GOOD)

    with pytest.raises(Refused) as caught:
        change_registration(registration=registration, enterprise=ENTERPRISE, by=registration.user)

    assert caught.value.refusals[0].code == "uscc_known"


@pytest.mark.parametrize("decided", ["confirm", "refuse"])
def test_a_decision_is_made_once(decided: str) -> None:
    registration, operator = register(), make_operator()
    if decided == "confirm":
        confirm_registration(registration=registration, by=operator)
    else:
        refuse_registration(registration=registration, by=operator, reason="No")

    with pytest.raises(Refused):
        confirm_registration(registration=registration, by=operator)
    with pytest.raises(Refused):
        refuse_registration(registration=registration, by=operator, reason="No")


def test_a_confirmed_one_is_changed_elsewhere() -> None:
    registration = register()
    confirm_registration(registration=registration, by=make_operator())

    with pytest.raises(Refused):
        change_registration(registration=registration, enterprise=ENTERPRISE, by=registration.user)


@pytest.mark.parallel
def test_one_code_is_registered_once(committed: None) -> None:
    people = [make_user() for _ in range(6)]

    outcome = at_once([partial(register, user) for user in people])

    assert len(outcome.results) == 1
    assert set(outcome.error_counts()) <= {"Refused", "Busy"}
    assert Organisation.objects.filter(uscc=GOOD).count() == 1


def test_while_pending_nothing_is_booked() -> None:
    registration = register()
    instrument = make_instrument()
    make_price_list(instrument)

    with pytest.raises(Refused) as caught:
        request_booking(
            by=registration.user,
            user=registration.user,
            organisation=registration.organisation,
            instrument=instrument,
            start=at(9),
            end=at(10),
            mode="operator",
            purpose="Test",
        )

    assert "not_active" in {refusal.code for refusal in caught.value.refusals}


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_visitor_registers_and_is_signed_in() -> None:
    client = browser()

    answer = post(client)

    registration = Registration.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/register/{registration.pk}/")
    assert client.session["_auth_user_id"] == str(registration.user_id)
    page = client.get("/organisation/", follow=True)
    assert page.redirect_chain == [(f"/register/{registration.pk}/", 302)]
    assert b"To be confirmed by the network" in page.content
    assert "/account/confirm-email/" in mail.outbox[-1].body
    assert client.get("/api/v1/me").json()["organisations"] == []


def test_htmx_is_led_onward() -> None:
    answer = post(htmx=True)

    assert answer["HX-Redirect"] == f"/register/{Registration.objects.get().pk}/"


def test_who_is_signed_in_gives_the_enterprise_only() -> None:
    user = make_user()
    client = browser(user)

    page = client.get("/register/")
    answer = client.post("/register/", prefixed("enterprise", ENTERPRISE))

    assert b"person-password1" not in page.content
    assert answer.status_code == 302
    assert Registration.objects.get().user == user


@pytest.mark.parametrize(
    ("person", "enterprise", "words"),
    [
        ({"password2": "other"}, {}, "The two passwords differ."),
        ({"password1": "short", "password2": "short"}, {}, "too short"),
        ({"password1": "li@acme.example", "password2": "li@acme.example"}, {}, "too similar"),
        ({"email": "nonsense"}, {}, "valid email"),
        ({"name": ""}, {}, "required"),
        ({"name": "Li\x00"}, {}, "Null characters"),
        ({"name": "Li\x07"}, {}, "Control characters"),
        ({"name": "x" * 81}, {}, "At most 80"),
        ({}, {"uscc": WRONG}, "capital letters without"),
        ({}, {"uscc": "123"}, "has 18 signs"),
        ({}, {"name": ""}, "required"),
        ({}, {"address": ""}, "required"),
    ],
)
def test_a_form_with_errors_comes_back_with_them(
    person: dict[str, str], enterprise: dict[str, str], words: str
) -> None:
    answer = post(person=person, **enterprise)
    fragment = post(person=person, htmx=True, **enterprise)

    assert answer.status_code == fragment.status_code == 422
    assert words in answer.content.decode()
    assert b"<html" not in fragment.content
    assert not User.objects.exists()


def test_a_typed_password_stays_while_other_fields_are_put_right() -> None:
    wrong_code = post(htmx=True, uscc=WRONG).content.decode()
    wrong_password = post(htmx=True, person={"password1": "short", "password2": "short"}).content.decode()

    assert wrong_code.count('hx-preserve="true"') == 2
    assert PERSON["password1"] not in wrong_code
    assert "hx-preserve" not in wrong_password


def test_a_known_enterprise_is_refused_on_the_page() -> None:
    make_enterprise(uscc=GOOD)

    answer = post()

    assert answer.status_code == 409
    assert b"Ask its administrator for an invitation." in answer.content
    assert not User.objects.filter(email=PERSON["email"]).exists()


def test_registering_is_throttled() -> None:
    answers = [post(uscc=WRONG, person={"email": f"p{n}@acme.example"}) for n in range(11)]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert answers[-1]["Retry-After"] == "60"


def test_registering_is_throttled_per_account() -> None:
    data = {**prefixed("person", PERSON), **prefixed("enterprise", {**ENTERPRISE, "uscc": WRONG})}
    answers = [browser().post("/register/", data, REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(6)]

    assert answers == [422] * 5 + [429]


def test_the_person_corrects_on_their_page() -> None:
    registration = register()
    refuse_registration(registration=registration, by=make_operator(), reason="The name differs from the licence")
    client, path = browser(registration.user), f"/register/{registration.pk}/"

    shown = client.get(path)
    wrong = client.post(path, prefixed("enterprise", {**ENTERPRISE, "uscc": WRONG}))
    right = client.post(path, prefixed("enterprise", ENTERPRISE))

    assert b"The name differs from the licence" in shown.content
    assert (wrong.status_code, right.status_code) == (422, 302)
    registration.refresh_from_db()
    assert registration.status == RegistrationStatus.PENDING


def test_a_confirmed_registration_is_only_shown() -> None:
    registration = register()
    confirm_registration(registration=registration, by=make_operator())

    page = browser(registration.user).get(f"/register/{registration.pk}/")

    assert b"Confirmed. You can book." in page.content
    assert b"enterprise-name" not in page.content


def test_strangers_find_no_registration() -> None:
    registration = register()

    for user in (make_user(), make_operator()):
        assert browser(user).get(f"/register/{registration.pk}/").status_code == 404
    assert browser(registration.user).get("/register/999999/").status_code == 404
    assert browser().get(f"/register/{registration.pk}/")["Location"].startswith("/account/login/")


def test_the_operator_decides_on_the_page() -> None:
    first, second = register(), register(uscc=LETTER, name="Letters Ltd.")
    client = browser(make_operator())

    page = client.get("/registrations/")
    confirmed = client.post(f"/registrations/{first.pk}/confirm/")
    unread = client.post(f"/registrations/{second.pk}/confirm/")
    refused = client.post(f"/registrations/{second.pk}/refuse/", {"reason": "No licence"})

    assert b"Acme Ltd." in page.content
    assert b"begins with a letter" in page.content
    assert b"address not confirmed" in page.content
    assert [answer.status_code for answer in (confirmed, unread, refused)] == [302, 422, 302]
    assert b"No licence" in client.get("/registrations/?status=refused").content
    assert b"Nothing waits" in client.get("/registrations/?status=nonsense").content


def test_only_operators_see_registrations() -> None:
    registration = register()
    confirm_registration(registration=registration, by=make_operator())

    for path in ("/registrations/", f"/registrations/{registration.pk}/confirm/"):
        client = browser(registration.user)
        answer = client.get(path) if path == "/registrations/" else client.post(path)
        assert answer.status_code == 404
        assert browser().post(path).status_code in {302, 405}


def test_the_list_takes_the_same_queries_at_any_length() -> None:
    client = browser(make_operator())
    counts = []
    for number in (1, 19):
        for _ in range(number):
            organisation = make_enterprise(status=OrganisationStatus.PENDING)
            Registration.objects.create(
                organisation=organisation, user=make_user(), uscc=GOOD, submitted_at="2026-12-01T00:00Z"
            )
        counts.append(queries_of(client, "/registrations/"))

    assert counts[0] == counts[1]
