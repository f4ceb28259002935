"""Many plain rows for trying things at size: organisations, people and instruments that nobody mistakes for real.

The same numbers give the same rows. Everything is valid for the pages and the database; only the audit record says
nothing of it, because nobody did it.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, time
from itertools import cycle, islice
from typing import Any, TypeVar

from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.utils import timezone

from backend.accounts.models import Membership, Organisation, OrganisationKind, Role, User
from backend.web.seed.accounts import PASSWORD
from backend.web.seed.bulk_bookings import make_bookings
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
    rng = random.Random(seed)  # noqa: S311  (the same rows every time)
    with transaction.atomic():
        load_reference_data()
        places = _make_organisations(organisations)
        _make_users(users, places)
        made = _make_instruments(instruments, [p for p in places if p.kind == OrganisationKind.INSTITUTION], rng)
        make_bookings(bookings, made, rng)
    return {
        "organisations": len(places),
        "users": users,
        "instruments": len(made),
        "bookings": bookings if made else 0,
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
    """Members everywhere; the first person of an institution manages it, of an enterprise administers it."""
    first, password = User.objects.count() + 1, make_password(PASSWORD)
    people = create(
        User(email=f"user{n}@seed.example", name=f"示例用户 {n}", password=password)
        for n in range(first, first + count)
    )
    homes = islice(cycle(places), count) if places else iter(())
    create(
        _membership(place, person, number < len(places))
        for number, (person, place) in enumerate(zip(people, homes, strict=False))
    )


def _membership(place: Organisation, person: User, head: bool) -> Membership:
    host = place.kind == OrganisationKind.INSTITUTION
    role = (Role.MANAGER if host else Role.ADMIN) if head else Role.MEMBER
    return Membership(user=person, organisation=place, role=role)


def _make_instruments(count: int, hosts: Sequence[Organisation], rng: random.Random) -> list[Instrument]:
    if not hosts:
        return []
    first = Instrument.objects.count() + 1
    templates = _templates()
    made = create(
        _instrument(templates[n % len(templates)], hosts[n % len(hosts)], n, rng) for n in range(first, first + count)
    )
    techniques = {technique.key: technique.pk for technique in Technique.objects.all()}
    create(_links(made, templates, first, techniques))
    create(
        OpeningHours(instrument=one, weekday=day, opens=time(8), closes=time(20)) for one in made for day in range(1, 6)
    )
    _make_prices(made)
    create(
        Policy(layer=Layer.INSTITUTION, organisation=host, version=1, valid_from=date(2020, 1, 1), document=POLICY)
        for host in hosts
        if not host.policies.exists()
    )
    index_instruments(pks=[one.pk for one in made])
    return made


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
    documents = {one.pk: price_document(one, today.year) for one in made}
    create(
        PriceList(instrument=one, version=1, valid_from=date(today.year, 1, 1), document=documents[one.pk])
        for one in made
    )
    create(
        StartingPrice(instrument=one, audience=audience, amount=amount, unit=unit)
        for one in made
        for audience, (amount, unit) in starting_prices(documents[one.pk], one.modes, one.timezone, today).items()
    )
