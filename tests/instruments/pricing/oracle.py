"""A second computation of a family of price lists, written for itself: whole minutes, fractions of a yuan, plain loops.

It shares no code with the engine and reads no price list: `Case` holds the numbers of both.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

AUDIENCES = ("internal", "academic", "enterprise")
FIRST = datetime(2026, 3, 23)  # a Monday; six weeks reach over two ends of a month
PEAK_FROM, PEAK_TO = 9 * 60, 17 * 60  # Monday to Friday
CODES = ("time", "peak", "samples", "points", "rush", "least", "cap", "less", "tax")
MONTHLY = {"per": ["person"], "period": "month"}
Money = dict[str, Fraction]


@dataclass
class Use:
    """``booked`` and ``used``: minutes since `FIRST`, from and to."""

    number: int
    person: str
    audience: str
    booked: tuple[int, int]
    used: tuple[int, int]
    samples: int
    points: int
    rush: bool

    def as_record(self) -> dict[str, Any]:
        return {
            "id": str(self.number),
            "person": self.person,
            "audience": self.audience,
            "booked": [_wall(self.booked)],
            "used": [_wall(self.used)],
            "samples": self.samples,
            "points": self.points,
            "rush": self.rush,
        }

    @property
    def month(self) -> tuple[str, int, int]:
        day = (FIRST + timedelta(minutes=self.booked[0])).date()
        return self.person, day.year, day.month


def _wall(span: tuple[int, int]) -> list[str]:
    return [(FIRST + timedelta(minutes=minute)).isoformat() for minute in span]


@dataclass
class Case:
    """The numbers of one list, the uses that it is tried on, and the list as its JSON."""

    hourly: dict[str, Fraction]
    clock: str
    least: int  # minutes
    step: int  # minutes
    direction: str
    peak: Fraction  # added per hour of peak time that was used
    sample_rates: list[tuple[int, Fraction]]  # (more than so many, price of one)
    samples_all: bool  # every sample at the price reached, over the month
    samples_monthly: bool
    free_points: int
    point: Fraction
    rush: Fraction
    least_charge: Fraction
    cap: Fraction
    discounts: list[tuple[Fraction, Fraction]]  # (from so much in the month, percent off)
    tax: Fraction
    parts: frozenset[str] = frozenset()  # the codes of the rules that the list has beside ``time``
    uses: list[Use] = field(default_factory=list)

    def as_list(self) -> dict[str, Any]:
        hours: dict[str, Any] = {
            "of": self.clock,
            "min": Fraction(self.least, 60),
            "step": Fraction(self.step, 60),
            "dir": self.direction,
        }
        rows = [{"when": {"audience": name}, "rate": rate} for name, rate in self.hourly.items()]
        return {
            "bands": {"peak": [{"days": [1, 2, 3, 4, 5], "from": "09:00", "to": "17:00"}]},
            "quantities": {"hours": hours},
            "tables": {"hour": rows},
            "rules": [self._as_rule(code) for code in CODES if code in self.parts or code == "time"],
        }

    def _as_rule(self, code: str) -> dict[str, Any]:
        limit: dict[str, Any] = {"kind": "limit", "on": self._of("time", "peak")}
        rules: dict[str, dict[str, Any]] = {
            "time": {"kind": "price", "required": True, "qty": ["hours"], "table": "hour"},
            "peak": {"kind": "price", "qty": [{"of": "used", "band": "peak"}], "rate": self.peak},
            "samples": self._samples(),
            "points": {
                "kind": "price",
                "qty": ["points"],
                "tiers": [{"from": 0, "rate": 0}, {"over": self.free_points, "rate": self.point}],
                "scope": MONTHLY,
            },
            "rush": {"kind": "percent", "when": {"rush": True}, "on": self._of("time", "samples"), "rate": self.rush},
            "least": {**limit, "limit": "min", "rate": self.least_charge},
            "cap": {**limit, "limit": "max", "rate": self.cap, "scope": MONTHLY},
            "less": {
                "kind": "percent",
                "on": ["*"],
                "tiers": [{"from": 0, "rate": 0}, *({"from": each, "rate": -off} for each, off in self.discounts)],
                "mode": "all",
                "scope": MONTHLY,
            },
            "tax": {"kind": "percent", "on": ["*"], "rate": self.tax},
        }
        return {"code": code, **rules[code]}

    def _of(self, *codes: str) -> list[str]:
        return [code for code in codes if code in self.parts or code == "time"]

    def _samples(self) -> dict[str, Any]:
        tiers = [{"over": over, "rate": rate} for over, rate in self.sample_rates]
        mode = {"mode": "all"} if self.samples_all else {}
        return {"kind": "price", "qty": ["samples"], "tiers": tiers, **mode} | (
            {"scope": MONTHLY} if self.samples_monthly else {}
        )


def make_case(rng: random.Random) -> Case:
    case = Case(
        hourly={name: Fraction(rng.randrange(0, 60_000), 100) for name in AUDIENCES},
        clock=rng.choice(["booked", "used", "longer", "union"]),
        least=rng.choice([0, 30, 60, 120]),
        step=rng.choice([1, 6, 15, 30, 60]),
        direction=rng.choice(["up", "up", "down", "nearest"]),
        peak=Fraction(rng.randrange(0, 5_000), 100),
        sample_rates=_rising(rng, rng.choice([1, 2, 3])),
        samples_all=rng.random() < 0.4,
        samples_monthly=rng.random() < 0.6,
        free_points=rng.randrange(0, 12),
        point=Fraction(rng.randrange(0, 3_000), 100),
        rush=Fraction(rng.choice([0, 25, 50, 100, 333]), rng.choice([1, 10])),
        least_charge=Fraction(rng.choice([0, 0, 5_000, 20_050]), 100),
        cap=Fraction(rng.choice([30_000, 123_456, 10_000_000]), 100),
        discounts=[(Fraction(rng.randrange(1, 900)), Fraction(rng.randrange(1, 30)))]
        + ([(Fraction(rng.randrange(1_000, 5_000)), Fraction(rng.randrange(30, 60)))] if rng.random() < 0.5 else []),
        tax=Fraction(rng.choice([0, 3, 6, 13])),
    )
    case.parts = frozenset(code for code in CODES if rng.random() < 0.55)
    return case


def make_uses(rng: random.Random) -> list[Use]:
    return [_make_use(rng, number) for number in range(rng.choice([1, 1, 2, 3]))]


def _rising(rng: random.Random, count: int) -> list[tuple[int, Fraction]]:
    bounds = [0, *sorted(rng.sample(range(1, 12), count - 1))]
    return [(bound, Fraction(rng.randrange(0, 20_000), 100)) for bound in bounds]


def _make_use(rng: random.Random, number: int) -> Use:
    start, length = rng.randrange(0, 42 * 24 * 60), rng.randrange(1, 30 * 60)
    late = rng.choice([0, 0, 7, -20, 95])
    begin = max(0, start + late)
    return Use(
        number=number,
        person=rng.choice("ppq"),
        audience=rng.choice(AUDIENCES),
        booked=(start, start + length),
        used=(begin, begin + rng.choice([length, max(1, length - 33), length + 41])),
        samples=rng.choice([0, 1, 2, 5, 9]),
        points=rng.choice([0, 3, 7, 20]),
        rush=rng.random() < 0.3,
    )


# --- the computation --------------------------------------------------------------------------------------------------


def cents(amount: Fraction) -> Fraction:
    """Half up, away from zero."""
    whole = (abs(amount) * 200 + 1) // 2
    return Fraction(whole if amount >= 0 else -whole, 100)


def minutes_of(use: Use, clock: str) -> int:
    booked, used = use.booked[1] - use.booked[0], use.used[1] - use.used[0]
    if clock == "longer":
        return max(booked, used)
    if clock == "union":
        shared = min(use.booked[1], use.used[1]) - max(use.booked[0], use.used[0])
        return booked + used - max(0, shared)
    return booked if clock == "booked" else used


def stepped(minutes: int, case: Case) -> Fraction:
    if minutes == 0:
        return Fraction(0)
    minutes = max(minutes, case.least)
    steps, rest = divmod(minutes, case.step)
    if (case.direction == "up" and rest) or (case.direction == "nearest" and 2 * rest >= case.step):
        steps += 1
    return Fraction(steps * case.step, 60)


def peak_hours(span: tuple[int, int]) -> Fraction:
    total, day = 0, span[0] // 1440
    while day * 1440 < span[1]:
        if day % 7 < 5:
            total += max(0, min(span[1], day * 1440 + PEAK_TO) - max(span[0], day * 1440 + PEAK_FROM))
        day += 1
    return Fraction(total, 60)


def rate_reached(rates: list[tuple[int, Fraction]], count: int) -> Fraction:
    found = Fraction(0)
    for over, rate in rates:
        if count > over:
            found = rate
    return found


def one_by_one(rates: list[tuple[int, Fraction]], before: int, count: int) -> Fraction:
    return sum((rate_reached(rates, number) for number in range(before + 1, before + count + 1)), Fraction(0))


def amounts_of(case: Case) -> list[Money]:
    """What each use costs by code, in the order known."""
    monthly: dict[tuple[str, int, int], list[tuple[Use, Money]]] = {}
    out = []
    for use in case.uses:
        past = monthly.setdefault(use.month, [])
        money = _amounts(case, use, past)
        past.append((use, money))
        out.append(money)
    return out


def _amounts(case: Case, use: Use, past: list[tuple[Use, Money]]) -> Money:
    def posted(*codes: str) -> Fraction:
        return sum((money[code] for _use, money in past for code in codes), Fraction(0))

    money: Money = dict.fromkeys(CODES, Fraction(0))

    def post(code: str, amount: Fraction) -> None:
        if code == "time" or code in case.parts:
            money[code] = amount

    hours, peak = stepped(minutes_of(use, case.clock), case), peak_hours(use.used)
    post("time", cents(hours * case.hourly[use.audience]))
    post("peak", cents(peak * case.peak))
    post("samples", _samples(case, use, past))
    points = sum(each.points for each, _money in past)
    charged = max(0, points + use.points - case.free_points) - max(0, points - case.free_points)
    post("points", cents(charged * case.point))
    post("rush", cents((money["time"] + money["samples"]) * case.rush / 100) if use.rush else Fraction(0))
    both = money["time"] + money["peak"]
    # Nothing is owed at least for what was not used at all.
    used = hours or ("peak" in case.parts and peak)
    post("least", max(Fraction(0), case.least_charge - both) if used else Fraction(0))
    post("cap", min(Fraction(0), case.cap - posted("time", "peak") - both) - posted("cap"))
    above = CODES[: CODES.index("less")]
    base = posted(*above) + sum(money[code] for code in above)
    percent = max([off for bound, off in case.discounts if base >= bound], default=Fraction(0))
    post("less", cents(-base * percent / 100) - posted("less"))
    post("tax", cents(sum(money.values(), Fraction(0)) * case.tax / 100))
    return money


def _samples(case: Case, use: Use, past: list[tuple[Use, Money]]) -> Fraction:
    earlier = sum(each.samples for each, _money in past) if case.samples_monthly else 0
    if not case.samples_all:
        return cents(one_by_one(case.sample_rates, earlier, use.samples))
    counted = earlier + use.samples
    before = sum((money["samples"] for _use, money in past), Fraction(0)) if case.samples_monthly else Fraction(0)
    return cents(counted * rate_reached(case.sample_rates, counted)) - before
