"""What insiders and outsiders might try against one another, and against the site itself."""

from __future__ import annotations

import io
import time
import zipfile
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile

from backend.accounts.models import Membership
from backend.core.attachments import media_type_of
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.correcting import amend_usage
from booking.actions.no_shows import mark_no_show
from booking.actions.outages import create_outage, delete_outage
from booking.actions.requesting import request_booking
from booking.actions.using import record_usage, start_booking, verify_usage
from booking.models import Booking, Status, Usage
from instruments.actions import import_table, photos
from instruments.actions.calendar import read_announcement
from instruments.actions.import_table import read_table
from invoices.models import Charge
from tests.booking.lab import NOW, Lab, browser, html
from tests.booking.test_deciding import LATE_FEE
from tests.booking.test_no_shows import FEE
from tests.conftest import ApiClient
from tests.factories import at, make_manager, make_price_list


@pytest.fixture
def clock(db: None) -> Any:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Lab:
    lab = Lab(check_in=True, no_show_grace=30)
    make_price_list(lab.instrument, FEE)
    return lab


def book_own(lab: Lab) -> Booking:
    """The manager's own, of their own instrument."""
    return request_booking(
        by=lab.manager, user=lab.manager, organisation=lab.institution, instrument=lab.instrument,
        start=at(9), end=at(12), mode="self", purpose="Own research",
    )  # fmt: skip


def codes(error: pytest.ExceptionInfo[Any]) -> list[str]:
    return [refusal.code for refusal in error.value.refusals]


# --- managers as customers of their own instrument -------------------------------------------------------------------


@pytest.mark.parametrize("door", ["page", "api"])
def test_a_manager_does_not_note_a_no_show_of_their_own(lab: Lab, clock: Any, door: str) -> None:
    booking = book_own(lab)
    clock.move_to(at(10))

    if door == "api":
        answer = ApiClient(lab.manager).post_api(f"/bookings/{booking.pk}/no-show")
    else:
        answer = browser(lab.manager).post(f"/bookings/{booking.pk}/no-show/", {"version": booking.version})

    booking.refresh_from_db()
    assert (answer.status_code, booking.status) == (409, Status.CONFIRMED)
    assert "Nobody notes a no-show of their own." in answer.content.decode()


def test_who_administers_the_customer_does_not_note_its_no_show_either(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    Membership.objects.create(user=lab.manager, organisation=lab.enterprise, role="admin")
    clock.move_to(at(10))

    with pytest.raises(Refused) as refused:
        mark_no_show(booking=booking, by=lab.manager)

    assert codes(refused) == ["own_booking"]


def test_the_lab_notes_a_no_show_of_what_it_booked_for_a_customer(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    Booking.objects.filter(pk=booking.pk).update(made_by=lab.manager)
    clock.move_to(at(10))

    assert mark_no_show(booking=booking, by=lab.manager).status == Status.NO_SHOW


def test_a_manager_does_not_take_a_no_show_of_their_own_back_as_a_device(lab: Lab, clock: Any) -> None:
    booking = book_own(lab)
    clock.move_to(at(10))
    mark_no_show(booking=booking, by=make_manager(lab.institution))
    clock.move_to(at(13))
    use = {"source_ref": "d1", "instrument": lab.instrument.pk, "booking": booking.pk,
           "start": at(9).isoformat(), "end": at(9, 1).isoformat()}  # fmt: skip

    own = ApiClient(lab.manager).post_api("/usage", use)
    fee = Charge.objects.get().total
    colleague = ApiClient(make_manager(lab.institution)).post_api("/usage", use)

    assert (own.status_code, fee) == (409, Decimal(150))
    assert own.json()["errors"][0]["code"] == "wrong_status"
    assert colleague.status_code == 201, colleague.content


def test_a_manager_does_not_shorten_the_record_of_their_own_use(lab: Lab, clock: Any) -> None:
    clock.move_to(at(18))
    usage = record_usage(
        by=make_manager(lab.institution), source_ref="x", instrument=lab.instrument, user=lab.manager,
        organisation=lab.institution, start=at(9), end=at(17),
    )  # fmt: skip

    answer = ApiClient(lab.manager).patch_api(f"/usage/{usage.pk}", {"end": at(9, 1).isoformat()})
    shown = html(browser(lab.manager).get(f"/usage/{usage.pk}/"))

    usage.refresh_from_db()
    assert (answer.status_code, answer.json()["errors"][0]["code"], usage.end) == (409, "own_use", at(17))
    assert "This is your own use" in shown
    assert f"/usage/{usage.pk}/amend/" not in shown
    amend = {"start": at(9), "end": at(16), "samples": None, "parameters": {}, "comment": ""}
    assert amend_usage(usage=usage, by=make_manager(lab.institution), **amend).end == at(16)


@pytest.mark.parametrize("act", ["verify", "amend", "correct"])
def test_a_manager_decides_nothing_about_what_their_own_company_pays(lab: Lab, clock: Any, act: str) -> None:
    """A laboratory's people often have a company besides."""
    clock.move_to(at(18))
    colleague = make_manager(lab.institution)
    lab.book(19, 20)
    usage = record_usage(
        by=colleague, source_ref="x", instrument=lab.instrument, user=lab.engineer,
        organisation=lab.enterprise, start=at(9), end=at(17),
    )  # fmt: skip
    Membership.objects.create(user=lab.manager, organisation=lab.enterprise, role="member")
    bodies: dict[str, Any] = {"amend": {"end": at(9, 1).isoformat()}}
    bodies["correct"] = {**bodies["amend"], "reason": "x"}
    if act == "correct":
        verify_usage(usage=usage, by=colleague)
    client = ApiClient(lab.manager)

    path = f"/usage/{usage.pk}" if act == "amend" else f"/usage/{usage.pk}/{act}"
    send = client.patch_api if act == "amend" else client.post_api
    answer = send(path, bodies.get(act, {}))

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "own_use"), answer.content
    assert Usage.objects.get().end == at(17)


def outage(lab: Lab, by: Any) -> Any:
    return create_outage(instrument=lab.instrument, start=at(9), end=at(12), reason="Pump", by=by, displace=True)


def test_an_outage_is_no_way_out_of_a_fee_of_ones_own(lab: Lab, clock: Any) -> None:
    make_price_list(lab.instrument, LATE_FEE)
    booking = book_own(lab)
    clock.move_to(at(8))

    with pytest.raises(Refused) as refused:
        outage(lab, lab.manager)

    booking.refresh_from_db()
    assert (codes(refused), booking.status) == (["own_booking"], Status.CONFIRMED)
    outage(lab, make_manager(lab.institution))
    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED


def test_an_outage_is_no_way_out_of_a_use_of_ones_own(lab: Lab, clock: Any) -> None:
    booking = book_own(lab)
    clock.move_to(at(9))
    start_booking(booking=booking, by=lab.manager)
    clock.move_to(at(11, 50))

    with pytest.raises(Refused) as refused:
        outage(lab, lab.manager)

    assert codes(refused) == ["own_booking"]
    assert Usage.objects.get().end is None


def test_who_would_pay_nothing_displaces_their_own(lab: Lab) -> None:
    booking = book_own(lab)

    delete_outage(outage=outage(lab, lab.manager), by=lab.manager)

    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED


# --- people who left -------------------------------------------------------------------------------------------------


def test_who_left_reads_no_more_messages_and_the_administrators_do(lab: Lab) -> None:
    booking = lab.book()
    Membership.objects.filter(user=lab.engineer).update(ended_at=NOW - timedelta(hours=1))
    Message.objects.all().delete()

    ApiClient(lab.manager).post_api(f"/bookings/{booking.pk}/messages", {"text": "The secret recipe"})
    ApiClient(lab.manager).post_api(f"/bookings/{booking.pk}/cancel", {"reason": "The pump is broken"})

    told = set(Message.objects.values_list("recipient_id", "kind"))
    assert {kind for who, kind in told if who == lab.boss.pk} == {"booking_note", "booking_cancelled"}
    assert not {kind for who, kind in told if who == lab.engineer.pk}


def test_who_only_changed_roles_is_told_as_before(lab: Lab) -> None:
    booking = lab.book()
    Membership.objects.create(user=lab.engineer, organisation=lab.enterprise, role="finance")
    Membership.objects.filter(user=lab.engineer, role="member").update(ended_at=NOW)
    Message.objects.all().delete()

    ApiClient(lab.manager).post_api(f"/bookings/{booking.pk}/messages", {"text": "Bring the samples"})

    assert set(Message.objects.values_list("recipient_id", flat=True)) == {lab.engineer.pk}


# --- files that are not what they seem -------------------------------------------------------------------------------

MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def workbook(rows: str, *, before: str = "", strings: str = "") -> bytes:
    """The least that openpyxl reads as a workbook, with these rows."""
    kinds = [("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet")]
    kinds += [("sharedStrings", "sharedStrings")] if strings else []
    overrides = "".join(f'<Override PartName="/xl/{p}.xml" ContentType="{SHEET}.{t}+xml"/>' for p, t in kinds)
    plain = '<Default Extension="xml" ContentType="application/xml"/>'
    named = f'<sheets><sheet name="a" sheetId="1" r:id="r1" xmlns:r="{OFFICE}"/></sheets>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">{plain}{overrides}</Types>',
        "_rels/.rels": _relation("officeDocument", "xl/workbook.xml"),
        "xl/workbook.xml": f"<workbook {MAIN}>{named}</workbook>",
        "xl/_rels/workbook.xml.rels": _relation("worksheet", "worksheets/sheet1.xml"),
        "xl/worksheets/sheet1.xml": f"{before}<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>",
        **({"xl/sharedStrings.xml": f"<sst {MAIN}>{strings}</sst>"} if strings else {}),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content)
    return out.getvalue()


def _relation(kind: str, target: str) -> str:
    return (
        f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/{kind}" Target="{target}"/></Relationships>'
    )


def test_a_workbook_is_read() -> None:
    assert read_table(workbook('<row r="1"><c r="A1"><v>7</v></c><c r="XFD1"/></row>')) == [(1, ["7"])]


def test_empty_cells_far_to_the_right_take_no_memory() -> None:
    """In 16,384 columns they would be 160 million."""
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c><c r="XFD{n}"/></row>' for n in range(1, 10_001))
    begun = time.monotonic()

    lines = read_table(workbook(rows))

    assert (len(lines), lines[0]) == (10_000, (1, ["1"]))
    assert time.monotonic() - begun < 10  # less than a second; more than 20 when every column is built


def test_columns_beyond_the_last_that_is_allowed_are_named() -> None:
    with pytest.raises(Invalid) as invalid:
        read_table(workbook('<row r="1"><c r="A1"><v>1</v></c><c r="CW1"><v>1</v></c></row>'))

    assert codes(invalid) == ["too_long"]


@pytest.mark.parametrize("part", ["rows", "strings"])
def test_a_small_workbook_of_millions_of_tags_is_refused_before_it_is_built(part: str) -> None:
    row, string = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>', "<si><t>a</t></si>"
    content = workbook(row, strings=string * 800_000) if part == "strings" else workbook(row * 600_000)
    assert len(content) < import_table.LARGEST_FILE

    with pytest.raises(Invalid) as invalid:
        read_table(content)

    assert codes(invalid) == ["too_large"]


LAUGHS = "<!DOCTYPE x [<!ENTITY a '{}'>{}]>".format(
    "a" * 1000, "".join(f"<!ENTITY {chr(98 + n)} '{f'&{chr(97 + n)};' * 10}'>" for n in range(8))
)


@pytest.mark.parametrize("damage", ["entities", "broken xml", "broken stream", "encrypted"])
def test_a_damaged_workbook_is_told_to_be_saved_again(damage: str) -> None:
    row = '<row r="1"><c r="A1" t="inlineStr"><is><t>{}</t></is></c></row>'
    if damage == "entities":
        content = workbook(row.format("&i;"), before=LAUGHS)
    elif damage == "broken xml":
        content = workbook("<row><c></row>")
    else:
        content = workbook(row.format("text " * 50))
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            info = packed.getinfo("xl/worksheets/sheet1.xml")
        if damage == "encrypted":
            place = content.rindex(b"xl/worksheets/sheet1.xml") - 46 + 8
            content = content[:place] + b"\x01\x00" + content[place + 2 :]
        else:
            place = info.header_offset + 30 + len(info.filename) + 4
            content = content[:place] + b"\xff" * 40 + content[place + 40 :]

    with pytest.raises(Invalid) as invalid:
        read_table(content)

    assert codes(invalid) == ["encoding"]


@pytest.mark.parametrize(("kind", "refused"), [("PNG", True), ("WEBP", True), ("JPEG", False)])
def test_only_what_is_unpacked_in_parts_may_have_the_points_of_a_camera(
    monkeypatch: pytest.MonkeyPatch, kind: str, refused: bool
) -> None:
    from PIL import Image  # as the action does

    monkeypatch.setattr(photos, "MOST_POINTS", {"JPEG": 600 * 600})
    monkeypatch.setattr(photos, "MOST_POINTS_WHOLE", 400 * 400)
    out = io.BytesIO()
    Image.new("RGB", (500, 500)).save(out, kind)
    file: SimpleUploadedFile = SimpleUploadedFile("a", out.getvalue())

    if refused:
        with pytest.raises(Invalid) as invalid:
            photos._made_anew(file)
        assert codes(invalid) == ["too_large"]
    else:
        assert photos._made_anew(file)[1:] == (500, 500)


@pytest.mark.parametrize(
    "line", ["99999999999999999999-1-1 休", "2027-99999999999999999999-1 休", f"{'9' * 5000}-1-1 休"]
)
def test_a_day_beyond_all_calendars_is_no_date(line: str) -> None:
    with pytest.raises(Invalid) as invalid:
        read_announcement(line, 2027)

    assert codes(invalid) == ["bad_row"]


@pytest.mark.parametrize("name", ["a.xlsm", "a.DOCM", "a.pptm", "a.xlsb"])
def test_documents_with_macros_are_known_by_their_ending_too(name: str) -> None:
    """What a workbook calls its macros inside is up to whoever made it."""
    assert media_type_of(io.BytesIO(workbook("")), "a.xlsx") is not None
    assert media_type_of(io.BytesIO(workbook("")), name) is None


@pytest.mark.parametrize("name", ["a.ws", "a.desktop", "a.settingcontent-ms", "a.iqy", "a.psm1"])
def test_text_that_a_double_click_runs_is_not_accepted(name: str) -> None:
    assert media_type_of(io.BytesIO(b"run me"), name) is None


@pytest.mark.parametrize("depth", [400, 900, 5000])
def test_rules_nested_without_end_are_refused(lab: Lab, depth: int) -> None:
    body = f'{{"policy": {{"rules": {"[" * depth}{"]" * depth}}}}}'
    path = f"/api/v1/instruments/{lab.instrument.pk}/policy"

    answer = ApiClient(lab.manager).put(path, body, content_type="application/json")

    assert answer.status_code == 422, answer.content


def test_rules_are_no_longer_than_every_request_can_read(lab: Lab) -> None:
    path = f"/instruments/{lab.instrument.pk}/policy"

    answer = ApiClient(lab.manager).put_api(path, {"policy": {"holidays": ["01-01"] * 40_000, "rules": []}})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "too_long")
