"""The organisation's administrator reads its own record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import time_machine

from backend.accounts.models import Organisation, User
from backend.accounts.views.record_words import WORDS
from backend.audit.actions import record
from tests.accounts.making import browser, make_admin, queries_of
from tests.factories import make_institution, make_instrument, make_member, make_user

LOG = "/organisation/log/"


def act(
    organisation: Organisation, by: User | None = None, action: str = "organisation.change", **more: object
) -> None:
    record(
        organisation_id=organisation.pk,
        actor_id=by.pk if by else None,
        action=action,
        object_type=str(more.pop("object_type", action.split(".")[0])),
        object_id=more.pop("object_id", 1),
        **more,  # type: ignore[arg-type]
    )


def test_who_when_what_and_why(db: None) -> None:
    admin, organisation = make_admin()
    with time_machine.travel("2026-12-01T04:05:00Z", tick=False):
        act(organisation, admin, before={"name": "Old"}, after={"name": "New"}, reason="Merged")
        page = browser(admin).get(LOG).content.decode()

    for words in (str(admin), "Today 12:05", "Organisation&#x27;s data changed", "Old", "New", "Merged"):
        assert words in page


def test_names_stand_for_ids(db: None) -> None:
    admin, institution = make_admin(make_institution())
    instrument, user = make_instrument(institution), make_member(institution, user=make_user("Wang Wei"))
    act(
        institution,
        admin,
        "membership.instruments",
        object_type="member",
        object_id=user.pk,
        before={"all": True, "instruments": []},
        after={"user": user.pk, "all": False, "instruments": [instrument.pk]},
    )
    act(institution, None, "membership.roles", object_type="member", object_id=user.pk, after={"roles": ["admin"]})
    act(institution, None, "booking.request", after={"start": "2026-12-01T01:00:00Z", "organisation": institution.pk})

    page = browser(admin).get(LOG).content.decode()

    for words in ("Wang Wei", instrument.name, "Administrator", "System", "2026-12-01 09:00", institution.name):
        assert words in page


def test_unknown_acts_are_shown_as_they_are(db: None) -> None:
    admin, organisation = make_admin()
    act(organisation, admin, "novelty.happened", after={"odd": {"deep": [1, None]}, "empty": None})

    assert "novelty.happened" in browser(admin).get(LOG).content.decode()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"first", "second"}),
        ("?kind=project", {"second"}),
        ("?kind=nonsense%00", {"first", "second"}),
        ("?since=2026-12-02", {"second"}),
        ("?until=2026-12-01", {"first"}),
        ("?since=2026-12-01&until=2026-12-02", {"first", "second"}),
        ("?since=nonsense&who=x&until=9999-12-31", {"first", "second"}),
    ],
)
def test_filters(query: str, shown: set[str], db: None) -> None:
    admin, organisation = make_admin()
    with time_machine.travel("2026-12-01T15:59:00Z"):  # 23:59 in Shanghai
        act(organisation, admin, "group.create", reason="first")
    with time_machine.travel("2026-12-01T16:01:00Z"):
        act(organisation, None, "project.create", reason="second")

    page = browser(admin).get(LOG + query).content.decode()

    assert {word for word in ("first", "second") if f"Reason: {word}" in page} == shown


def test_filter_by_person(db: None) -> None:
    admin, organisation = make_admin()
    act(organisation, admin, reason="mine")
    act(organisation, None, reason="the system's")

    page = browser(admin).get(f"{LOG}?who={admin.pk}").content.decode()
    nobody = browser(admin).get(f"{LOG}?who=999999").content.decode()

    assert "mine" in page
    assert "the system" not in page
    assert "Nothing in the record" in nobody


def test_pages_and_queries(db: None) -> None:
    admin, organisation = make_admin()
    client = browser(admin)
    act(organisation, admin)
    short = queries_of(client, LOG)
    for _ in range(59):
        act(organisation, admin)

    assert queries_of(client, LOG) == short
    assert "60 entries" in client.get(LOG).content.decode()
    assert client.get(f"{LOG}?page=2").status_code == 200


def test_only_those_who_run_the_organisation(db: None) -> None:
    admin, organisation = make_admin()
    other, foreign = make_admin()
    act(foreign, other, reason="foreign secret")

    assert "foreign secret" not in browser(admin).get(LOG).content.decode()
    assert browser(make_member(organisation)).get(LOG).status_code == 403
    assert browser(make_user()).get(LOG).status_code == 404
    assert browser().get(LOG)["Location"].startswith("/account/login/")


def test_states_instruments_and_fields_are_named(db: None) -> None:
    admin, institution = make_admin(make_institution())
    instrument = make_instrument(institution)
    change = {"before": {"status": "requested"}, "after": {"status": "confirmed", "version": 2}}
    act(institution, admin, "booking.approve", **change)
    update = {"before": {"local_no": "A1"}, "after": {"local_no": "A2", "managers": [admin.pk], "sharing": "none"}}
    act(institution, admin, "instrument.update", object_id=instrument.pk, **update)
    act(institution, None, "invoice.pdf_made", after={"number": "JS-1", "sha256": "0" * 64})

    page = browser(admin).get(LOG).content.decode()

    for words in (
        "Waiting for approval",
        "Confirmed",
        instrument.name,
        "Not shared",
        "Number at the institution",
        "JS-1",
    ):
        assert words in page
    for codes in ("requested", "local_no", "sha256", "0" * 64, "version"):
        assert codes not in page


def test_every_act_has_words() -> None:
    """Acts are named in the sources only, so they are looked for there."""
    root = Path(__file__).resolve().parents[2]
    named: set[str] = set()
    for room in ("backend", "booking", "instruments", "invoices"):
        for path in (*root.glob(f"{room}/**/*actions/*.py"), *root.glob(f"{room}/**/actions.py")):
            text = path.read_text("utf-8")
            named |= {one for one in re.findall(r'"([a-z_]+\.[a-z_]+)"', text) if not one.endswith(".csv")}
            named |= {f"samples.{act}" for act in re.findall(r'note_order\(order, "([a-z_]+)"', text)}

    assert len(named) > 60
    assert sorted(named - WORDS.keys()) == []
