"""For the demo: a weekly series with a date that was skipped, an experiment on two instruments, a lab's own reasons."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from backend.web.seed.story import Story
from booking.actions.series import book_series
from booking.actions.several import book_several
from booking.actions.templates import save_reasons
from booking.models import OnConflict
from booking.queries.several import Piece, first_fit
from booking.queries.wishes import Wish
from instruments.models import Instrument, Mode

CUSTOMER, COLLEAGUE = "enterprise@demo.example", "feng.xue@demo.example"
# Numbers of the instruments: of the series, and of the experiment.
WEEKLY, TOGETHER = "51", ("34", "41")
REASONS = (
    ("该时段安排设备维护，请另选时间。", "The time is needed for maintenance. Please choose another time."),
    (
        "请补充样品的成分、数量和是否含磁性或挥发物。",
        "Please tell us what the samples are made of, how many there are, and whether they are magnetic or volatile.",
    ),
    ("请先完成本仪器的上机培训。", "Please take the training on this instrument first."),
    ("样品不适合本仪器。", "The samples do not suit this instrument."),
)


def plan_repeated(story: Story) -> None:
    by_number = {one.local_no: one for one in story.world.instruments}
    story.later(story.now - timedelta(hours=26), lambda: _write_reasons(story, by_number[WEEKLY]))
    story.later(story.now - timedelta(hours=25), lambda: _repeat(story, by_number[WEEKLY]))
    story.later(story.now - timedelta(hours=24), lambda: _experiment(story, [by_number[one] for one in TOGETHER]))


def _write_reasons(story: Story, instrument: Instrument) -> None:
    institution = instrument.institution
    save_reasons(institution=institution, texts=REASONS, by=story.world.managers[institution.code])


def _wish(story: Story, instrument: Instrument, email: str, start: datetime, minutes: int) -> Wish:
    user = story.world.users[email]
    organisation = next(place for person, place in story.world.belongs() if person == user)
    mode = next(mode for mode in instrument.modes if mode != Mode.SAMPLE)
    return Wish(instrument, start, start + timedelta(minutes=minutes), mode, organisation, user)


def _repeat(story: Story, instrument: Instrument) -> None:
    """Four weeks; the second date is taken by somebody else, so that there is one to take up later."""
    taken = story.book_first_fit(instrument, COLLEAGUE, after=story.now + timedelta(days=9), minutes=120)
    if taken is None:
        return
    wish = _wish(story, instrument, CUSTOMER, taken.start - timedelta(days=7), 120)
    book_series(
        wish=wish,
        rrule="FREQ=WEEKLY;COUNT=4",
        on_conflict=OnConflict.SKIP,
        by=wish.user,
        purpose="每周批次荧光检测",
    )


def _experiment(story: Story, instruments: list[Instrument]) -> None:
    """Weighing and then measuring, one after the other."""
    start = story.now + timedelta(days=3)
    wishes = [_wish(story, one, CUSTOMER, start, 60) for one in instruments]
    pieces = [Piece(wish, timedelta(minutes=60 * number), timedelta(minutes=60)) for number, wish in enumerate(wishes)]
    planned = first_fit(pieces, by=wishes[0].user, now=timezone.now(), since=start)
    if planned:
        book_several(wishes=[each.wish for each in planned], by=wishes[0].user, purpose="称量后测紫外吸收")
