"""What customers and laboratories of the demo have written to each other."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from django.core.files.base import ContentFile

from backend.accounts.models import User
from backend.web.seed.story import Story
from booking.actions.conversation import add_note
from booking.models import Booking, Side

SAMPLES = """\ufeff编号,名称,形态,数量,备注
S-01,磷酸铁锂正极片,粉末,2,已真空干燥
S-02,铜箔镀层,薄片 10×10 mm,3,请勿喷金
S-03,陶瓷断口,块体,1,断面朝上安装
"""
TALK = (
    (Side.CUSTOMER, 10, "您好，样品共 6 件，清单见附件。S-02 的镀层较薄，能否不喷金直接观察？", True),
    (Side.LAB, 70, "可以，用低真空模式即可，加速电压先设 5 kV。请提前半小时送到测试楼一层样品间。", False),
    (Side.CUSTOMER, 95, "好的，当天 8:30 送到。另外 S-03 需要断口的能谱面扫描，不知时间够不够？", False),
)


def plan_talk(story: Story, booking: Booking) -> None:
    """A question, an answer, and a question that waits for `manager@`."""
    manager = story.world.managers[booking.instrument.institution.code]
    for side, minutes, text, with_list in TALK:
        by = booking.user if side == Side.CUSTOMER else manager
        names = ["样品清单.csv"] if with_list else []
        act = partial(_say, booking, by, side, text, names)
        story.later(booking.requested_at + timedelta(minutes=minutes), act)


def _say(booking: Booking, by: User, side: Side, text: str, names: list[str]) -> None:
    files = [ContentFile(SAMPLES.encode(), name=name) for name in names]
    add_note(booking=booking, by=by, side=side, text=text, files=files)
