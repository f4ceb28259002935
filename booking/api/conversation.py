"""Messages about a booking or an order over HTTP: text as JSON, files as multipart form data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import File, Form, Query, Router, Schema, Status, UploadedFile
from pydantic import Field

from backend.accounts.auth import access, person, signed_in
from backend.core.api import PLAIN, In, Page, page_of
from booking.actions.conversation import MOST_TEXT, add_note
from booking.api.shapes import named
from booking.documents import attachment_response
from booking.models import Booking, Note, SampleOrder, Side
from booking.queries.conversation import conversation, get_attachment, side_of
from booking.queries.sample_orders import get_order, get_order_attachment
from booking.queries.scope import get_booking

router = Router(auth=signed_in, tags=["bookings"])


class Named(Schema):
    id: int
    name: str


class FileOut(Schema):
    """``size`` in bytes; ``url`` is where the file is read, with the same credentials."""

    id: int
    name: str
    media_type: str
    size: int
    sha256: str
    url: str


class NoteOut(Schema):
    """``side``: for whom the author speaks. ``at`` has the instrument's offset."""

    id: int
    side: Side
    author: Named
    text: str
    at: str
    files: list[FileOut]


class NotePage(Schema):
    items: list[NoteOut]
    count: int


class NewNote(In):
    text: Annotated[str, Field(min_length=1, max_length=MOST_TEXT), PLAIN]


class TextOfFiles(In):
    text: Annotated[str, Field(max_length=MOST_TEXT), PLAIN] = ""


def _out(note: Note, about: Booking | SampleOrder) -> dict[str, Any]:
    place = "sample-orders" if isinstance(about, SampleOrder) else "bookings"
    return {
        "id": note.pk,
        "side": note.side,
        "author": named(note.author),
        "text": note.text,
        "at": note.at.astimezone(about.instrument.zone).isoformat(),
        "files": [
            {
                "id": one.pk,
                "name": one.name,
                "media_type": one.media_type,
                "size": one.size,
                "sha256": one.sha256,
                "url": f"/api/v1/{place}/{about.pk}/files/{one.pk}",
            }
            for one in note.attachments.all()
        ],
    }


def _page(about: Booking | SampleOrder, page: Page) -> dict[str, Any]:
    return page_of(conversation(about), page, lambda note: _out(note, about))


def _say(
    request: HttpRequest, about: Booking | SampleOrder, text: str, files: Sequence[UploadedFile] = ()
) -> Status[dict[str, Any]]:
    side = side_of(access(request), about)
    return Status(201, _out(add_note(booking=about, by=person(request), side=side, text=text, files=files), about))


def _refused(reason: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": reason, "content": {"application/problem+json": {"schema": schema}}}


SENDING = {"responses": {413: _refused("More than can be sent at once")}}
READING = {"responses": {200: {"description": "The file", "content": {"*/*": {}}}}}


@router.get("/bookings/{int:pk}/messages", response=NotePage, summary="Messages about it, oldest first")
def messages(request: HttpRequest, pk: int, page: Query[Page]) -> dict[str, Any]:
    return _page(get_booking(access(request), pk), page)


@router.post("/bookings/{int:pk}/messages", response={201: NoteOut}, summary="Write to the other side")
def write(request: HttpRequest, pk: int, body: NewNote) -> Status[dict[str, Any]]:
    return _say(request, get_booking(access(request), pk), body.text)


@router.post(
    "/bookings/{int:pk}/files",
    response={201: NoteOut},
    summary="Send files to the other side",
    description="One to five files of at most 20 MB each, with a text if you like. The type is told by the content.",
    openapi_extra=SENDING,
)
def send_files(
    request: HttpRequest,
    pk: int,
    files: File[list[UploadedFile]],
    form: Form[TextOfFiles],
) -> Status[dict[str, Any]]:
    return _say(request, get_booking(access(request), pk), form.text, files)


@router.get(
    "/bookings/{int:pk}/files/{int:file_id}",
    summary="A file of a message",
    openapi_extra=READING,
)
def read_file(request: HttpRequest, pk: int, file_id: int) -> HttpResponseBase:
    return attachment_response(get_attachment(access(request), pk, file_id))


@router.get("/sample-orders/{int:pk}/messages", response=NotePage, summary="Messages about it, oldest first")
def order_messages(request: HttpRequest, pk: int, page: Query[Page]) -> dict[str, Any]:
    return _page(get_order(access(request), pk), page)


@router.post("/sample-orders/{int:pk}/messages", response={201: NoteOut}, summary="Write to the other side")
def write_about_order(request: HttpRequest, pk: int, body: NewNote) -> Status[dict[str, Any]]:
    return _say(request, get_order(access(request), pk), body.text)


@router.post(
    "/sample-orders/{int:pk}/files",
    response={201: NoteOut},
    summary="Send files to the other side",
    openapi_extra=SENDING,
)
def send_order_files(
    request: HttpRequest, pk: int, files: File[list[UploadedFile]], form: Form[TextOfFiles]
) -> Status[dict[str, Any]]:
    return _say(request, get_order(access(request), pk), form.text, files)


@router.get(
    "/sample-orders/{int:pk}/files/{int:file_id}",
    summary="A file of a message",
    openapi_extra=READING,
)
def read_order_file(request: HttpRequest, pk: int, file_id: int) -> HttpResponseBase:
    return attachment_response(get_order_attachment(access(request), pk, file_id))
