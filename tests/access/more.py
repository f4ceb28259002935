"""The rest of the world: what the lab keeps besides bookings, what people are told, what they wrote to each other."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import TYPE_CHECKING

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from backend.outbox.models import Channel, Message, State
from booking.actions.conversation import add_note
from booking.actions.outages import create_outage
from booking.models import Booking, Side
from instruments.actions.calendar import import_announcement
from instruments.actions.groups import create_group
from instruments.actions.photos import add_photo
from instruments.actions.tables import keep_table
from instruments.models import Instrument
from invoices.actions.payments import record_payment
from invoices.models import Invoice
from tests.factories import at

if TYPE_CHECKING:
    from tests.access.world import World

TABLE = "local_no,name_zh\n77,Hidden import\n"


def picture() -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (64, 48)).save(out, "PNG")
    return SimpleUploadedFile("walk.png", out.getvalue(), "image/png")


def of_the_lab(world: World, instrument: Instrument, idle: Instrument) -> None:
    people, now = world.people, timezone.now()
    coming = create_outage(instrument=idle, start=at(9), end=at(10), reason="Service", by=people["manager"])
    running = create_outage(
        instrument=idle, start=now.replace(minute=0), end=at(18, day=now.date()), reason="Service",
        by=people["manager"],
    )  # fmt: skip
    photo = add_photo(instrument=instrument, by=people["manager"], file=picture())
    empty = create_group(institution=instrument.institution, name="Hidden group of instruments", by=people["manager"])
    operator = people["operator"]
    network = operator.memberships.get().organisation
    import_announcement(network=network, by=operator, text="2027-01-01..2027-01-03 元旦 休", year=2027)
    table = keep_table(
        institution=instrument.institution, by=people["manager"], name="Hidden table.csv", content=TABLE.encode()
    )
    world.ids |= {
        "idle": idle.pk,
        "outage": coming.pk,
        "running_outage": running.pk,
        "photo": photo.pk,
        "picture": str(photo.uid),
        "instrument_group": empty.pk,
        "table": table.pk,
    }


def of_people(world: World) -> None:
    member = world.people["member"]
    note = add_note(
        booking=Booking.objects.get(pk=world.ids["confirmed"]), by=member, side=Side.CUSTOMER, text="Hidden question",
        files=[SimpleUploadedFile("hidden.csv", b"a,b\n1,2\n")],
    )  # fmt: skip
    told = Message.objects.filter(recipient=member, channel=Channel.IN_APP).earliest("pk")
    failed = Message.objects.filter(recipient=member, channel=Channel.MAIL).earliest("pk")
    Message.objects.filter(pk=failed.pk).update(state=State.PARKED, error="refused")
    invoice = Invoice.objects.get(pk=world.ids["issued"])
    payment = record_payment(
        invoice=invoice, amount=Decimal("1.00"), date=timezone.localdate(), reference="Hidden transfer",
        by=world.people["finance"],
    )  # fmt: skip
    world.ids |= {
        "file": note.attachments.get().pk,
        "message": told.pk,
        "delivery": failed.pk,
        "payment": payment.pk,
    }
