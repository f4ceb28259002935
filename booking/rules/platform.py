"""A ready set of rules about coming, cancelling and booking in time, as sharing platforms publish them.

Who has not checked in 30 minutes after the start is absent, and the rest of the time is free; later than the start is
late. Cancelling asks for 24 hours. Three absences within twelve months: denied until a manager lifts it; three times
late: suspended for a month. Machine time is booked three days ahead, samples a week.
"""

from __future__ import annotations

from typing import Any

GRACE_MINUTES = 30
"""To be set on the instrument too (``no_show_grace`` with check-in), so that the time is freed at the same minute."""


def platform_rules() -> dict[str, Any]:
    after = f"start +{GRACE_MINUTES}min"
    overtime = {"on": ["checkout"], "after": "end +15min", "name": "overtime"}
    early = {"on": ["checkout"], "before": "end -1h", "name": "early_leave"}
    ladder = {"kind": "ladder", "window": "12mo", "restart": True}
    return {
        "name": "预约、签到与违约规则",
        "rules": [
            {
                "id": "ahead",
                "kind": "deadline",
                "topic": "lead",
                "cases": [
                    {"if": {"mode": "sample"}, "latest": "start -7d"},
                    {"latest": "start -3d"},
                ],
            },
            {
                "id": "came",
                "kind": "event",
                "on": ["checkin"],
                "cases": [{"after": after, "name": "no_show"}, {"after": "start", "name": "late"}],
            },
            {"id": "never-came", "kind": "event", "on": ["never"], "after": after, "name": "no_show"},
            {"id": "cancelled", "kind": "event", "on": ["cancel"], "after": "start -24h", "name": "late_cancel"},
            {"id": "stayed", "kind": "event", **overtime},
            {"id": "left", "kind": "event", **early},
            {
                "id": "absences",
                "topic": "no_show",
                "count": ["no_show"],
                **ladder,
                "steps": [
                    {"at": 2, "do": "warn"},
                    {"at": 3, "do": ["deny", "cancel_future", {"do": "tell", "whom": "manager"}]},
                ],
            },
            {
                "id": "lateness",
                "topic": "late",
                "count": ["late"],
                **ladder,
                "steps": [{"at": 3, "do": {"do": "suspend", "for": "1mo"}}],
            },
        ],
    }
