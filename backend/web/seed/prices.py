"""Plausible price lists, in the JSON of docs/pricing.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from instruments.models import Instrument, Mode

# CNY per hour and per sample for an enterprise, by category.
_HOUR = {"0101": 320, "0102": 260, "0103": 180, "0105": 120, "0106": 280, "0107": 40, "0108": 200, "0109": 90}
_SAMPLE = {"0101": 240, "0102": 150, "0103": 120, "0105": 160, "0106": 180, "0110": 320, "0205": 180}
_USUAL_HOUR, _USUAL_SAMPLE = 80, 80
# What the others pay of it.
_SHARE = {"internal": 0.4, "academic": 0.7, "enterprise": 1.0}
_OPERATOR = 1.5


def price_document(instrument: Instrument, year: int) -> dict[str, Any]:
    """Set-up and hours by audience and mode, at least half an hour and in half hours; samples by number."""
    rules: list[dict[str, Any]] = []
    tables: dict[str, Any] = {}
    category = instrument.category_id
    timed = [mode for mode in instrument.modes if mode != Mode.SAMPLE]
    if timed:
        tables["hour"] = list(_hours(timed, _HOUR.get(category, _USUAL_HOUR)))
        rules += _time_rules(timed, setup=_HOUR.get(category, _USUAL_HOUR) // 4)
    if instrument.mode_sample:
        tables["sample"] = list(_samples(_SAMPLE.get(category, _USUAL_SAMPLE)))
        rules.append(
            {
                "code": "sample",
                "name": "测试费",
                "kind": "price",
                "required": True,
                "when": {"event": "use", "mode": "sample"},
                "qty": ["samples"],
                "table": "sample",
            }
        )
    return {
        "name": f"{year} 年收费标准",
        "currency": "CNY",
        "places": 2,
        "quantities": {"hours": {"of": "union", "min": 0.5, "step": 0.5}},
        "tables": tables,
        "rules": rules,
    }


def _time_rules(modes: list[str], *, setup: int) -> list[dict[str, Any]]:
    use = {"event": "use", "mode": modes}
    setup_rows = [{"when": {"audience": name}, "rate": _rounded(setup * share)} for name, share in _SHARE.items()]
    return [
        {"code": "setup", "name": "开机费", "kind": "price", "when": use, "rows": setup_rows},
        {
            "code": "time",
            "name": "机时费",
            "kind": "price",
            "required": True,
            "when": use,
            "qty": ["hours"],
            "table": "hour",
        },
        {
            "code": "late_cancel",
            "name": "逾期取消（不足 24 小时）",
            "kind": "percent",
            "when": {"event": "cancel", "notice": {"<": 24}},
            "on": ["time"],
            "as_if": {"event": "use"},
            "rate": 50,
        },
    ]


def _hours(modes: list[str], base: int) -> Iterator[dict[str, Any]]:
    for mode in modes:
        factor = _OPERATOR if mode == Mode.OPERATOR else 1.0
        for audience, share in _SHARE.items():
            yield {"when": {"mode": mode, "audience": audience}, "rate": _rounded(base * factor * share)}


def _samples(base: int) -> Iterator[dict[str, Any]]:
    for audience, share in _SHARE.items():
        one = _rounded(base * share)
        # From ten samples on, each of the further ones is cheaper.
        tiers = [{"from": 0, "rate": one}, {"from": 10, "rate": _rounded(one * 0.8)}]
        yield {"when": {"audience": audience}, "tiers": tiers}


def _rounded(amount: float) -> int:
    return max(5, round(amount / 5) * 5)
