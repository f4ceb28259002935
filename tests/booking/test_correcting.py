"""Putting a logged use right before it is verified, and correcting it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from backend.accounts.models import Role, User
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.correcting import amend_usage, correct_usage, preview_change
from booking.actions.using import finish_booking, record_usage, verify_usage
from booking.models import Usage, UsageState
from booking.queries.owed import owed_for
from instruments.models import Instrument
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState
from tests.booking.lab import HTMX, TODAY, Lab, browser, html, wall
from tests.conftest import ApiClient
from tests.factories import DAY, at, make_manager, make_member, make_price_list
from tests.parallel import at_once

pytestmark = pytest.mark.django_db

BY_USE = {
    "name": "By use",
    "currency": "CNY",
    "rules": [{"code": "time", "name": "Time", "kind": "price", "required": True, "qty": ["used"], "rate": 100}],
}


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(at(9, day=TODAY), tick=False) as traveller:
        yield traveller


def make_lab() -> Lab:
    lab = Lab()
    make_price_list(lab.instrument, BY_USE, valid_from=date(2026, 11, 1))
    return lab


def submitted(lab: Lab, clock: Any, *, user: User | None = None) -> Usage:
    """Booked and used 09:00–12:00 on DAY; the clock then stands at 21:00."""
    booking = lab.book(user=user)
    clock.move_to(at(21))
    return finish_booking(booking=booking, by=booking.user)


def verified(lab: Lab, clock: Any) -> Usage:
    return verify_usage(usage=submitted(lab, clock), by=lab.manager)


def correct(usage: Usage, by: User, **changes: Any) -> Usage:
    told = {name: getattr(usage, name) for name in ("start", "end", "samples", "parameters", "comment")}
    return correct_usage(usage=usage, by=by, **{**told, "reason": "The device log says so", **changes})


def amend(usage: Usage, by: User, **changes: Any) -> Usage:
    told = {name: getattr(usage, name) for name in ("start", "end", "samples", "parameters", "comment")}
    return amend_usage(usage=usage, by=by, **{**told, **changes})


# --- before verification --------------------------------------------------------------------------------------------


def test_amending_changes_the_record_that_waits(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    amend(usage, lab.manager, end=at(11), reason="typo")

    fresh = Usage.objects.get()
    assert (fresh.pk, fresh.end, fresh.state) == (usage.pk, at(11), UsageState.SUBMITTED)
    entry = Entry.objects.filter(action="usage.amend").get()
    assert (entry.reason, entry.actor_id) == ("typo", lab.manager.pk)
    assert entry.before["end"] != entry.after["end"]
    verify_usage(usage=fresh, by=lab.manager)
    assert Charge.objects.get().total == Decimal(200)


def test_amending_with_the_same_writes_nothing(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    amend(usage, lab.manager)

    assert not Entry.objects.filter(action="usage.amend").exists()


def test_a_verified_record_is_not_amended(clock: Any) -> None:
    lab = make_lab()

    with pytest.raises(Refused) as refused:
        amend(verified(lab, clock), lab.manager, end=at(11))

    assert refused.value.refusals[0].code == "wrong_status"


# --- after verification ---------------------------------------------------------------------------------------------


def test_a_correction_is_a_new_verified_record_that_prices_anew(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)

    new = correct(old, lab.manager, end=at(11))

    old.refresh_from_db()
    assert old.end == at(12)
    assert (new.corrects_id, new.state, new.verified_by, new.end) == (old.pk, UsageState.VERIFIED, lab.manager, at(11))
    assert new.source_ref == f"correction:{old.uid}"
    charge = Charge.objects.get()
    assert (charge.state, charge.total) == (ChargeState.FINAL, Decimal(200))
    assert charge.differences == [
        "Used 2 h instead of the booked 3 h.",
        "Time: 200.00 instead of 300.00.",
        "Corrected: The device log says so",
    ]
    entry = Entry.objects.filter(action="usage.correct").get()
    assert (entry.object_id, entry.reason) == (str(new.pk), "The device log says so")


def test_the_price_version_that_the_booking_kept_holds(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    dearer = {**BY_USE, "rules": [{**BY_USE["rules"][0], "rate": 900}]}  # type: ignore[dict-item]
    make_price_list(lab.instrument, dearer, valid_from=date(2026, 11, 30))

    correct(old, lab.manager, end=at(11))

    assert Charge.objects.get().total == Decimal(200)


def test_after_an_invoice_only_the_difference_is_charged(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    finance = make_member(lab.institution, Role.FINANCE)
    ids = {"institution_id": lab.institution.pk, "customer_id": lab.enterprise.pk}
    issue_invoice(invoice=draft_invoice(**ids, period="2026-12", by=finance), by=finance)

    new = correct(old, lab.manager, end=at(11))

    first, later = Charge.objects.order_by("pk")
    assert (first.state, first.total) == (ChargeState.INVOICED, Decimal(300))
    assert (later.state, later.total, later.original) == (ChargeState.FINAL, Decimal(-100), first)
    assert later.differences == [
        "Corrected: The device log says so",
        "Used 09:00–11:00 (2 h), not 09:00–12:00 (3 h).",
        "Time: 200.00 instead of 300.00.",
    ]
    assert owed_for([new])[new.pk].total == Decimal(200)
    assert "¥200.00" in html(browser(lab.engineer).get("/bookings/past/"))


def test_a_chain_grows_at_its_end_only(clock: Any) -> None:
    lab = make_lab()
    first = verified(lab, clock)
    second = correct(first, lab.manager, end=at(11))

    with pytest.raises(Refused) as refused:
        correct(first, lab.manager, end=at(10))
    third = correct(second, lab.manager, end=at(10))

    assert refused.value.refusals[0].code == "corrected_already"
    assert refused.value.refusals[0].params == {"newest": second.pk}
    assert Charge.objects.get().total == Decimal(100)
    assert owed_for([third])[third.pk].total == Decimal(100)
    assert Usage.objects.filter(corrected_by=None).get() == third


def test_a_use_without_booking_is_corrected_too(clock: Any) -> None:
    lab = make_lab()
    clock.move_to(at(21))
    first = record_usage(
        by=lab.manager, source_ref="device/1", instrument=lab.instrument, user=lab.engineer,
        organisation=lab.enterprise, start=at(9), end=at(12),
    )  # fmt: skip
    verify_usage(usage=first, by=lab.manager)
    first.refresh_from_db()

    second = correct(first, lab.manager, end=at(11))
    third = correct(second, lab.manager, end=at(13))

    charge = Charge.objects.get()
    assert (charge.source, charge.source_uid, charge.total) == ("usage", first.uid, Decimal(400))
    assert owed_for([third])[third.pk].first == charge
    assert Message.objects.filter(kind="usage_corrected", path=f"/usage/{third.pk}/").exists()


def test_the_customer_is_told_each_time_and_why(clock: Any) -> None:
    lab = make_lab()
    first = verified(lab, clock)

    second = correct(first, lab.manager, end=at(11))
    correct(second, lab.manager, end=at(10))

    told = Message.objects.filter(kind="usage_corrected", recipient=lab.engineer, channel="mail").order_by("pk")
    assert [(row.context["was"], row.context["total"]) for row in told] == [("300.00", "200.00"), ("200.00", "100.00")]
    assert told[0].context["reason"] == "The device log says so"


REFUSALS: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "no reason": ({"reason": "  "}, Invalid, "required"),
    "nothing different": ({}, Refused, "nothing_changed"),
    "seconds": ({"end": at(11) + timedelta(seconds=5)}, Invalid, "whole_minutes"),
    "reversed": ({"end": at(8)}, Invalid, "end_before_start"),
    "in the future": ({"end": at(23)}, Invalid, "in_future"),
    "far from the booking": (
        {"start": at(9, day=DAY - timedelta(days=3)), "end": at(10, day=DAY - timedelta(days=3))},
        Invalid,
        "far_from_booking",
    ),
    "an unknown parameter": ({"parameters": {"vacuum": 1}}, Refused, "unknown_parameter"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_correction_is_refused_with_a_reason_and_changes_nothing(clock: Any, case: str) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    changes, error, code = REFUSALS[case]

    with pytest.raises(error) as caught:
        correct(old, lab.manager, **changes)

    assert caught.value.refusals[0].code == code  # type: ignore[attr-defined]
    assert Usage.objects.count() == 1
    assert Charge.objects.get().total == Decimal(300)


def test_a_record_that_waits_is_not_corrected(clock: Any) -> None:
    lab = make_lab()

    with pytest.raises(Refused) as refused:
        correct(submitted(lab, clock), lab.manager, end=at(11))

    assert refused.value.refusals[0].code == "wrong_status"


def test_nobody_corrects_their_own_use(clock: Any) -> None:
    lab = make_lab()
    make_member(lab.enterprise, user=lab.manager)
    usage = verify_usage(usage=submitted(lab, clock, user=lab.manager), by=make_manager(lab.institution))

    with pytest.raises(Refused) as refused:
        correct(usage, lab.manager, end=at(11))

    assert refused.value.refusals[0].code == "own_use"


def test_the_preview_says_the_difference_and_writes_nothing(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    told = {name: getattr(old, name) for name in ("start", "samples", "parameters", "comment")}

    change = preview_change(usage=old, end=at(13), **told)

    assert (change.before, change.price.total, change.difference) == (Decimal(300), Decimal(400), Decimal(100))
    assert change.sentences[-1] == "Time: 400.00 instead of 300.00."
    assert Usage.objects.count() == 1


@pytest.mark.parametrize("reference", ["booking:x", "correction:x"])
def test_our_own_references_cannot_be_taken(clock: Any, reference: str) -> None:
    lab = make_lab()
    booking = lab.book()
    clock.move_to(at(21))

    with pytest.raises(Invalid) as invalid:
        finish_booking(booking=booking, by=lab.manager, source_ref=reference)

    assert invalid.value.refusals[0].code == "reserved"


# --- on the database's word -----------------------------------------------------------------------------------------


def update(**values: Any) -> Callable[[Usage], Any]:
    return lambda usage: Usage.objects.filter(pk=usage.pk).update(**values)


@pytest.mark.parametrize(
    "change",
    [
        update(end=at(20)),
        update(state=UsageState.SUBMITTED),
        update(samples=9),
        update(reason="other"),
        lambda usage: Usage.objects.filter(pk=usage.pk).delete(),
    ],
    ids=["end", "state", "samples", "reason", "delete"],
)
def test_correction_and_corrected_record_are_immutable(clock: Any, change: Callable[[Usage], Any]) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    new = correct(old, lab.manager, end=at(11))

    for usage in (new, old):
        with pytest.raises(IntegrityError), transaction.atomic():
            change(usage)


@pytest.mark.parallel
def test_of_parallel_corrections_one_wins(committed: None) -> None:
    with time_machine.travel(at(9, day=TODAY)) as clock:
        lab = make_lab()
        old = verified(lab, clock)

        outcome = at_once([partial(correct, old, lab.manager, end=at(10 + n % 2, 30)) for n in range(8)])

    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": 7}
    assert Usage.objects.filter(corrects=old).count() == 1
    assert Charge.objects.get().total == owed_for(outcome.results)[outcome.results[0].pk].total


def test_a_second_correction_of_the_same_record_is_refused_by_the_database(clock: Any) -> None:
    """The lock's negative control: without it, the column is unique."""
    lab = make_lab()
    old = verified(lab, clock)
    correct(old, lab.manager, end=at(11))
    copy = {name: getattr(old, name) for name in ("instrument", "organisation", "user", "start", "end", "recorded_by")}

    with pytest.raises(IntegrityError), transaction.atomic():
        Usage.objects.create(**copy, source_ref="other", state=UsageState.VERIFIED, corrects=old)


# --- the API --------------------------------------------------------------------------------------------------------


def test_the_api_amends_and_corrects(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)
    client = ApiClient(lab.manager)

    amended = client.patch_api(f"/usage/{usage.pk}", {"end": at(11).isoformat()})
    client.post_api(f"/usage/{usage.pk}/verify")
    made = client.post_api(f"/usage/{usage.pk}/correct", {"end": at(10).isoformat(), "reason": "typo"})

    assert amended.status_code == 200, amended.content
    assert amended.json()["end"] == "2026-12-01T11:00:00+08:00"
    assert made.status_code == 201, made.content
    assert (made.json()["corrects"], made.json()["reason"]) == (usage.pk, "typo")
    listed = client.get_api("/usage").json()
    assert [row["id"] for row in listed["items"]] == [made.json()["id"]]
    everything = client.get_api("/usage", corrected="true").json()["items"]
    assert {row["id"]: row["corrected_by"] for row in everything} == {
        usage.pk: made.json()["id"],
        made.json()["id"]: None,
    }
    assert client.post_api(f"/usage/{usage.pk}/correct", {"reason": "again"}).status_code == 409
    assert client.post_api(f"/usage/{usage.pk}/correct", {"end": at(10).isoformat()}).status_code == 422


def test_null_in_the_body_leaves_the_time_as_it_is(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    answer = ApiClient(lab.manager).patch_api(f"/usage/{usage.pk}", {"end": None, "comment": None, "samples": None})

    assert answer.status_code == 200
    assert answer.json()["end"] == "2026-12-01T12:00:00+08:00"


def test_who_may_amend_and_correct(clock: Any) -> None:
    lab, other = make_lab(), make_lab()
    usage = verified(lab, clock)
    paths = [f"/usage/{usage.pk}/preview/", f"/usage/{usage.pk}/amend/", f"/usage/{usage.pk}/correct/"]
    strangers = [lab.stranger, other.manager]

    for path in paths:
        assert [browser(who).post(path).status_code for who in strangers] == [404, 404]
        assert browser(lab.engineer).post(path).status_code == 403
    for who in strangers:
        assert browser(who).get(f"/usage/{usage.pk}/").status_code == 404
        assert ApiClient(who).get_api(f"/usage/{usage.pk}").status_code == 404
        assert ApiClient(who).patch_api(f"/usage/{usage.pk}", {}).status_code == 404
        assert ApiClient(who).post_api(f"/usage/{usage.pk}/correct", {"reason": "r"}).status_code == 404
    assert ApiClient(lab.engineer).post_api(f"/usage/{usage.pk}/correct", {"reason": "r"}).status_code == 403
    assert ApiClient(lab.engineer).patch_api(f"/usage/{usage.pk}", {}).status_code == 403
    assert Usage.objects.count() == 1


# --- the pages ------------------------------------------------------------------------------------------------------


def form(usage: Usage, **changes: Any) -> dict[str, Any]:
    assert usage.end is not None
    return {"start": wall(usage.start), "end": wall(usage.end), "samples": "", "comment": "", **changes}


def test_the_page_previews_corrects_and_shows_the_chain(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    client = browser(lab.manager)

    preview = html(client.post(f"/usage/{old.pk}/preview/", form(old, end=wall(at(11))), headers=HTMX))
    plain = html(client.post(f"/usage/{old.pk}/preview/", form(old, end=wall(at(11)))))
    done = client.post(f"/usage/{old.pk}/correct/", form(old, end=wall(at(11)), reason="typo"))
    new = Usage.objects.get(corrects=old)
    page, before = html(client.get(f"/usage/{new.pk}/")), html(client.get(f"/usage/{old.pk}/"))

    assert "¥200.00" in preview
    assert "100.00" in preview
    assert "<html" not in preview
    assert "What this changes" in plain
    assert "<html" in plain
    assert done.status_code == 302
    assert done["Location"] == f"/usage/{new.pk}/"
    assert "Corrections" in page
    assert "typo" in page
    assert "Quote and charge" in page
    assert "A newer record has taken the place" in before
    assert f'action="/usage/{old.pk}/correct/"' not in before


def test_the_customer_reads_the_record_and_cannot_change_it(clock: Any) -> None:
    lab = make_lab()
    usage = verified(lab, clock)

    page = html(browser(lab.engineer).get(f"/usage/{usage.pk}/"))

    assert "Quote and charge" in page
    assert "Correct the record" not in page


def test_the_page_changes_a_record_that_waits(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    browser(lab.manager).post(f"/usage/{usage.pk}/amend/", form(usage, end=wall(at(11)), comment="Gun changed"))

    usage.refresh_from_db()
    assert (usage.end, usage.comment) == (at(11), "Gun changed")


def test_the_record_is_verified_on_its_page_which_then_shows_the_charge(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)
    client = browser(lab.manager)
    assert "Verifying makes the charge final." in html(client.get(f"/usage/{usage.pk}/"))

    answer = client.post(f"/usage/{usage.pk}/verify/", {"back": "record"})

    assert (answer.status_code, answer["Location"]) == (302, f"/usage/{usage.pk}/")
    page = html(client.get(f"/usage/{usage.pk}/"))
    assert "Verifying makes" not in page
    assert "Quote and charge" in page


def test_a_time_that_the_clock_shows_twice_is_asked_about_in_the_form(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)
    Instrument.objects.update(timezone="Europe/Berlin")
    client, times = browser(lab.manager), {"start": "2025-10-26T02:30", "end": "2025-10-26T06:00"}

    for step in ("preview", "amend", "correct"):
        answer = client.post(f"/usage/{usage.pk}/{step}/", form(usage, reason="typo", **times), headers=HTMX)
        assert (answer.status_code, answer["HX-Retarget"]) == (422, "#which")
        assert "Which start is meant?" in html(answer, 422)

    said = form(usage, **times, start_fold="1")
    answered = html(client.post(f"/usage/{usage.pk}/preview/", said, headers=HTMX), 422)
    assert "Which start is meant?" not in answered
    assert "must lie within a day of the booked time" in answered


def test_own_use_is_not_offered_for_verifying(clock: Any) -> None:
    lab = make_lab()
    make_member(lab.enterprise, user=lab.manager)
    usage = submitted(lab, clock, user=lab.manager)

    page = html(browser(lab.manager).get(f"/usage/{usage.pk}/"))

    assert "a colleague verifies it" in page
    assert f"/usage/{usage.pk}/verify/" not in page


def test_the_customer_is_not_offered_verifying(clock: Any) -> None:
    lab = make_lab()
    usage = submitted(lab, clock)

    page = html(browser(lab.engineer).get(f"/usage/{usage.pk}/"))

    assert f"/usage/{usage.pk}/verify/" not in page
    assert "a colleague verifies it" not in page


def test_the_booking_page_compares_quote_and_charge(clock: Any) -> None:
    lab = make_lab()
    old = verified(lab, clock)
    correct(old, lab.manager, end=at(11))

    for who in (lab.engineer, lab.manager):
        page = html(browser(who).get(f"/bookings/{old.booking_id}/"))
        assert "Charged" in page
        assert "¥300.00" in page
        assert "¥200.00" in page
        assert "Corrected: The device log says so" in page
        assert "Use corrected" in page


def test_a_use_without_booking_is_logged_on_a_page(clock: Any) -> None:
    lab = make_lab()
    submitted(lab, clock)  # so that the enterprise is a customer
    client, path = browser(lab.manager), f"/manage/instruments/{lab.instrument.pk}/usage/new/"
    data = {
        "reference": "b1f0e0de-0000-4000-8000-000000000001", "email": lab.engineer.email.upper(),
        "start": wall(at(15)), "end": wall(at(16)), "samples": "", "comment": "",
    }  # fmt: skip

    assert "Who used it" in html(client.get(path))
    first = client.post(path, data)
    again = client.post(path, data)
    unknown = client.post(path, {**data, "email": lab.stranger.email})

    made = Usage.objects.get(booking=None)
    assert first["Location"] == again["Location"] == f"/usage/{made.pk}/"
    assert (made.user, made.organisation, made.state) == (lab.engineer, lab.enterprise, UsageState.SUBMITTED)
    assert unknown.status_code == 422
    assert f'href="{path}"' in html(client.get("/usage/new/"))
    assert browser(lab.engineer).get(path).status_code == 403
    assert browser(lab.engineer).get("/usage/new/").status_code == 404
