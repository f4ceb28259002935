"""One enterprise, one lab, what they did together, and everybody who may or may not see it.

Ids are of objects of the enterprise E and the institution I. For people of other organisations all of them are foreign.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from tempfile import TemporaryDirectory
from typing import Any

import time_machine
from django.core.cache import cache
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from backend.accounts.actions import create_token
from backend.accounts.models import Invitation, Membership, Organisation, Role, User, digest_secret
from backend.accounts.own_actions.organisations import create_group, create_project
from backend.accounts.own_actions.registering import register_enterprise
from backend.web.actions import CANARY
from booking.actions.feeds import create_feed
from booking.actions.policies import save_policy
from booking.actions.using import finish_booking, start_booking, verify_usage
from booking.models import Booking, SampleOrder
from instruments.models import Instrument
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge
from tests.access.more import (
    of_conduct,
    of_disputes,
    of_people,
    of_samples,
    of_several_dates,
    of_spending,
    of_the_lab,
    of_the_school,
    of_waiting,
)
from tests.access.vouchers import of_vouchers
from tests.booking.test_requesting import APPROVAL, book
from tests.factories import (
    at,
    make_enterprise,
    make_institution,
    make_instrument,
    make_member,
    make_price_list,
    make_user,
)

# Who walks. The enterprise's people have an `e`, those of another organisation an `x` in front.
ROLES = (
    "visitor homeless left "
    "member colleague efinance eadmin xadmin "
    "imember manager chosen finance iadmin "
    "xmanager xfinance xiadmin operator"
).split()
# Machines: the member's token that may only read, and one that was revoked. They meet the API only.
TOKENS = ("reader", "dead")
TUESDAY, THURSDAY = date(2026, 11, 24), date(2026, 11, 26)
ABSENT = 987_654_321
# Right credit codes: of the enterprise that waits, and one that nobody has.
LICENCE, UNKNOWN = "9115010022MQ4W4X10", "91350100M000100Y43"


@dataclass
class World:
    people: dict[str, User] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    # Ids that a role meets instead: what was theirs once.
    once: dict[str, dict[str, Any]] = field(default_factory=dict)
    # The organisation that each role belongs to.
    home: dict[str, int] = field(default_factory=dict)
    # Private texts, and who may read them.
    private: dict[str, set[str]] = field(default_factory=dict)

    def versions(self, kind: str) -> int:
        return Booking.objects.get(pk=self.ids[kind]).version

    def order_version(self, kind: str) -> int:
        return SampleOrder.objects.get(pk=self.ids[kind]).version


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written inside is taken back."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        connection.needs_rollback = False
        transaction.savepoint_rollback(point)


@contextmanager
def standing_world() -> Iterator[World]:
    """The world for a whole module; nothing of it stays. On Thursday 26 November 2026, nine in the morning."""
    travel = time_machine.travel(at(9, day=TUESDAY), tick=False)
    with TemporaryDirectory() as media, override_settings(MEDIA_ROOT=media), travel as clock, transaction.atomic():
        yield make_world(clock)
        transaction.set_rollback(True)


def make_world(clock: Any) -> World:
    world = World()
    enterprise, institution = make_enterprise(name="Hidden Enterprise"), make_institution(name="Open Institute")
    plain = make_instrument(institution)
    strict, second, hidden = (make_instrument(institution, sharing=one) for one in ("external", "external", "internal"))
    for instrument in (plain, strict, second, hidden):
        make_price_list(instrument)
    _people(world, enterprise, institution, make_instrument(institution))
    _of_the_enterprise(world, enterprise)
    save_policy(instrument=strict, document=APPROVAL, by=world.people["manager"])
    _time_and_money(world, clock, plain, strict, second)
    _machines(world)
    of_the_lab(world, plain, make_instrument(institution))
    of_waiting(world, plain)
    of_samples(world, institution)
    of_several_dates(world, strict, plain)
    of_people(world)
    of_vouchers(world)
    of_the_school(world, plain)
    of_conduct(world, plain)
    of_disputes(world)
    of_spending(world, institution, enterprise, plain)
    world.ids |= {
        "instrument": plain.pk,
        "hidden": hidden.pk,
        "enterprise": enterprise.pk,
        "institution": institution.pk,
    }
    _private(world, enterprise)
    return world


def _people(world: World, enterprise: Organisation, institution: Organisation, other: Instrument) -> None:
    abroad = make_instrument()
    homes: dict[str, tuple[Organisation, str]] = {
        "member": (enterprise, Role.MEMBER),
        "colleague": (enterprise, Role.MEMBER),
        "efinance": (enterprise, Role.FINANCE),
        "eadmin": (enterprise, Role.ADMIN),
        "xadmin": (make_enterprise(), Role.ADMIN),
        "imember": (institution, Role.MEMBER),
        "manager": (institution, Role.MANAGER),
        "chosen": (institution, Role.MANAGER),
        "finance": (institution, Role.FINANCE),
        "iadmin": (institution, Role.ADMIN),
        "xmanager": (abroad.institution, Role.MANAGER),
        "xfinance": (abroad.institution, Role.FINANCE),
        "xiadmin": (abroad.institution, Role.ADMIN),
        "operator": (make_institution(kind="network"), Role.OPERATOR),
    }
    for role, (organisation, right) in homes.items():
        world.people[role] = make_member(organisation, right, user=make_user(f"Person {role}", phone=f"555-{role}"))
        world.home[role] = organisation.pk
    world.people["homeless"] = make_user("Person homeless")
    # Once everything that one can be, in both houses.
    world.people["left"] = make_member(enterprise, Role.MEMBER, Role.ADMIN)
    make_member(institution, Role.MANAGER, Role.FINANCE, Role.ADMIN, user=world.people["left"])
    Membership.objects.filter(user=world.people["chosen"]).update(all_instruments=False)
    other.managers.add(world.people["chosen"])
    User.objects.filter(pk=world.people["operator"].pk).update(is_staff=True)
    world.people["operator"].refresh_from_db()


def _of_the_enterprise(world: World, enterprise: Organisation) -> None:
    admin = world.people["eadmin"]
    group = create_group(organisation=enterprise, name="Hidden group", by=admin)
    project = create_project(organisation=enterprise, code="HIDDEN-7", name="Hidden project", group=group, by=admin)
    world.secrets["invitation"] = "i" * 43
    invitation = Invitation.objects.create(
        organisation=enterprise, email="hidden@invited.example", roles=[Role.MEMBER], invited_by=admin,
        digest=digest_secret(world.secrets["invitation"]), expires_at=timezone.now() + timedelta(days=9),
    )  # fmt: skip
    values = {"name": "Hidden registration", "uscc": LICENCE, "region": "X", "address": "X", "phone": "1"}
    values |= {"email": "", "bank": "", "bank_account": ""}
    waiting = register_enterprise(enterprise=values, by=world.people["homeless"])
    world.ids |= {
        "group": group.pk,
        "project": project.pk,
        "invitation": invitation.pk,
        "colleague": world.people["colleague"].pk,
        "registration": waiting.pk,
        "secret": world.secrets["invitation"],
    }


def _time_and_money(world: World, clock: Any, plain: Instrument, strict: Instrument, second: Instrument) -> None:
    """Bookings in each state that an operation needs; a charge on a statement, another on a draft."""
    people, common = world.people, {"purpose": "Hidden purpose", "notes": "Hidden notes", "samples": 2}
    common |= {"organisation": people["member"].memberships.get().organisation, "user": people["member"]}
    used = [book(plain, at(hour, day=TUESDAY), at(hour + 1, day=TUESDAY), **common) for hour in (10, 12, 14)]
    left = book(plain, at(16, day=TUESDAY), at(17, day=TUESDAY), **{**common, "user": people["left"]})
    feed, address = create_feed(user=people["member"], scope="mine", name="Hidden feed")
    _, once = create_feed(user=people["left"], scope="mine")
    clock.move_to(at(18, day=TUESDAY))
    records = [finish_booking(booking=one, by=people["member"], comment="Hidden comment") for one in used]
    month = {
        "institution_id": plain.institution_id, "customer_id": used[0].organisation_id, "period": "2026-11",
        "by": people["finance"],
    }  # fmt: skip
    verify_usage(usage=records[0], by=people["manager"])
    issued = issue_invoice(invoice=draft_invoice(**month), by=people["finance"])
    ensure_pdf(invoice=issued)
    verify_usage(usage=records[1], by=people["manager"])
    draft = draft_invoice(**month)
    running = book(second, at(8, day=THURSDAY), at(10, day=THURSDAY), **common)
    clock.move_to(at(8, day=THURSDAY))
    start_booking(booking=running, by=people["member"])
    clock.move_to(at(9, day=THURSDAY))
    soon = book(plain, at(9, 10, day=THURSDAY), at(10, 10, day=THURSDAY), **common)
    cache.set(CANARY, timezone.now())
    world.ids |= {
        "requested": book(strict, at(9), at(10), **common).pk,
        "confirmed": book(plain, at(9), at(10), **common).pk,
        "soon": soon.pk,
        "running": running.pk,
        "missed": left.pk,
        "used": used[0].pk,
        "recorded": records[2].pk,
        "verified": records[0].pk,
        "charge": Charge.objects.filter(customer_id=month["customer_id"]).earliest("pk").pk,
        "issued": issued.pk,
        "draft": draft.pk,
        "feed": feed.pk,
        "calendar": address,
    }
    # As a rule would have it that wants to hear beforehand whether they come.
    Booking.objects.filter(pk=world.ids["confirmed"]).update(confirm_by=at(16, day=THURSDAY))
    world.private[str(issued.number)] = {"finance", "efinance", "eadmin", "member", "reader", "iadmin"}
    # What was theirs while they belonged there: their booking, and the address of their calendar.
    mine = dict.fromkeys(("requested", "confirmed", "soon", "running", "used"), left.pk)
    world.once["left"] = {**mine, "calendar": once}
    gone = timezone.now() - timedelta(days=1)
    Membership.objects.filter(user=people["left"]).update(ended_at=gone)


def _machines(world: World) -> None:
    member = world.people["member"]
    token, world.secrets["reader"] = create_token(user=member, name="Hidden token", read_only=True)
    dead, world.secrets["dead"] = create_token(user=member, name="Dead")
    type(dead).objects.filter(pk=dead.pk).update(revoked_at=timezone.now())
    world.ids["token"] = token.pk


def _private(world: World, enterprise: Organisation) -> None:
    parties = {"member", "reader", "eadmin", "manager", "iadmin"}
    money = {"finance", "efinance"}
    own = {"member", "reader", "colleague", "efinance", "eadmin"}
    world.private |= {
        "Hidden purpose": parties | {"finance"},
        "Hidden notes": parties,
        "Hidden comment": parties | money,
        "Hidden sample": parties | {"finance"},
        "Hidden requirement": parties | {"finance"},
        "hidden-result.csv": parties,
        "Hidden entry": parties | {"operator"},
        "Hidden appeal": parties | {"operator"},
        "Hidden question": parties,
        "hidden.csv": parties,
        "Hidden transfer": {"finance", "efinance", "eadmin", "iadmin"},
        "Hidden import": {"manager"},
        "Hidden table": {"manager"},
        "Hidden group of instruments": {"manager", "iadmin", "chosen"},
        "Hidden group<": own | parties,
        "Hidden project": own | parties | money,
        "HIDDEN-7": own | parties | money,
        "Hidden feed": {"member"},
        "Hidden token": {"member", "eadmin"},
        "hidden@invited.example": {"eadmin"},
        "Hidden registration": {"homeless", "operator"},
        LICENCE: {"homeless", "operator"},
        # Operators read entries on record of the whole network.
        enterprise.name: own | parties | money | {"operator"},
        "555-colleague": own,
    }
