"""Sample orders of the demo: one that waits for `manager@`, one that is being tested, one with its results."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from django.core.files.base import ContentFile

from backend.web.seed.story import Story
from booking.actions.ordering import submit_samples
from booking.actions.results import deliver_results
from booking.actions.sampling import accept_samples, finish_testing, receive_samples, start_testing
from booking.models import SampleOrder
from instruments.models import Instrument, Sharing

ITEMS: tuple[list[dict[str, Any]], ...] = (
    [
        {"name": "聚乳酸颗粒", "quantity": 3, "tests": ["分子量及分布"], "storage": "干燥避光保存"},
        {"name": "聚苯乙烯粉末", "quantity": 2, "tests": ["分子量及分布", "支化度"], "notes": "每份约 50 mg"},
    ],
    [{"name": "聚乙二醇", "quantity": 2, "tests": ["绝对分子量"], "notes": "溶剂 THF"}],
    [{"name": "聚酰亚胺前驱体 A–D", "quantity": 4, "tests": ["分子量及分布"], "storage": "4 °C 冷藏"}],
)
RESULT = "\ufeff样品,Mn,Mw,PDI\nA,41200,68900,1.67\nB,39800,70100,1.76\nC,42900,71500,1.67\nD,40500,66800,1.65\n"


def plan_samples(story: Story) -> None:
    """On the first instrument of `manager@` that takes samples."""
    email = "enterprise@demo.example"
    instrument = _instrument(story)
    if instrument is None:
        return
    for items, days, purpose, steps in (
        (ITEMS[0], 0, "生物基塑料分子量测定", 0),
        (ITEMS[1], 4, "聚乙二醇绝对分子量", 3),
        (ITEMS[2], 12, "聚酰亚胺前驱体分子量", 4),
    ):
        begun = story.now - timedelta(days=days, hours=5)
        story.later(begun, partial(_order, story, instrument, email, items, purpose, steps))


def _instrument(story: Story) -> Instrument | None:
    taking = (one for one in story.world.instruments if one.mode_sample and one.sharing == Sharing.EXTERNAL)
    own = story.world.managers
    return next((one for one in taking if own[one.institution.code].email == "manager@demo.example"), None)


def _order(
    story: Story, instrument: Instrument, email: str, items: list[dict[str, Any]], purpose: str, steps: int
) -> None:
    user = story.world.users[email]
    order = submit_samples(
        by=user,
        user=user,
        organisation=next(home for one, home in story.world.belongs() if one == user),
        instrument=instrument,
        items=items,
        purpose=purpose,
        requirements="请附原始数据与简要说明。",
        return_samples=steps == 3,
    )
    _go_on(story, order, steps)


def _go_on(story: Story, order: SampleOrder, steps: int) -> None:
    """One step each afternoon, as far as wanted."""
    manager = story.world.managers[order.instrument.institution.code]

    def act(number: int) -> None:
        fresh = SampleOrder.objects.select_related("instrument__institution").get(pk=order.pk)
        if number == 3:
            files = [ContentFile(RESULT.encode(), name="分子量结果.csv")]
            deliver_results(order=fresh, by=manager, files=files)
            finish_testing(order=fresh, by=manager, report="四个样品均已完成，数据见附件。PDI 均小于 1.8。")
        elif number == 0:
            due = (story.now + timedelta(days=3)).date()
            accept_samples(order=fresh, by=manager, expected_on=due)
        else:
            (receive_samples, start_testing)[number - 1](order=fresh, by=manager)

    for number in range(steps):
        story.later(order.submitted_at + timedelta(hours=3 + 24 * number), partial(act, number))
