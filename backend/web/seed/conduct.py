"""For the demo: the platform's rules at the university, entries on record, an appeal that waits, a suspension."""

from __future__ import annotations

from datetime import timedelta

from backend.accounts.models import Organisation, User
from backend.web.seed.story import Story
from booking.actions.appealing import appeal_violation, record_violation
from booking.actions.credit import save_credit_rules
from booking.actions.policies import save_rules
from booking.models import Policy
from booking.queries.credit import default_rules
from booking.queries.holders import of_institution
from booking.rules.platform import GRACE_MINUTES, platform_rules
from instruments.models import Instrument

CUSTOMER, LATECOMER = "enterprise@demo.example", "ren.bo@demo.example"
COUNTING = ("start", "floor", "ceiling", "points", "completed", "recovery", "recovery_days", "months", "appeal_days")
# How many days ago, and what; the first one is contested.
ENTRIES = (
    (CUSTOMER, 9, "no_show", "仪器管理员现场确认无人到场"),
    (CUSTOMER, 31, "no_show", "预约时段内未签到"),
    (CUSTOMER, 16, "late", "开始 12 分钟后签到"),
    (LATECOMER, 20, "late", "开始 18 分钟后签到"),
    (LATECOMER, 12, "late", "开始 25 分钟后签到"),
    (LATECOMER, 4, "late", "开始 21 分钟后签到"),
)


def plan_conduct(story: Story) -> None:
    """At the time of the demo, so that what was booked before keeps the rules that it was made under."""
    story.later(story.now - timedelta(minutes=45), lambda: _hold(story))


def _hold(story: Story) -> None:
    admin = story.world.users["admin@demo.example"]
    instruments = [one for one in story.world.instruments if one.institution_id == _home(admin).pk][:3]
    university = instruments[0].institution
    _save_rules(story, admin, instruments)
    values = {name: getattr(default_rules(), name) for name in COUNTING}
    operator = story.world.users["network@demo.example"]
    save_credit_rules(holder=operator.memberships.get().organisation, by=operator, values=values)
    manager = story.world.managers[university.code]
    for number, (email, days, name, reason) in enumerate(ENTRIES):
        person = story.world.users[email]
        entry = record_violation(
            by=manager,
            name=name,
            reason=reason,
            at=story.now - timedelta(days=days),
            person=person,
            organisation=_home(person),
            instrument=instruments[number % len(instruments)],
        )
        if number == 0:
            appeal_violation(violation=entry, by=person, reason="当天实验楼停电，无法进入，物业可以证明。")


def _home(person: User) -> Organisation:
    return person.memberships.select_related("organisation").earliest("pk").organisation


def _save_rules(story: Story, admin: User, instruments: list[Instrument]) -> None:
    """All but how far ahead one must book: the demo shall book for tomorrow. Check-in is on at some instruments."""
    university = instruments[0].institution
    now = Policy.objects.filter(organisation=university).latest("version").document
    rules = [rule for rule in platform_rules()["rules"] if rule["id"] != "ahead"]
    save_rules(holder=of_institution(university), document={**now, "rules": [*now.get("rules", []), *rules]}, by=admin)
    ids = [one.pk for one in instruments]
    Instrument.objects.filter(pk__in=ids).update(check_in=True, no_show_grace=GRACE_MINUTES)
