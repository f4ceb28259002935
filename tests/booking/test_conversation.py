"""Messages between customer and laboratory: who may write, what is kept, who is told, and who reads the files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from backend.accounts.models import Role
from backend.audit.models import Entry
from backend.core import files as kept
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Channel, Message
from backend.outbox.queries.words import shown
from booking.actions import conversation as action
from booking.actions import files
from booking.actions.conversation import OPEN_AFTER_END, add_note
from booking.models import Attachment, Note, Side
from tests.booking.lab import HTMX, NOW, Lab, browser, html, queries
from tests.factories import make_manager, make_member
from tests.parallel import at_once

pytestmark = pytest.mark.django_db
CSV = b"no,name\n1,powder\n"


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def upload(name: str = "list.csv", content: bytes = CSV) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def stored_files() -> list[str]:
    """Everything that lies in the store, with folders."""

    def walk(folder: str) -> Iterator[str]:
        try:
            folders, files = default_storage.listdir(folder)
        except FileNotFoundError:
            return
        yield from (f"{folder}/{name}" for name in files)
        for name in folders:
            yield from walk(f"{folder}/{name}")

    return sorted(walk("bookings"))


def codes(error: Any) -> list[tuple[str, str]]:
    return [(refusal.field, refusal.code) for refusal in error.value.refusals]


# --- the action ------------------------------------------------------------------------------------------------------


def test_a_note_is_kept_with_its_files() -> None:
    lab = Lab()
    booking = lab.book()

    note = add_note(
        booking=booking, by=lab.engineer, side=Side.CUSTOMER, text=" Six samples.\r\nList below. ", files=[upload()]
    )

    kept = note.attachments.get()
    assert (note.text, note.side, note.author, note.at) == ("Six samples.\nList below.", "customer", lab.engineer, NOW)
    assert (kept.name, kept.media_type, kept.size) == ("list.csv", "text/csv", len(CSV))
    assert kept.sha256 == hashlib.sha256(CSV).hexdigest()
    assert re.fullmatch(r"bookings/2026/11/[0-9a-f]{32}", kept.content.name or "")
    assert kept.content.read() == CSV
    entry = Entry.objects.get(action="note.create")
    assert (entry.organisation_id, entry.actor, entry.object_id) == (lab.institution.pk, lab.engineer, str(note.pk))
    assert entry.after == {"booking": booking.pk, "side": "customer", "files": ["list.csv"]}


def test_either_text_or_a_file_is_enough() -> None:
    lab = Lab()
    booking = lab.book()

    add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text="Hello")
    add_note(booking=booking, by=lab.manager, side=Side.LAB, files=[upload()])

    assert list(booking.conversation.values_list("side", "text")) == [("customer", "Hello"), ("lab", "")]


@pytest.mark.parametrize(
    ("text", "files", "expected"),
    [
        ("  \n", [], [("text", "empty")]),
        ("x" * 5001, [], [("text", "too_long")]),
        ("a\0b", [], [("text", "control_characters")]),
        ("hi", [("a.csv", CSV)] * 6, [("files", "too_many_files")]),
        ("hi", [("a.csv", b"")], [("files", "empty_file")]),
        ("hi", [("a.exe", b"MZ\0\0")], [("files", "file_type")]),
        (
            "x" * 5001,
            [("a.html", b"<b>"), ("b.csv", b"")],
            [("text", "too_long"), ("files", "file_type"), ("files", "empty_file")],
        ),
    ],
)  # fmt: skip
def test_everything_wrong_is_named_at_once(
    text: str, files: list[tuple[str, bytes]], expected: list[tuple[str, str]]
) -> None:
    lab = Lab()
    booking = lab.book()
    before = stored_files()

    with pytest.raises(Invalid) as caught:
        add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text=text, files=[upload(*one) for one in files])

    assert codes(caught) == expected
    assert not Note.objects.exists()
    assert stored_files() == before


def test_a_large_file_is_refused_by_name(monkeypatch: Any) -> None:
    lab = Lab()
    monkeypatch.setattr(kept, "MOST_BYTES", 10)

    with pytest.raises(Invalid) as caught:
        add_note(booking=lab.book(), by=lab.engineer, side=Side.CUSTOMER, files=[upload()])

    assert codes(caught) == [("files", "file_too_large")]
    assert str(caught.value.detail).replace("\xa0", " ") == "“list.csv” is larger than 10 bytes."


def test_a_booking_holds_so_much_and_no_more(monkeypatch: Any) -> None:
    lab = Lab()
    booking, other = lab.book(), lab.book(13, 14)
    monkeypatch.setattr(files, "MOST_BYTES_ALTOGETHER", 2 * len(CSV))
    add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, files=[upload(), upload()])
    before = stored_files()

    with pytest.raises(Refused) as caught:
        add_note(booking=booking, by=lab.manager, side=Side.LAB, files=[upload()])

    assert codes(caught) == [("", "files_quota")]
    assert stored_files() == before
    add_note(booking=booking, by=lab.manager, side=Side.LAB, text="Still open for words")
    add_note(booking=other, by=lab.manager, side=Side.LAB, files=[upload()])


def test_files_of_a_message_that_failed_are_removed(monkeypatch: Any) -> None:
    lab = Lab()
    booking = lab.book()
    before = stored_files()

    def fail(**_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(action, "record", fail)
    with pytest.raises(DatabaseError):
        add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, files=[upload(), upload("b.csv")])

    assert stored_files() == before
    assert not Note.objects.exists()
    assert not Attachment.objects.exists()


def test_files_lie_on_disk_under_names_that_say_nothing(tmp_path: Path) -> None:
    lab = Lab()
    booking = lab.book()
    disk = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}}

    with override_settings(
        STORAGES={**disk, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    ):
        add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, files=[ContentFile(CSV, name="../secret.csv")])

    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(found) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", found[0].name)
    assert Attachment.objects.get().name == "secret.csv"


def test_messages_end_90_days_after_the_booking() -> None:
    lab = Lab()
    booking = lab.book()

    with time_machine.travel(booking.end + OPEN_AFTER_END - timedelta(minutes=1), tick=False):
        add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text="A late question")
    with time_machine.travel(booking.end + OPEN_AFTER_END, tick=False), pytest.raises(Refused) as caught:
        add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text="Too late")

    assert codes(caught) == [("", "conversation_closed")]
    assert Note.objects.count() == 1


@pytest.mark.parametrize("change", ["text = 'other'", "side = 'lab'"])
def test_a_note_never_changes(change: str) -> None:
    lab = Lab()
    note = add_note(booking=lab.book(), by=lab.engineer, side=Side.CUSTOMER, text="Hello")

    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE booking_note SET {change} WHERE id = %s", [note.pk])


@pytest.mark.parallel
def test_messages_at_once_stay_within_the_booking_s_room(committed: None, monkeypatch: Any) -> None:
    lab = Lab()
    booking = lab.book()
    monkeypatch.setattr(files, "MOST_BYTES_ALTOGETHER", 3 * len(CSV))

    def send(_number: int) -> None:
        add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, files=[upload()])

    outcome = at_once([partial(send, number) for number in range(8)])

    assert len(outcome.results) == 3
    assert {type(error) for error in outcome.errors} == {Refused}
    assert Attachment.objects.count() == 3


# --- who is told -----------------------------------------------------------------------------------------------------


def told(kind: str) -> list[str]:
    rows = Message.objects.filter(kind=kind, channel=Channel.IN_APP).order_by("pk")
    return sorted(rows.values_list("recipient__email", flat=True))


def test_the_laboratory_is_told_by_the_customer_and_back() -> None:
    lab = Lab()
    booking = lab.book()

    add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text="Six <samples> & more", files=[upload()])
    add_note(booking=booking, by=lab.manager, side=Side.LAB, text="Fine")
    add_note(booking=booking, by=lab.manager, side=Side.LAB, text="Bring them at 8:30")

    assert told("booking_note_lab") == [lab.manager.email]
    assert told("booking_note") == [lab.engineer.email] * 2
    subject, body = shown(Message.objects.get(kind="booking_note_lab", channel=Channel.IN_APP))
    assert subject.startswith("Message from the customer: ")
    assert "Six <samples> & more" in body
    assert "Files: list.csv" in body


def test_an_administrator_who_asked_hears_the_answer_while_they_belong() -> None:
    lab = Lab()
    booking = lab.book()
    gone = make_member(lab.enterprise, Role.ADMIN)
    for who in (lab.boss, gone):
        add_note(booking=booking, by=who, side=Side.CUSTOMER, text="When can we bring them?")
    gone.memberships.update(ended_at=NOW)

    add_note(booking=booking, by=lab.manager, side=Side.LAB, text="At 8:30")

    assert told("booking_note") == sorted([lab.engineer.email, lab.boss.email])


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_shows_who_said_what_and_escapes_it() -> None:
    lab = Lab()
    booking = lab.book()
    add_note(
        booking=booking,
        by=lab.engineer,
        side=Side.CUSTOMER,
        text="<script>alert(1)</script>",
        files=[upload("<b>.csv")],
    )
    add_note(booking=booking, by=lab.manager, side=Side.LAB, text="Answer\nsecond line")

    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))

    assert "Messages with the lab" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "<bdi>_b_.csv</bdi>" in page
    assert "Answer<br>second line" in page
    assert f"{lab.manager} · the laboratory" in page
    assert "You · Example Materials" in page
    assert "Messages with the customer" in html(browser(lab.manager).get(f"/bookings/{booking.pk}/"))


def test_a_message_is_sent_without_loading_the_page_anew() -> None:
    lab = Lab()
    booking = lab.book()

    answer = browser(lab.manager).post(
        f"/bookings/{booking.pk}/messages/", {"text": "Fine", "files": [upload(), upload("b.csv")]}, headers=HTMX
    )

    assert html(answer).startswith('<section class="card talk"')
    note = Note.objects.get()
    assert (note.side, note.author, note.attachments.count()) == ("lab", lab.manager, 2)


def test_without_scripts_one_comes_back_to_the_messages() -> None:
    lab = Lab()
    booking = lab.book()

    answer = browser(lab.engineer).post(f"/bookings/{booking.pk}/messages/", {"text": "Hello"})

    assert (answer.status_code, answer["Location"]) == (302, f"/bookings/{booking.pk}/#talk")
    assert Note.objects.get().side == "customer"


def test_a_refusal_leaves_the_form_as_it_is() -> None:
    lab = Lab()
    booking = lab.book()

    answer = browser(lab.engineer).post(
        f"/bookings/{booking.pk}/messages/", {"files": [upload("a.exe", b"MZ\0\0")]}, headers=HTMX
    )

    assert answer["HX-Retarget"] == "#problems"
    assert "“a.exe” is of a kind that is not accepted" in html(answer, 422)


def test_the_form_is_gone_after_90_days_and_the_messages_stay() -> None:
    lab = Lab()
    booking = lab.book()
    add_note(booking=booking, by=lab.manager, side=Side.LAB, text="Your results")

    with time_machine.travel(booking.end + OPEN_AFTER_END, tick=False):
        page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))

    assert "Your results" in page
    assert "note-form" not in page
    assert "Messages end 90 days after a booking." in page


@pytest.mark.parametrize("who", ["stranger", "colleague", "other lab"])
def test_others_find_nothing(who: str) -> None:
    lab = Lab()
    booking = lab.book()
    note = add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, files=[upload()])
    person = {
        "stranger": lab.stranger,
        "colleague": make_member(lab.enterprise),
        "other lab": make_manager(Lab().institution),
    }[who]
    client, file = browser(person), note.attachments.get().pk

    answers = [
        client.post(f"/bookings/{booking.pk}/messages/", {"text": "x"}),
        client.get(f"/bookings/{booking.pk}/messages/"),
        client.get(f"/bookings/{booking.pk}/files/{file}/"),
        client.get(f"/api/v1/bookings/{booking.pk}/messages"),
        client.post(f"/api/v1/bookings/{booking.pk}/messages", {"text": "x"}, content_type="application/json"),
        client.post(f"/api/v1/bookings/{booking.pk}/files", {"files": [upload()]}),
        client.get(f"/api/v1/bookings/{booking.pk}/files/{file}"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 7
    assert Note.objects.count() == 1


def test_a_file_is_a_download_for_both_sides_only_under_its_own_booking() -> None:
    lab = Lab()
    booking, other = lab.book(), lab.book(13, 14)
    note = add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, files=[upload("报告 é.csv")])
    file = note.attachments.get()

    for person in (lab.engineer, lab.boss, lab.manager):
        answer = browser(person).get(f"/bookings/{booking.pk}/files/{file.pk}/")
        assert b"".join(answer.streaming_content) == CSV
        assert answer["Content-Disposition"].startswith("attachment; ")
        assert "filename*=UTF-8''%E6%8A%A5%E5%91%8A" in answer["Content-Disposition"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Type"] == "text/csv"
        assert answer["Cache-Control"] == "private, no-store"
    assert browser(lab.engineer).get(f"/bookings/{other.pk}/files/{file.pk}/").status_code == 404


def test_a_file_that_is_lost_is_not_found(caplog: Any) -> None:
    lab = Lab()
    booking = lab.book()
    note = add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, files=[upload()])
    file = note.attachments.get()
    default_storage.delete(file.content.name or "")

    assert browser(lab.engineer).get(f"/bookings/{booking.pk}/files/{file.pk}/").status_code == 404
    assert "is missing" in caplog.text


def test_the_page_s_queries_do_not_grow_with_the_messages() -> None:
    lab = Lab()
    booking = lab.book()
    client = browser(lab.manager)
    add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text="1", files=[upload()])
    few = queries(client, f"/bookings/{booking.pk}/")

    for number in range(12):
        add_note(booking=booking, by=lab.engineer, side=Side.CUSTOMER, text=str(number), files=[upload()])

    assert queries(client, f"/bookings/{booking.pk}/") == few


def test_the_desk_names_requests_with_messages() -> None:
    lab = Lab(approval=True)
    first, second = lab.book(), lab.book(13, 14)
    client = browser(lab.manager)
    none = queries(client, "/desk/")
    for text in ("One", "Two"):
        add_note(booking=first, by=lab.engineer, side=Side.CUSTOMER, text=text)
    add_note(booking=second, by=lab.engineer, side=Side.CUSTOMER, text="Three")
    add_note(booking=second, by=lab.manager, side=Side.LAB, text="Four")

    page = html(client.get(f"/desk/?request={first.pk}"))

    assert page.count("2 messages") == 3
    # In the list, and beside it in the request.
    assert page.count("desk-asks") == 2
    assert "the customer wrote last" in page
    # One more reads the files of the messages shown.
    assert queries(client, "/desk/") == none + 1
