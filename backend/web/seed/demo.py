"""The demo's data, loaded at once or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone, translation
from django_q.models import OrmQ
from django_q.tasks import async_task

from backend.accounts.models import Organisation, User
from backend.outbox.models import Message, State
from backend.outbox.queries.mailbox import writes_files
from backend.web.actions import TICK
from backend.web.seed.accounts import NETWORK
from backend.web.seed.conduct import plan_conduct
from backend.web.seed.repeated import plan_repeated
from backend.web.seed.samples import plan_samples
from backend.web.seed.story import ZONE, Story
from backend.web.seed.talks import plan_talk
from backend.web.seed.trainings import plan_trainings
from backend.web.seed.vouchers import plan_vouchers
from backend.web.seed.waiting import plan_waiting
from backend.web.seed.world import World, make_world
from booking.actions.outages import create_outage
from instruments.models import Instrument
from invoices.models import Invoice

Say = Callable[[str], object]
SEED = 20260301
# The instrument whose waiting request the demo's customer and manager talk about.
WITH_TALK = "17"


def is_demo() -> bool:
    return Organisation.objects.filter(code=NETWORK).exists()


def is_empty() -> bool:
    return not Organisation.objects.exists() and not User.objects.exists()


def remove_demo() -> bool:
    """Remove the demo's whole database; False, and nothing is touched, if it holds anything else."""
    tables = connection.introspection.table_names()
    if tables and not ("accounts_organisation" in tables and (is_demo() or is_empty())):
        return False
    if connection.vendor == "sqlite":
        connection.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{connection.settings_dict['NAME']}{suffix}").unlink(missing_ok=True)
    else:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute("CREATE SCHEMA public")
    return True


def load_demo(*, say: Say, now: datetime | None = None, density: float = 1.0) -> Story:
    """Two months of a lively network up to ``now``; the same every time but for the dates."""
    now = (now or timezone.now()).replace(second=0, microsecond=0)
    today = now.astimezone(ZONE).date()
    this_month = today.replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    rng = random.Random(SEED)  # noqa: S311  (the same data every time)
    with transaction.atomic(), translation.override("zh-hans"):
        say("正在创建机构、人员与 47 台仪器…  Organisations, people and 47 instruments …")
        world = make_world(_at(last_month - timedelta(days=30), 9), rng)
        say("正在演绎两个月的预约、使用与结算…  Two months of bookings, use and invoices …")
        story = Story(world, now, rng, density)
        story.plan_bookings(last_month, today + timedelta(days=10))
        _plan_books(story, last_month, this_month)
        _plan_today(story)
        plan_conduct(story)
        plan_samples(story)
        plan_trainings(story)
        plan_waiting(story)
        plan_repeated(story)
        story.later(now - timedelta(hours=3), lambda: _maintain(world, now))
        story.run()
        _settle_messages(now)
    # Each act of the past asked the worker to look; once is enough.
    OrmQ.objects.all().delete()
    async_task(TICK, task_name="tick")
    for pk in Invoice.objects.exclude(number=None).order_by("pk").values_list("pk", flat=True):
        async_task("invoices.tasks.render_pdf", pk, task_name=f"pdf-{pk}")
    return story


def _plan_books(story: Story, last_month: date, this_month: date) -> None:
    """Last month was invoiced in the first days of this one; this month's first drafts are being made."""
    moment = min(_at(this_month + timedelta(days=3), 10), story.now - timedelta(hours=2))
    story.plan_late_payer(f"{last_month:%Y-%m}", _at(last_month + timedelta(days=10), 10))
    plan_vouchers(story, this_month, moment)
    story.plan_invoices(f"{last_month:%Y-%m}", moment, issue=True)
    if story.now > moment + timedelta(days=4):
        story.plan_invoices(f"{this_month:%Y-%m}", story.now - timedelta(hours=1), issue=False)


def _plan_today(story: Story) -> None:
    """What must not depend on chance: requests that wait for `manager@`, and uses that go on."""
    by_number = {one.local_no: one for one in story.world.instruments}
    waiting = (
        ("17", "enterprise@demo.example", 7, 180),
        ("16", "other@demo.example", 5, 120),
        ("66", "enterprise@demo.example", 4, 240),
        ("73", "song.jia@demo.example", 3, 180),
        ("70", "ren.bo@demo.example", 26, 240),
        ("18", "enterprise@demo.example", 6, 120),
    )
    for number, email, hours, minutes in waiting:
        moment, after = story.now - timedelta(hours=hours), story.now + timedelta(hours=20 + 3 * hours)
        story.later(moment, _ask(story, by_number[number], email, after, minutes, talks=number == WITH_TALK))
    for number, email, hours in (
        ("53", "zhang.tao@demo.example", 2),
        ("53", "xu.ning@demo.example", 1),
        ("24", "enterprise@demo.example", 2),
    ):
        since = story.now - timedelta(hours=hours + 1)
        story.later(story.now - timedelta(hours=30), _run(story, by_number[number], email, since))


def _ask(
    story: Story, instrument: Instrument, email: str, after: datetime, minutes: int, *, talks: bool
) -> Callable[[], None]:
    def act() -> None:
        booking = story.book_first_fit(instrument, email, after=after, minutes=minutes)
        if booking is not None and talks:
            plan_talk(story, booking)

    return act


def _run(story: Story, instrument: Instrument, email: str, since: datetime) -> Callable[[], None]:
    return lambda: story.run_now(instrument, email, since=since)


def _maintain(world: World, now: datetime) -> None:
    """One instrument is being serviced."""
    instrument = next(one for one in world.instruments if one.local_no == "72")
    start = _at(now.astimezone(ZONE).date() - timedelta(days=1), 8)
    create_outage(
        instrument=instrument,
        start=start,
        end=start + timedelta(days=4),
        reason="磁体检修",
        by=world.managers[instrument.institution.code],
        displace=True,
    )


def _settle_messages(now: datetime) -> None:
    """The past's mail was read long ago; where mail goes to files, the last day's is written there now."""
    past = Message.objects.filter(state=State.WAITING)
    if writes_files():
        past = past.filter(created_at__lt=now - timedelta(days=1))
    past.update(state=State.SENT, sent_at=F("due_at"))
    Message.objects.filter(created_at__lt=now - timedelta(days=2)).update(read_at=F("due_at"))


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZONE)
