"""The rest of the world: what the lab keeps besides bookings, what people are told, what they wrote to each other."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from backend.accounts.models import Organisation
from backend.accounts.own_actions.agreements import create_agreement
from backend.outbox.models import Channel, Message, State
from booking.actions.appealing import appeal_violation, record_violation
from booking.actions.conversation import add_note
from booking.actions.courses import create_course, create_session
from booking.actions.offering import offer_free_time
from booking.actions.ordering import submit_samples
from booking.actions.outages import create_outage, delete_outage
from booking.actions.policies import save_policy
from booking.actions.qualifying import grant_qualification
from booking.actions.replacing import propose_replacements
from booking.actions.results import deliver_results
from booking.actions.sampling import accept_samples, finish_testing, receive_samples, start_testing
from booking.actions.series import book_series
from booking.actions.several import book_several
from booking.actions.training import enrol, request_training
from booking.actions.waiting import join_waitlist
from booking.models import Booking, SampleOrder, Side, TrainingSession
from booking.queries.wishes import Wish
from instruments.actions.agreed_prices import save_agreed_prices
from instruments.actions.calendar import import_announcement
from instruments.actions.groups import create_group
from instruments.actions.photos import add_photo
from instruments.actions.tables import keep_table
from instruments.models import Instrument
from invoices.actions.billing import set_logo
from invoices.actions.disputes import open_dispute
from invoices.actions.payments import record_payment, record_transfer
from invoices.actions.prepaid import open_account, set_prepaid_terms, top_up
from invoices.actions.running import cancel_run, start_run
from invoices.actions.settings import save_setting
from invoices.actions.spending import WantedRule, set_spending_rule
from invoices.actions.statements import ignore_row, read_statement
from invoices.books.mapping import presets
from invoices.models import BookKind, DisputeFile, FapiaoBatch, Invoice, RunStep, SpendingRule
from invoices.verification import code_of
from tests.booking.samples import PRICES
from tests.booking.test_requesting import book
from tests.factories import at, make_charge, make_instrument, make_price_list

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


def of_waiting(world: World, instrument: Instrument) -> None:
    """The member has time offered by the waitlist, and a displaced booking with something proposed instead."""
    member, manager = world.people["member"], world.people["manager"]
    common = {"user": member, "organisation": member.memberships.get().organisation, "purpose": "Hidden purpose"}
    lost = book(instrument, at(14), at(15), **common)
    outage = create_outage(
        instrument=instrument, start=at(14), end=at(15), reason="Leak", by=manager, displace=True, expected=[lost.pk]
    )
    proposed = propose_replacements(displacement=lost.displacement)
    wait = join_waitlist(by=member, instrument=instrument, start=at(14), end=at(15), minutes=60, mode="self", **common)
    delete_outage(outage=outage, by=manager)
    offer_free_time(instrument=instrument)
    broken = make_instrument(instrument.institution)
    open_ended = create_outage(
        instrument=broken, start=timezone.now().replace(second=0), reason="Leak", by=manager, open_ended=True
    )
    world.ids |= {
        "wait": wait.pk, "displaced": lost.pk, "replacement": proposed[0].pk, "broken": broken.pk,
        "open_outage": open_ended.pk,
    }  # fmt: skip


def of_several_dates(world: World, strict: Instrument, plain: Instrument) -> None:
    """A series that waits for the lab, one of its dates skipped; two times booked together."""
    member = world.people["member"]
    wish = Wish(strict, at(9), at(10), "self", member.memberships.get().organisation, member)
    words = {"by": member, "purpose": "Hidden purpose"}
    series = book_series(wish=wish, rrule="FREQ=WEEKLY;COUNT=3", on_conflict="skip", **words)
    day = date(2026, 12, 9)
    together = [replace(wish, instrument=plain).at(at(hour, day=day), at(hour + 1, day=day)) for hour in (9, 11)]
    world.ids |= {
        "series": series.pk,
        "skipped": series.skipped.get().pk,
        "bundle": book_several(wishes=together, **words).pk,
    }


def of_the_school(world: World, instrument: Instrument) -> None:
    """A training with a session to come and one that has begun, somebody who wants a place, and a contract."""
    people, now = world.people, timezone.now()
    manager, institution = people["manager"], instrument.institution
    course = create_course(institution=institution, by=manager, instruments=[instrument], name="Training", level="A")
    begun = create_course(institution=institution, by=manager, instruments=[instrument], name="Begun", level="B")
    times = {"start": at(9, day=date(2026, 12, 3)), "end": at(11, day=date(2026, 12, 3))}
    coming = create_session(course=course, by=manager, places=3, **times)
    past = create_session(course=begun, by=manager, places=3, **times)
    customer = people["member"].memberships.get().organisation
    asking = {"user": people["member"], "organisation": customer, "note": "Hidden wish"}
    request = request_training(course=course, session=coming, **asking)
    seated = enrol(request=request_training(course=begun, **asking), session=past, by=manager)
    TrainingSession.objects.filter(pk=past.pk).update(start=now - timedelta(hours=1))
    given = grant_qualification(
        user=people["member"], by=manager, instrument=instrument, level="C", reason="Hidden skill"
    )
    agreement = create_agreement(
        institution=institution, customer=customer, number="HIDDEN-CONTRACT", valid_from=date(2026, 1, 1),
        by=people["iadmin"],
    )  # fmt: skip
    # Far away, so that nobody pays by it.
    save_agreed_prices(agreement=agreement, by=people["iadmin"], document=PRICES, valid_from=date(2090, 1, 1))
    world.ids |= {
        "training": course.pk,
        "training_session": coming.pk,
        "training_begun": past.pk,
        "training_request": request.pk,
        "training_seated": seated.pk,
        "qualification": given.pk,
        "agreement": agreement.pk,
    }
    lab = {"member", "reader", "manager", "iadmin"}
    world.private |= {
        "Hidden wish": lab,
        "Hidden skill": lab,
        # Every member of both sides reads it on the page of their organisation.
        "HIDDEN-CONTRACT": {
            *lab, "colleague", "efinance", "eadmin", "imember", "chosen", "finance",
        },
    }  # fmt: skip


def of_samples(world: World, institution: Organisation) -> None:
    """The member's orders in each state that a step needs; one asks for finance, one is done with a result."""
    member, manager = world.people["member"], world.people["manager"]
    instrument = make_instrument(institution, mode_sample=True)
    make_price_list(instrument, PRICES)
    world.ids["sampled"] = instrument.pk
    for kind, steps in (("new", 0), ("submitted", 0), ("accepted", 1), ("received", 2), ("testing", 3), ("done", 4)):
        order = submit_samples(
            by=member, user=member, organisation=member.memberships.get().organisation, instrument=instrument,
            items=[{"name": "Hidden sample", "quantity": 2}], purpose="Hidden purpose",
            requirements="Hidden requirement",
        )  # fmt: skip
        for step in (accept_samples, receive_samples, start_testing)[:steps]:
            order = step(order=order, by=manager)  # type: ignore[operator]
        if kind in ("testing", "done"):
            (file,) = deliver_results(
                order=order, by=manager, files=[SimpleUploadedFile("hidden-result.csv", b"a,b\n1,2\n")]
            )
            world.ids["result" if kind == "testing" else "delivered"] = file.pk
        if kind == "done":
            finish_testing(order=order, by=manager)
        world.ids |= {f"{kind}_order": order.pk, f"{kind}_order_items": [item.pk for item in order.items.all()]}
    SampleOrder.objects.filter(pk=world.ids["submitted_order"]).update(approval_roles=["finance"])
    note = add_note(
        booking=SampleOrder.objects.get(pk=world.ids["new_order"]), by=member, side=Side.CUSTOMER,
        text="Hidden question", files=[SimpleUploadedFile("hidden.csv", b"a,b\n1,2\n")],
    )  # fmt: skip
    world.ids["order_file"] = note.attachments.get().pk


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
    finance = world.people["finance"]
    run = start_run(institution=invoice.institution, period="2026-11", step=RunStep.ISSUE, by=finance)
    set_logo(institution=invoice.institution, file=picture(), by=finance)
    batch = FapiaoBatch.objects.create(
        institution=invoice.institution, number=1, layout="2026-04", content={"invoices": [], "lines": []}, size=1,
        total=invoice.total, made_by=world.people["finance"],
    )  # fmt: skip
    save_setting(
        institution=invoice.institution, kind=BookKind.ACCOUNTS, content=presets()["enterprise"],
        by=world.people["finance"],
    )  # fmt: skip
    world.ids["fapiao_batch"] = batch.pk
    world.ids |= {
        "run": cancel_run(run=run, by=finance).pk,
        "file": note.attachments.get().pk,
        "message": told.pk,
        "delivery": failed.pk,
        "payment": payment.pk,
    }


def of_conduct(world: World, instrument: Instrument) -> None:
    """On the member's record: an entry, one that is contested, and a suspension that they have led to."""
    manager, member = world.people["manager"], world.people["member"]
    step = {"at": 2, "do": {"do": "suspend", "for": "1mo"}}
    ladder = {"id": "walk", "kind": "ladder", "count": ["hidden_entry"], "window": "12mo", "steps": [step]}
    instrument = make_instrument(instrument.institution)
    save_policy(instrument=instrument, document={"rules": [ladder]}, by=manager)
    about = {"person": member, "organisation": member.memberships.get().organisation, "instrument": instrument}
    entry, contested = (
        record_violation(by=manager, name="hidden_entry", reason="Hidden entry", **about) for _number in range(2)
    )
    appeal = appeal_violation(violation=contested, by=member, reason="Hidden appeal")
    world.ids |= {"entry": entry.pk, "contested": contested.pk, "appeal": appeal.pk}


def of_spending(world: World, institution: Organisation, enterprise: Organisation, instrument: Instrument) -> None:
    """A prepaid account, terms of an instrument nobody books, a rule of the enterprise and what waits for it."""
    finance, admin, member = world.people["finance"], world.people["eadmin"], world.people["member"]
    idle = make_instrument(institution)
    terms = set_prepaid_terms(institution=institution, instrument=idle, kind="full", by=finance)
    account = open_account(institution=institution, customer=enterprise, by=finance)
    today = timezone.localdate()
    paid = top_up(account=account, amount=Decimal(100), date=today, reference="Hidden top-up", by=finance)
    wanted = WantedRule("always", None, ("finance",), person=member)
    rule = set_spending_rule(organisation=enterprise, wanted=wanted, by=admin)
    enterprise.refresh_from_db()
    start = at(17, day=date(2026, 12, 22))
    waiting = book(instrument, start, start + timedelta(hours=1), user=member, organisation=enterprise)
    world.ids |= {
        "prepaid": account.pk,
        "prepaid_entry": paid.pk,
        "prepaid_terms": terms.pk,
        "spending_rule": rule.pk,
        "spending": waiting.spending_requests.get().pk,
    }
    world.private["Hidden top-up"] = {"finance", "efinance", "eadmin", "iadmin"}
    # The other bookings of the world are made without asking.
    SpendingRule.objects.filter(pk=rule.pk).update(kind="never")


def of_disputes(world: World) -> None:
    """A charge to dispute and one that is disputed, with a file; a customer's credit; rows of a bank statement."""
    people = world.people
    enterprise, institution = (people[one].memberships.get().organisation for one in ("member", "finance"))
    charges = [
        make_charge(enterprise, institution=institution, user=people["member"], subject="Hidden charge") for _ in "ab"
    ]
    dispute = open_dispute(
        charge=charges[1], reason="Hidden dispute", by=people["member"],
        files=[SimpleUploadedFile("evidence.csv", b"a,b\n1,2\n")],
    )  # fmt: skip
    transfer = record_transfer(
        institution=institution, customer=enterprise, currency=institution.currency, amount=Decimal("5.00"),
        date=timezone.localdate(), reference="Hidden surplus", parts={}, keep_rest=True, by=people["finance"],
    )  # fmt: skip
    table = b"Date,Amount,Payer\n2026-11-20,1.00,Hidden payer\n2026-11-21,2.00,Hidden payer\n"
    statement = read_statement(institution=institution, name="bank.csv", content=table, by=people["finance"])
    row, ignored = statement.rows.order_by("pk")
    ignore_row(row=ignored, reason="Hidden reason", by=people["finance"])
    world.ids |= {
        "disputable": charges[0].pk,
        "disputed": charges[1].pk,
        "dispute": dispute.pk,
        "dispute_file": DisputeFile.objects.get(note__dispute=dispute).pk,
        "transfer": transfer.pk,
        "credit": transfer.surplus_entries.get().surplus_id,
        "bank_row": row.pk,
        "ignored_row": ignored.pk,
        "code": code_of(Invoice.objects.get(pk=world.ids["issued"])),
    }
