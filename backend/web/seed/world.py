"""The demo's organisations, people and instruments, as they were before its story begins."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time

from django.contrib.auth.hashers import make_password

from backend.accounts.models import Agreement, Membership, Organisation, OrganisationKind, Project, Role, User
from backend.web.seed.accounts import (
    ACCOUNTS,
    AGREEMENTS,
    AGRICULTURE,
    MATERIALS,
    OTHERS,
    PASSWORD,
    PLACES,
    PROJECTS,
    UNIVERSITY,
    Account,
    Place,
)
from backend.web.seed.clock import at
from backend.web.seed.pictures import picture
from backend.web.seed.prices import price_document
from backend.web.seed.uscc import credit_code
from booking.actions.policies import save_policy, save_rules
from booking.queries.holders import of_group, of_institution
from booking.rules.presets import Answers, apply_presets
from instruments.actions.hours import set_opening_hours
from instruments.actions.importing import import_instruments
from instruments.actions.photos import add_photo
from instruments.actions.prices import save_price_list
from instruments.actions.reference import DATA
from instruments.models import Instrument, InstrumentGroup
from instruments.rules import Hours
from invoices.models import TaxRate

# Numbers of the table that go to the other two institutions; the rest is the university's.
_MATERIALS = "18 19 20 21 22 24 26 27 37 0 44 45 47 53 68 71 72 67".split()
_AGRICULTURE = "40 43 46 52 63 64 50 23 35".split()
# Open day and night, on holidays too; popular ones in the evening and at weekends.
_ALWAYS, _LONG = {"53", "24"}, {"16", "17", "20", "26", "66"}
_PICTURED = {"17", "53", "16", "24", "29", "43"}
_MICROSCOPES = {"17", "66", "69", "73", "25"}


@dataclass
class World:
    organisations: dict[str, Organisation] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    projects: dict[str, list[Project]] = field(default_factory=dict)
    # Per institution: who decides there, and who keeps the books.
    managers: dict[str, User] = field(default_factory=dict)
    finance: dict[str, User] = field(default_factory=dict)
    instruments: list[Instrument] = field(default_factory=list)

    def belongs(self) -> list[tuple[User, Organisation]]:
        """Everybody who books, with the organisation for which they do."""
        people = [*ACCOUNTS, *OTHERS]
        bookers = [one for one in people if Role.MEMBER in one.roles]
        return [(self.users[one.email], self.organisations[one.organisation]) for one in bookers]


def make_world(founded: datetime, rng: random.Random) -> World:
    world = World()
    with at(founded):
        _make_organisations(world)
        _make_people(world)
        _make_contracts(world, founded.date())
        for code in (UNIVERSITY, MATERIALS, AGRICULTURE):
            _make_instruments(world, code, founded.date(), rng)
    return world


def _make_organisations(world: World) -> None:
    for place in PLACES:
        kind = "91" if place.kind == OrganisationKind.ENTERPRISE else "12"
        world.organisations[place.code] = Organisation.objects.create(
            code=place.code,
            kind=place.kind,
            name=place.name,
            name_en=place.name_en,
            region=place.region,
            address=f"{place.region}市{place.address}",
            uscc=credit_code(kind=kind, area=place.area, register=place.register),
            **_contact(place),
        )


def _contact(place: Place) -> dict[str, str]:
    return {
        "phone": f"0471-555{place.register[-4:]}",
        "email": f"office@{place.code.lower()}.example",
        "bank": f"示例银行{place.region}分行",
        "bank_account": f"6200 0000 {place.register[:4]} {place.register[4:]}",
    }


def _make_people(world: World) -> None:
    # One hash for all: they share the password, and hashing is slow on purpose.
    password = make_password(PASSWORD)
    for account in (*ACCOUNTS, *OTHERS):
        user = User.objects.create(
            email=account.email,
            name=account.name,
            password=password,
            phone="13800000000",
            # Into Django's admin too.
            is_staff=Role.OPERATOR in account.roles,
        )
        world.users[account.email] = user
        for role in account.roles:
            organisation = world.organisations[account.organisation]
            Membership.objects.create(user=user, organisation=organisation, role=role)
        _note_office(world, account, user)


def _note_office(world: World, account: Account, user: User) -> None:
    if Role.MANAGER in account.roles:
        world.managers.setdefault(account.organisation, user)
    if Role.FINANCE in account.roles:
        world.finance.setdefault(account.organisation, user)


def _make_contracts(world: World, day: date) -> None:
    for organisation, code, name in PROJECTS:
        project = Project.objects.create(organisation=world.organisations[organisation], code=code, name=name)
        world.projects.setdefault(organisation, []).append(project)
    for host, customer, number in AGREEMENTS:
        Agreement.objects.create(
            institution=world.organisations[host],
            customer=world.organisations[customer],
            number=number,
            valid_from=date(day.year, 1, 1),
            valid_to=date(day.year + 2, 12, 31),
        )
    TaxRate.objects.create(
        name="研发和技术服务", code="3040105000000000000", percent="6.00", included=True, valid_from=date(2020, 1, 1)
    )


def _make_instruments(world: World, code: str, day: date, rng: random.Random) -> None:
    """Through the import, as an institution would do it, and then what the table does not tell."""
    institution, manager = world.organisations[code], world.managers[code]
    import_instruments(institution=institution, by=manager, content=_table_of(code, manager, rng))
    instruments = list(Instrument.objects.filter(institution=institution).select_related("institution"))
    group = InstrumentGroup.objects.create(institution=institution, name="电子与扫描探针显微镜")
    microscopes = [one.pk for one in instruments if one.local_no in _MICROSCOPES]
    Instrument.objects.filter(pk__in=microscopes).update(group=group)
    start = date(day.year, 1, 1)
    if code == UNIVERSITY:
        admin = world.users["admin@demo.example"]
        inherited = apply_presets({}, Answers(cancel_hours=2))
        save_rules(holder=of_institution(institution), document=inherited, by=admin, valid_from=start)
    if microscopes:
        shared = apply_presets({}, Answers(horizon_days=30))
        save_rules(holder=of_group(group), document=shared, by=manager, valid_from=start)
    always = [one.pk for one in instruments if one.local_no in _ALWAYS]
    Instrument.objects.filter(pk__in=always).update(open_on_holidays=True)
    Instrument.objects.filter(institution=institution).update(hold_hours=72)
    for instrument in instruments:
        instrument.refresh_from_db()
        set_opening_hours(instrument=instrument, by=manager, hours=list(_hours(instrument)))
        document = price_document(instrument, day.year)
        save_price_list(instrument=instrument, by=manager, document=document, valid_from=date(day.year, 1, 1))
        save_policy(
            instrument=instrument, document=_policy(instrument, code), by=manager, valid_from=date(day.year, 1, 1)
        )
    for instrument in instruments:
        if instrument.local_no in _PICTURED:
            alt = f"{instrument.name}，{instrument.department}"
            add_photo(instrument=instrument, by=manager, file=picture(int(instrument.local_no)), alt=alt)
    world.instruments += instruments


def _hours(instrument: Instrument) -> Iterable[Hours]:
    if instrument.local_no in _ALWAYS:
        return (Hours(day, time(0), time(0)) for day in range(1, 8))
    if instrument.local_no in _LONG:
        return (Hours(day, time(8), time(21)) for day in range(1, 8))
    return (Hours(day, time(8, 30), time(17, 30)) for day in range(1, 6))


def _policy(instrument: Instrument, code: str) -> dict[str, object]:
    """Without what its group and the university say for all of theirs."""
    small = instrument.local_no in _ALWAYS
    answers = Answers(
        shortest=60 if small else 30,
        longest=24 * 60 if small else 8 * 60,
        step=60 if small else 30,
        horizon_days=None if instrument.group_id else 30,
        lead_hours=1,
        cancel_hours=None if code == UNIVERSITY else 2,
        approval="nobody" if small else "external",
        self_operation="everybody",
    )
    return apply_presets({}, answers)


def _table_of(code: str, manager: User, rng: random.Random) -> bytes:
    """The institution's rows of the 47 instruments, with the columns that the table leaves out."""
    with (DATA / "instruments.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if _owner(row["local_no"]) == code]
    out = io.StringIO()
    place = world_place(code)
    extra = [
        "department", "contact_name", "contact_phone", "contact_email", "worth", "begin_date", "requirement", "kind",
        "subject", "regulations", "run_hours", "service_hours", "province", "city", "address", "funds",
    ]  # fmt: skip
    writer = csv.DictWriter(out, [*rows[0], *extra])
    writer.writeheader()
    for row in rows:
        heavy = row["category"] in ("0101", "0103", "0106", "0108")
        worth = rng.randint(150, 600) if heavy else rng.randint(12, 120)
        run = 600 + 37 * (len(row["local_no"]) + worth) % 1400
        writer.writerow(
            {
                **row,
                "department": _DEPARTMENTS.get(row["category"], "综合测试平台"),
                "contact_name": manager.name,
                "contact_phone": "0471-5550000",
                "contact_email": manager.email,
                "worth": f"{worth}.00",
                "kind": "special" if row["category"] == "0106" else "general",
                "subject": _SUBJECTS.get(row["category"], "材料科学；化学"),
                "regulations": "面向社会开放，按预约先后安排；校外用户须签订测试服务协议，遵守实验室安全管理规定。",
                "run_hours": f"{run}.5",
                "service_hours": f"{run * 2 // 5}.0",
                "province": "内蒙古自治区",
                "city": f"{place.region}市",
                "address": place.address,
                "funds": "中央财政专项资金",
                "begin_date": f"{rng.randint(2008, 2024)}-{rng.randint(1, 12):02}-15",
                "requirement": "送样前请与联系人确认样品状态、数量与制样要求；有毒、易燃、易爆样品须提前说明。",
            }
        )
    return out.getvalue().encode()


def world_place(code: str) -> Place:
    return next(place for place in PLACES if place.code == code)


_SUBJECTS = {"0104": "化学；环境科学", "0105": "化学；食品科学", "0106": "化学；药学", "0107": "化学；能源科学"}
_DEPARTMENTS = {
    "0101": "电子显微平台",
    "0103": "X 射线平台",
    "0104": "光谱平台",
    "0105": "色谱平台",
    "0106": "核磁平台",
    "0107": "电化学平台",
    "0109": "热分析平台",
}


def _owner(local_no: str) -> str:
    if local_no in _MATERIALS:
        return MATERIALS
    return AGRICULTURE if local_no in _AGRICULTURE else UNIVERSITY
