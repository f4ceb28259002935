"""Vouchers of the demo: two published schemes, and what enterprises do with them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

from django.core.files.base import ContentFile

from backend.accounts.models import Organisation
from backend.web.seed.accounts import NETWORK
from backend.web.seed.story import Story
from invoices.actions.covering import cover_charge
from invoices.actions.voucher_grants import apply_for_voucher, grant_voucher, refuse_voucher
from invoices.actions.voucher_payouts import mark_paid, prepare_payout
from invoices.actions.voucher_schemes import save_scheme
from invoices.models import Charge, ChargeState, Evidence, VoucherGrant, VoucherScheme
from invoices.queries.payouts import to_pay_out

SHANDONG, HEFEI = "cxq-sd", "cxq-hf"
# 40 % or 60 % by the kind of enterprise, up to 500,000 a year; 20 % for the user and another 20 % for the host.
SCHEMES = (
    (SHANDONG, "科技创新券（按山东省公布标准）", "Innovation voucher (as published in Shandong)", "500000.00",
     [{"types": ["micro", "tech"], "modes": [], "percent": "60", "host_percent": "0"},
      {"types": [], "modes": [], "percent": "40", "host_percent": "0"}]),
    (HEFEI, "科技创新券（按合肥市公布标准）", "Innovation voucher (as published in Hefei)", None,
     [{"types": [], "modes": [], "percent": "20", "host_percent": "20"}]),
)  # fmt: skip
# Who applies for what, and what comes of it: granted, refused, or nothing yet.
APPLICATIONS = (
    (SHANDONG, "enterprise@demo.example", "tech", "200000.00", "正极材料失效分析与表面改性研究。", "granted"),
    (HEFEI, "ren.bo@demo.example", "high_tech", "80000.00", "稀土永磁材料微观结构研究。", "granted"),
    (SHANDONG, "song.jia@demo.example", "other", "50000.00", "产品出厂检验。", "refused"),
    (SHANDONG, "other@demo.example", "micro", "60000.00", "乳制品新配方的稳定性研究。", ""),
)


def plan_vouchers(story: Story, this_month: date, invoiced: datetime) -> None:
    """Schemes and applications before the bookings; vouchers are chosen before last month is ``invoiced``."""
    begin = invoiced - timedelta(days=40)
    story.later(begin, lambda: _schemes(story, this_month))
    for number, application in enumerate(APPLICATIONS):
        asked = begin + timedelta(days=1, hours=number)
        if not application[-1]:
            asked = story.now - timedelta(hours=20)
        story.later(asked, partial(_apply, story, *application))
    story.later(invoiced - timedelta(minutes=30), lambda: _cover(story, ChargeState.FINAL, 8))
    story.later(story.now - timedelta(minutes=50), lambda: _cover(story, ChargeState.RESERVED, 2))
    story.later(min(invoiced + timedelta(days=4), story.now - timedelta(minutes=40)), lambda: _pay_out(story))


def _schemes(story: Story, this_month: date) -> None:
    operator = story.world.users["network@demo.example"]
    first = date(this_month.year - 1, 1, 1)
    for code, name, name_en, cap, shares in SCHEMES:
        values = {
            "code": code,
            "name": name,
            "name_en": name_en,
            "valid_from": first,
            "valid_to": date(this_month.year + 1, 12, 31),
            "shares": shares,
            "cap": Decimal(cap) if cap else None,
            "documents": ["科技创新券使用承诺书"],
            "evidence": Evidence.values,
        }
        network = Organisation.objects.get(code=NETWORK)
        save_scheme(scheme=None, values=values, network_id=network.pk, by=operator)


def _apply(story: Story, code: str, email: str, kind: str, amount: str, purpose: str, answer: str) -> None:
    by, operator = story.world.users[email], story.world.users["network@demo.example"]
    enterprise = Organisation.objects.get(kind="enterprise", memberships__user=by, memberships__role="admin")
    wish = {"enterprise_type": kind, "requested": Decimal(amount), "purpose": purpose, "declared": True}
    grant = apply_for_voucher(
        scheme=VoucherScheme.objects.get(code=code),
        enterprise=enterprise,
        values=wish,
        by=by,
        files=[ContentFile("我单位承诺所填内容真实完整。\n".encode(), name="承诺书.txt")],
    )
    if answer == "granted":
        grant_voucher(grant=grant, amount=Decimal(amount), by=operator)
    elif answer == "refused":
        refuse_voucher(grant=grant, reason="出厂检验不属于研发活动，不在支持范围内。", by=operator)


def _cover(story: Story, state: str, most: int) -> None:
    """The largest charges of each enterprise that has a voucher."""
    for grant in VoucherGrant.objects.filter(state="granted").order_by("pk"):
        charges = Charge.objects.filter(
            customer=grant.enterprise_id, state=state, original=None, total__gt=0, voucher_use=None
        )
        for charge in charges.order_by("-total", "pk")[:most]:
            cover_charge(source=charge.source, source_uid=charge.source_uid, grant=grant, declared=True, by=charge.user)


def _pay_out(story: Story) -> None:
    """The largest sum is paid; the others are due."""
    operator = story.world.users["network@demo.example"]
    for due in to_pay_out()[:1]:
        payout = prepare_payout(
            institution=Organisation.objects.get(pk=due.institution_id),
            scheme=VoucherScheme.objects.get(pk=due.scheme_id),
            by=operator,
        )
        mark_paid(payout=payout, paid_on=payout.created_at.date(), reference=f"DF{payout.pk:08}", by=operator)
