"""Trainings of the demo: two sessions, a result, a request that waits, and a qualification that ends soon."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from backend.accounts.models import Agreement, User
from backend.accounts.queries import access_of
from backend.web.seed.story import ZONE, Story
from booking.actions.courses import create_course, create_session
from booking.actions.qualifying import grant_qualification
from booking.actions.training import Result, enrol, record_results, request_training
from booking.models import Course, TrainingSession
from instruments.models import Instrument

# Self-operated at the university; `enterprise@` has learned the first and asks for the second.
FIRST, SECOND = "17", "16"


def plan_trainings(story: Story) -> None:
    """Everything happens through the actions, at its own time."""
    by_number = {one.local_no: one for one in story.world.instruments}
    first, second = by_number[FIRST], by_number[SECOND]
    made: dict[str, Course] = {}
    held: dict[str, TrainingSession] = {}
    today = story.now.astimezone(ZONE).date()

    def offer() -> None:
        made["sem"] = _course(story, first, "扫描电镜自主上机培训", "SEM self-operation", level="B")
        made["xrd"] = _course(story, second, "仪器自主上机基础培训", "Basic self-operation", level="C", at_once=True)
        held["past"] = _session(story, made["sem"], today - timedelta(days=6), 9)

    def learn() -> None:
        newcomer = story.world.users["enterprise@demo.example"]
        asked = request_training(
            course=made["sem"],
            user=newcomer,
            organisation=access_of(newcomer).bookers()[0],
            session=held["past"],
        )
        enrol(request=asked, by=_manager(story, first))

    def judge() -> None:
        rows = [Result(one, "passed", 86, "操作规范") for one in held["past"].requests.select_related("user")]
        record_results(session=held["past"], results=rows, by=_manager(story, first))

    story.later(story.now - timedelta(days=20), offer)
    story.later(story.now - timedelta(days=18), learn)
    story.later(_at(today - timedelta(days=6), 12), judge)
    story.later(story.now - timedelta(days=3), lambda: _announce(story, made, today))
    story.later(story.now - timedelta(hours=9), lambda: _ask(story, made))
    story.later(story.now - timedelta(days=2), lambda: _end_soon(story, made["xrd"]))


def _announce(story: Story, made: dict[str, Course], today: date) -> None:
    _session(story, made["sem"], today + timedelta(days=4), 14)
    _session(story, made["sem"], today + timedelta(days=11), 9)
    _session(story, made["xrd"], today + timedelta(days=6), 9)


def _ask(story: Story, made: dict[str, Course]) -> None:
    other = story.world.users["other@demo.example"]
    coming = made["sem"].sessions.order_by("start").last()
    request_training(
        course=made["sem"],
        user=other,
        organisation=access_of(other).bookers()[0],
        session=coming,
        note="第一次使用扫描电镜，主要看粉末形貌。",
    )


def _end_soon(story: Story, course: Course) -> None:
    """A qualification and a contract that end within a month."""
    user = story.world.users["enterprise@demo.example"]
    by = _manager(story, course.instruments.get())
    until = story.now + timedelta(days=12)
    grant_qualification(
        user=user, by=by, course=course, valid_until=until, reason="三年以上独立操作经验，核实后直接授权。"
    )
    agreement = Agreement.objects.filter(institution=course.institution).order_by("pk").last()
    if agreement is not None:
        agreement.valid_to = (story.now + timedelta(days=20)).date()
        agreement.save(update_fields=["valid_to"])


def _course(
    story: Story, instrument: Instrument, name: str, name_en: str, *, level: str, at_once: bool = False
) -> Course:
    return create_course(
        institution=instrument.institution,
        by=_manager(story, instrument),
        instruments=[instrument],
        name=name,
        name_en=name_en,
        description="仪器原理与安全规范 1 小时，上机操作 2 小时，现场考核。请穿实验服，自带 1–2 件样品。",
        level=level,
        rank=2 if level == "B" else 1,
        exam=not at_once,
        pass_mark=None if at_once else 60,
        validity_months=24,
        disuse_months=6,
        open=at_once,
    )


def _session(story: Story, course: Course, day: date, hour: int) -> TrainingSession:
    by = _manager(story, course.instruments.get())
    start = _at(day, hour)
    return create_session(
        course=course, by=by, start=start, end=start + timedelta(hours=3), places=6, place="测试楼 102", trainer=by.name
    )


def _manager(story: Story, instrument: Instrument) -> User:
    return story.world.managers[instrument.institution.code]


def _at(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), ZONE)
