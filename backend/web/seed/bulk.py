"""Many plain rows for trying things at size: organisations, people and instruments that nobody mistakes for real.

The same numbers at the same time give the same rows, but for keys and salts. Everything is valid for the pages
and the database; only the audit record says nothing of it, because nobody did it.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import chain, cycle, islice
from itertools import count as count_from
from typing import Any, TypeVar

from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.utils import timezone

from backend.accounts.models import Membership, Organisation, OrganisationKind, Role, User
from backend.web.seed.accounts import PASSWORD
from backend.web.seed.bulk_bookings import CLOSES, OPENS, WORKDAYS, make_bookings
from backend.web.seed.bulk_invoices import make_invoices
from backend.web.seed.prices import price_document
from backend.web.seed.uscc import credit_code
from booking.models import Layer, Policy
from booking.rules.presets import Answers, apply_presets
from instruments.actions.indexing import index_instruments
from instruments.actions.prices import starting_prices
from instruments.actions.reference import DATA, load_reference_data
from instruments.models import Instrument, OpeningHours, PriceList, StartingPrice, Technique

REGIONS = ("呼和浩特", "包头", "乌海", "赤峰", "通辽", "鄂尔多斯", "呼伦贝尔", "巴彦淖尔", "乌兰察布", "锡林郭勒")
# One institution for so many organisations.
HOSTS = 20
POLICY = apply_presets({}, Answers(shortest=30, longest=480, step=30, horizon_days=60, approval="external"))

Row = TypeVar("Row", bound=models.Model)


def seed(*, organisations: int, users: int, instruments: int, bookings: int, seed: int) -> dict[str, int]:
    """How many of each there are afterwards. All or nothing."""
    # The same rows every time, but others when they are added to what is there.
    rng = random.Random(f"{seed} {Organisation.objects.count()}")  # noqa: S311
    with transaction.atomic():
        load_reference_data()
        places = _make_organisations(organisations)
        _make_users(users, places)
        hosts = [place for place in places if place.kind == OrganisationKind.INSTITUTION]
        made = _make_instruments(instruments, hosts, rng)
        booked = make_bookings(bookings, made, places, POLICY, rng)
        invoices = make_invoices(hosts, rng)
    return {
        "organisations": len(places),
        "users": users,
        "instruments": len(made),
        "bookings": booked,
        "invoices": invoices,
    }


def create(rows: Iterable[Row], batch: int = 2000) -> list[Row]:
    """`bulk_create` in slices, so that memory stays small."""
    source, out = iter(rows), []
    while part := list(islice(source, batch)):
        out += type(part[0])._default_manager.bulk_create(part)
    return out


def _make_organisations(count: int) -> list[Organisation]:
    first = Organisation.objects.count() + 1
    return create(_organisation(n) for n in range(first, first + count))


def _organisation(n: int) -> Organisation:
    host = n % HOSTS == 1
    return Organisation(
        kind=OrganisationKind.INSTITUTION if host else OrganisationKind.ENTERPRISE,
        code=f"seed-{n}",
        name=f"示例{'研究院' if host else '企业'} {n} 号",
        name_en=f"Example {'Institute' if host else 'Company'} {n}",
        region=REGIONS[n % len(REGIONS)],
        address=f"{REGIONS[n % len(REGIONS)]}示例路 {n} 号",
        uscc=credit_code(kind="12" if host else "91", area="150199", register=f"{n:08}"),
        phone="0471-5550000",
        email=f"office@seed-{n}.example",
    )


def _make_users(count: int, places: Sequence[Organisation]) -> None:
    """One person in each place first, who runs it; of the others, one in ten is the first enterprise's."""
    first, password = User.objects.count() + 1, make_password(PASSWORD)
    people = create(
        User(email=f"user{n}@seed.example", name=f"示例用户 {n}", password=password)
        for n in range(first, first + count)
    )
    firms = [place for place in places if place.kind == OrganisationKind.ENTERPRISE]
    around = cycle(places)
    homes = chain(places, (firms[0] if firms and n % 10 == 0 else next(around) for n in count_from(0)))
    create(
        Membership(user=person, organisation=home, role=role)
        for number, (person, home) in enumerate(zip(people, homes if places else (), strict=False))
        for role in _roles(home, head=number < len(places))
    )


def _roles(place: Organisation, *, head: bool) -> tuple[Role, ...]:
    if not head:
        return (Role.MEMBER,)
    return (Role.MANAGER, Role.FINANCE) if place.kind == OrganisationKind.INSTITUTION else (Role.ADMIN,)


def _make_instruments(count: int, hosts: Sequence[Organisation], rng: random.Random) -> list[Instrument]:
    if not hosts:
        return []
    first = Instrument.objects.count() + 1
    templates = _templates()
    made = create(
        _instrument(templates[n % len(templates)], _host(hosts, n), n, rng) for n in range(first, first + count)
    )
    techniques = {technique.key: technique.pk for technique in Technique.objects.all()}
    create(_links(made, templates, first, techniques))
    create(OpeningHours(instrument=one, weekday=day, opens=OPENS, closes=CLOSES) for one in made for day in WORKDAYS)
    _make_prices(made)
    create(
        Policy(layer=Layer.INSTITUTION, organisation=host, version=1, valid_from=date(2020, 1, 1), document=POLICY)
        for host in hosts
        if not host.policies.exists()
    )
    index_instruments(pks=[one.pk for one in made])
    return made


def _host(hosts: Sequence[Organisation], n: int) -> Organisation:
    """Half of the instruments stand in the first twentieth of the institutions."""
    return hosts[n // 2 % (len(hosts) if n % 2 else -(-len(hosts) // 20))]


def _templates() -> list[dict[str, str]]:
    with (DATA / "instruments.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _instrument(template: dict[str, str], host: Organisation, n: int, rng: random.Random) -> Instrument:
    modes = template["modes"].split(";")
    return Instrument(
        institution=host,
        local_no=str(n),
        name=f"{template['name_zh']} {n}",
        name_en=f"{template['name_en']} {n}",
        category_id=template["category"],
        manufacturer=template["manufacturer"],
        model=template["model"],
        region=host.region,
        address=host.address,
        worth=rng.randint(10, 600),
        begin_date=date(rng.randint(2005, 2025), rng.randint(1, 12), 15),
        units=int(template["units"]),
        mode_self="self" in modes,
        mode_operator="operator" in modes,
        mode_sample="sample" in modes,
    )


def _links(
    made: Sequence[Instrument], templates: Sequence[dict[str, str]], first: int, techniques: dict[str, int]
) -> Iterator[Any]:
    through = Instrument.techniques.through
    for n, instrument in enumerate(made, first):
        for key in filter(None, templates[n % len(templates)]["technique"].split(";")):
            if key in techniques:
                yield through(instrument_id=instrument.pk, technique_id=techniques[key])


def _make_prices(made: Sequence[Instrument]) -> None:
    today = timezone.localdate()
    first = today.year - 1
    documents = {one.pk: price_document(one, first) for one in made}
    create(
        PriceList(instrument=one, version=1, valid_from=date(first, 1, 1), document=documents[one.pk]) for one in made
    )
    create(
        StartingPrice(instrument=one, audience=audience, amount=amount, unit=unit)
        for one in made
        for audience, (amount, unit) in starting_prices(documents[one.pk], one.modes, one.timezone, today).items()
    )
