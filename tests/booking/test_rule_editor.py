"""Rules on forms: each of the rulebook's policies is shown in words and edited through the page without loss."""

from __future__ import annotations

import copy
import json
import re
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from backend.accounts.models import Role
from booking.actions.policies import save_policy, save_rules
from booking.models import Layer, Policy
from booking.queries.holders import of_institution
from booking.rules.layers import parse_policy
from booking.rules.sentences import describe
from tests.booking.lab import HTMX, Lab, browser, html, queries
from tests.factories import make_member
from tests.sent_forms import Fields

pytestmark = pytest.mark.django_db
FOLDER = Path(__file__).resolve().parent.parent / "data" / "rulebook"
POLICIES = [
    (f"{path.stem}-{name}", document)
    for path in (*sorted(FOLDER.glob("policies/*.json")), *sorted(FOLDER.glob("published/*.json")))
    for name, document in json.loads(path.read_text(encoding="utf-8"))["policies"].items()
]
EVERYTHING: dict[str, Any] = {
    "tz": "Asia/Shanghai",
    "week_start": 0,
    "note": "of the document",
    "holidays": ["2026-10-01..2026-10-07", "01-01"],
    "workdays": ["2026-10-10"],
    "windows": {"peak": ["Mon-Fri 09:00-12:00", "Mon-Fri 13:00-17:00"], "night": "daily 20:00-08:00"},
    "rules": [
        {
            "id": "wide",
            "kind": "require",
            "note": "why",
            "comment": "also",
            "act": "extend",
            "name": None,
            "if": {
                "any": [{"audience": "internal", "samples": {"min": 1, "max": 9.5}}, {"touches": ["peak", "night"]}],
                "unless": {"made_before": "start -1w Thu @12:00"},
                "unfinished": False,
                "now_in": "business",
            },
            "that": {
                "person.level": ["A", None, True, 3, "3", "yes", "a, b"],
                "code": "1",
                "person.since": {"older": "3mo", "newer": "1y", "not": ["x", None]},
                "bookings": {
                    "measure": "hours",
                    "over": "week",
                    "max": {"base": 1, "fact": "group.members", "times": 0.5, "round": "up", "cap": 40},
                    "of": {"audience": ["internal"]},
                    "per": [],
                },
            },
            "else": "approve:supervisor",
            "silence": "consent",
            "at": "start -2d @24:00",
            "fix": "Ask.",
            "code": "x",
            "dates": {"answer": "start -1d"},
        },
        {
            "kind": "quota",
            "over": "near 2h",
            "max": 0,
            "others": True,
            "per": ["group", "instrument"],
            "cases": [{"if": {"mode": "self"}, "free": True}, {"max": 2, "else": "notice", "note": "n"}, {}],
        },
        {"kind": "slots", "starts": ["09:00", "13:30"], "step": 7.5, "bands": "peak", "join": 2},
        {
            "kind": "lapse",
            "since": ["person.last_use", "person.trained_on"],
            "after": "3mo",
            "set": ["person.level", None],
        },
        {
            "kind": "event",
            "on": ["checkin", "never"],
            "from": "start +15min",
            "before": "end",
            "name": "late",
            "with": {"forfeit": True, "share": 50, "text": "a,b", "list": [1, "2"]},
        },
        {
            "kind": "ladder",
            "count": {"no_show": 2, "*": 0.5},
            "window": "month",
            "per": "organisation",
            "restart": False,
            "steps": [
                {"at": 1, "do": "warn"},
                {
                    "at": 2,
                    "repeat": 3,
                    "do": {
                        "do": "suspend",
                        "for": "ever",
                        "from": "start",
                        "act": ["create"],
                        "same": "instrument",
                        "who": ["group"],
                        "whole_days": True,
                        "on": {"mode": "self"},
                    },
                },
                {"at": 4, "repeat": True, "do": ["fee", {"do": "tell", "whom": "organisation", "extra": {"a": [1]}}]},
            ],
        },
        {"kind": "priority", "order": [{"audience": "internal"}, {}], "displace": "start -3d"},
        {"kind": "length", "min": 30, "max": 90.5, "step": 15, "part": "Mon-Fri 08:00-09:00"},
    ],
}
POLICIES.append(("everything", EVERYTHING))


class Desk:
    """The manager's browser on the rules of the lab's instrument."""

    def __init__(self, lab: Lab, document: dict[str, Any] | None = None) -> None:
        self.lab, self.client = lab, browser(lab.manager)
        self.page = f"/manage/instruments/{lab.instrument.pk}/rules/"
        if document is not None:
            save_policy(instrument=lab.instrument, document=document, by=lab.manager, valid_from=date(2026, 1, 1))

    def open(self, query: str) -> dict[str, list[str]]:
        response = self.client.get(f"{self.page}edit/?{query}")
        assert response.status_code == 200, response
        return Fields(response.content.decode(), "rule-form").data

    def send(self, data: dict[str, list[str]], do: str = "done", status: int = 302) -> str:
        response = self.client.post(f"{self.page}edit/", {**data, "do": do})
        assert response.status_code == status, html(response, response.status_code)[:3000]
        return response.content.decode()

    def work(self, data: dict[str, list[str]], do: str) -> dict[str, list[str]]:
        """A row added or removed."""
        return Fields(self.send(data, do, 200), "rule-form").data

    @property
    def draft(self) -> dict[str, Any]:
        """What the page would save."""
        kept = self.client.session.get(f"rules-instrument-{self.lab.instrument.pk}")
        return kept["document"] if kept else Policy.objects.order_by("-version").first().document  # type: ignore[union-attr]

    def change(self, do: str, status: int = 302) -> None:
        assert self.client.post(f"{self.page}change/", {"do": do}).status_code == status


@pytest.mark.parametrize("document", [each for _name, each in POLICIES], ids=[name for name, _each in POLICIES])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_rule_is_edited_on_the_page_without_loss(lab: Lab, document: dict[str, Any], language: str) -> None:
    desk = Desk(lab, document)
    desk.client = Client(headers={"accept-language": language})
    desk.client.force_login(lab.manager)

    for place, _rule in enumerate(document["rules"]):
        desk.send(desk.open(f"rule={place}"))
        assert desk.draft == document, place
    desk.send(desk.open("calendar=1"))

    assert json.dumps(desk.draft, sort_keys=True) == json.dumps(document, sort_keys=True)
    assert Policy.objects.count() == 1


@pytest.mark.parametrize("document", [each for _name, each in POLICIES], ids=[name for name, _each in POLICIES])
def test_changing_one_number_changes_only_that(lab: Lab, document: dict[str, Any]) -> None:
    desk = Desk(lab, document)
    document = as_stored()

    for place, rule in enumerate(document["rules"]):
        data = desk.open(f"rule={place}")
        numbers = [name for name, value in data.items() if _is_number(name, value)]
        name = next(iter(sorted(numbers, key=lambda each: not each.endswith(".max"))), "")
        if not name:
            data["r.topic"] = ["changed"]
            expected = {**rule, "topic": "changed"}
        else:
            data[name] = ["7777"]
            expected = _with_number(rule, name.split(".")[1:])
        desk.send(data)
        assert desk.draft == {
            **document,
            "rules": [*document["rules"][:place], expected, *document["rules"][place + 1 :]],
        }
        desk.change("discard")


def as_stored() -> Any:
    """PostgreSQL keeps the keys of an object in an order of its own."""
    return Policy.objects.latest("pk").document


def _is_number(name: str, value: list[str]) -> bool:
    keys = {"min", "max", "step", "at", "join", "base", "times", "cap"}
    return name.split(".")[-1] in keys and bool(re.fullmatch(r"[0-9.]+", value[0]))


def _with_number(value: Any, steps: list[str]) -> Any:
    """The value with 7777 at the place that the name of a field says."""
    if not steps:
        return 7777
    value = copy.deepcopy(value)
    if isinstance(value, list):
        at: Any = int(steps[0])
    else:
        at = steps[0] if steps[0] in value else list(value)[int(steps[0])]
    value[at] = _with_number(value[at], steps[1:])
    return value


RAW = re.compile(r"%\(|\b(?:audience|mode|no_show|late_cancel|made_after|unless|touches|None|True)\b")


@pytest.mark.parametrize("document", [each for _name, each in POLICIES], ids=[name for name, _each in POLICIES])
def test_every_rule_is_shown_in_words_in_both_languages(lab: Lab, document: dict[str, Any]) -> None:
    desk = Desk(lab, document)
    policy = parse_policy(as_stored())
    spoken = {}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            spoken[language] = [sentence for _id, sentence in describe(policy)]

    page = unescape(html(desk.client.get(desk.page)))

    assert len(spoken["en"]) == len(spoken["zh-hans"]) == len(document["rules"]) == page.count('class="rule-card"')
    for english, chinese in zip(spoken["en"], spoken["zh-hans"], strict=True):
        assert " ".join(english.split()) in page
        assert chinese in page
        assert re.search("[\u4e00-\u9fff]", chinese)
        assert "%(" not in english + chinese
        assert not RAW.search(chinese), chinese


def test_rows_are_added_moved_and_removed(lab: Lab) -> None:
    desk = Desk(lab)
    data = desk.open("new=quota")

    data = desk.work({**data, "r.of.add": ["unless"]}, "add|r.of")
    data = desk.work({**data, "r.of.0.add": ["made_after"]}, "add|r.of.0")
    data["r.of.0.0"] = ["start -2d @24:00"]
    data = desk.work({**data, "r.max.how": ["formula"]}, "again")
    data |= {"r.max.fact": ["group.members"], "r.max.times": ["2"]}
    data = desk.work({**data, "r.if.add": ["audience"]}, "add|r.if")
    data["r.if.0"] = ["internal", "academic"]
    data = desk.work(data, "add|r.cases")
    data = desk.work(data, "add|r.cases")
    data |= {"r.cases.0.max": ["3"], "r.cases.1.max": ["4"]}
    data = desk.work(data, "up|r.cases.1")
    data = desk.work(data, "add|r.cases")
    data = desk.work(data, "drop|r.cases.2")
    data["r.per"] = ["person", "group"]
    desk.send(data)

    assert desk.draft["rules"] == [
        {
            "kind": "quota",
            "measure": "hours",
            "over": "week",
            "max": {"base": 10, "fact": "group.members", "times": 2},
            "per": ["person", "group"],
            "of": {"unless": {"made_after": "start -2d @24:00"}},
            "if": {"audience": ["internal", "academic"]},
            "cases": [{"max": 4}, {"max": 3}],
        }
    ]


@pytest.mark.parametrize(
    "kind", ["require", "length", "slots", "deadline", "quota", "lapse", "event", "ladder", "priority"]
)
def test_each_kind_begins_with_a_form_of_its_own(lab: Lab, kind: str) -> None:
    desk = Desk(lab)
    data = desk.open(f"new={kind}")
    if kind == "require":
        data = desk.work({**data, "r.that.add": ["person.trained"]}, "add|r.that")
        data["r.that.0"] = ["yes"]

    desk.send(data)

    (rule,) = desk.draft["rules"]
    assert rule["kind"] == kind
    assert describe(parse_policy(desk.draft))


@pytest.mark.parametrize(
    ("kind", "field", "value", "sentence"),
    [
        ("length", "r.max", "long", "This must be a number."),
        ("deadline", "r.latest", "yesterday", "This is no moment."),
        ("quota", "r.over", "fortnight", "Write day, week"),
        ("quota", "r.part", "nowhere", "There is no window of this name."),
        ("lapse", "r.after", "3 moons", "This is no duration."),
        ("ladder", "r.steps.0.at", "", "Please fill this in."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(lab: Lab, kind: str, field: str, value: str, sentence: str) -> None:
    desk = Desk(lab)

    page = desk.send({**desk.open(f"new={kind}"), field: [value]}, status=422)

    assert sentence in page[page.index(f'name="{field}"') :].split("sheet-field")[0]
    assert not desk.client.session.get(f"rules-instrument-{lab.instrument.pk}")


def test_a_form_that_says_nothing_is_told_above(lab: Lab) -> None:
    desk = Desk(lab)

    page = desk.send({**desk.open("new=length"), "r.max": [""]}, status=422)

    assert "The rule says nothing." in page


def test_changes_are_a_draft_until_they_are_saved_as_one_version(lab: Lab) -> None:
    desk = Desk(lab, {"rules": [{"id": "a", "kind": "length", "max": 60}, {"id": "b", "kind": "length", "min": 10}]})
    data = desk.open("rule=0")
    desk.send({**data, "r.max": ["120"]})
    desk.change("copy|1")
    desk.change("up|2")
    before = html(desk.client.get(desk.page))
    planned = desk.client.post(f"{desk.page}change/", {"do": "save", "valid_from": "2026-12-24"})

    saved = Policy.objects.order_by("-version").first()

    assert saved is not None
    assert "Not saved yet" in before
    assert '<li class="rule-minus"><span class="visually-hidden">goes:</span>At most 1 hour.</li>' in before
    assert planned.status_code == 302
    assert (saved.version, saved.valid_from) == (2, date(2026, 12, 24))
    assert saved.document["rules"] == [
        {"id": "a", "kind": "length", "max": 120},
        {"kind": "length", "min": 10},
        {"id": "b", "kind": "length", "min": 10},
    ]
    assert "Not saved yet" not in html(desk.client.get(desk.page))


def test_a_draft_of_another_version_is_not_saved_over_it(lab: Lab) -> None:
    desk = Desk(lab, {"rules": [{"kind": "length", "max": 60}]})
    desk.change("delete|0")
    save_policy(instrument=lab.instrument, document={"rules": [{"kind": "length", "max": 90}]}, by=lab.manager)

    desk.change("save", 412)

    assert Policy.objects.count() == 2


def test_a_form_opened_on_another_rule_is_refused(lab: Lab) -> None:
    desk = Desk(lab, {"rules": [{"kind": "length", "max": 60}, {"kind": "length", "min": 5}]})
    data = desk.open("rule=0")
    desk.change("down|0")

    desk.send(data, status=412)


@pytest.mark.parametrize("state", ["", "x", "eyJydWxlIjoxfQ:1:2"])
def test_a_state_of_somebody_else_is_refused(lab: Lab, state: str) -> None:
    desk = Desk(lab)

    assert "Please open the rule again." in desk.send({"state": [state]}, status=422)


@pytest.mark.parametrize("do", ["add|r.nowhere.5", "drop|r.cases.7", "up|x", "add|r.set.0.0", "drop|", "junk"])
def test_steps_that_lead_nowhere_change_nothing(lab: Lab, do: str) -> None:
    desk = Desk(lab)
    data = desk.open("new=ladder")

    after = desk.work(data, do)

    own = {"state", "csrfmiddlewaretoken"}
    assert {name: value for name, value in after.items() if name not in own} == {
        name: value for name, value in data.items() if name not in own
    }


@pytest.mark.parametrize("query", ["rule=0", "rule=-1", "rule=x", "new=nothing", "from=nobody", ""])
def test_a_rule_that_is_not_there(lab: Lab, query: str) -> None:
    assert browser(lab.manager).get(f"/manage/instruments/{lab.instrument.pk}/rules/edit/?{query}").status_code == 404


@pytest.mark.parametrize("do", ["delete|5", "up|", "copy|x", "nothing"])
def test_a_card_that_is_not_there_any_more(lab: Lab, do: str) -> None:
    Desk(lab, {"rules": []}).change(do, 422)


def test_a_wider_rule_is_switched_off_replaced_and_restored(lab: Lab) -> None:
    admin = make_member(lab.institution, Role.ADMIN)
    wide = {"rules": [{"id": "long", "kind": "length", "max": 60}, {"kind": "length", "min": 5}]}
    save_rules(holder=of_institution(lab.institution), document=wide, by=admin, valid_from=date(2026, 1, 1))
    desk = Desk(lab)

    asked = html(desk.client.get(desk.page))
    desk.change("off|long")
    off = (desk.draft, html(desk.client.get(desk.page)))
    desk.change("restore|long")
    restored = desk.client.session.keys()
    desk.send({**desk.open("from=long"), "r.max": ["90"]})
    own = (desk.draft, html(desk.client.get(desk.page)))
    desk.change("restore|long")

    assert asked.count("Switch off here") == 1  # the other rule has no identity by which to speak of it
    assert off[0] == {"rules": [{"id": "long", "off": True}]}
    assert "Switch on again" in off[1]
    assert not [key for key in restored if key.startswith("rules-")]
    assert own[0] == {"rules": [{"id": "long", "kind": "length", "max": 90}]}
    assert "set here, in place of a wider rule" in own[1]
    assert "Restore the wider rule" in own[1]
    desk.change("off|nobody", 404)


def test_what_is_switched_off_though_nobody_has_it_can_be_removed(lab: Lab) -> None:
    desk = Desk(lab, {"rules": [{"id": "gone", "off": True}]})

    assert "Switches off “gone”" in unescape(html(desk.client.get(desk.page)))
    desk.change("restore|gone")
    assert desk.draft == {"rules": []}


def test_windows_and_days_are_edited(lab: Lab) -> None:
    desk = Desk(
        lab, {"rules": [{"kind": "length", "max": 60, "part": "peak"}], "windows": {"peak": "Mon-Fri 09:00-17:00"}}
    )
    data = desk.open("calendar=1")

    desk.send(
        {
            **data,
            "r.windows.0": ["Mon-Thu 09:00-17:00"],
            "r.windows.1.key": ["night"],
            "r.windows.1": ["20:00-06:00"],
            "r.holidays": ["2027-01-01\r\n05-01"],
            "r.tz": ["Europe/London"],
            "r.week_start": ["Sun"],
        }
    )
    wrong = desk.send({**desk.open("calendar=1"), "r.windows.0.key": [""], "r.holidays": ["soon"]}, status=422)

    assert desk.draft == {
        "windows": {"peak": "Mon-Thu 09:00-17:00", "night": "20:00-06:00"},
        "holidays": ["2027-01-01", "05-01"],
        "tz": "Europe/London",
        "week_start": "Sun",
        "rules": [{"kind": "length", "max": 60, "part": "peak"}],
    }
    assert "This is no date." in wrong
    assert "There is no window of this name." in wrong


def test_the_sentence_follows_the_form_in_both_languages(lab: Lab) -> None:
    desk = Desk(lab)
    data = {**desk.open("new=length"), "r.max": ["240"], "do": ["look"]}

    page = html(desk.client.post(f"{desk.page}edit/", data, headers=HTMX))

    assert "At most 4 hours." in page
    assert 'lang="zh-hans"' in page
    assert not desk.client.session.get(f"rules-instrument-{lab.instrument.pk}")


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("moment", "start -3d @24:00", "3 days before the start, end of that day"),
        ("moment", "soon", "This is no moment."),
        ("duration", "2wd", "2 working days"),
        ("ending", "2wd", "2 working days"),
        ("ending", "at #last @24:00", "end of that day"),
        ("ending", "2026-07-31 @24:00", "2026-07-31"),
        ("ending", "soon", "Write a duration like 14d"),
        ("bound", "12.5", ""),
        ("bound", "start +30d", "30 days after the start"),
        ("bound", "many", "Write a number, or for dates a moment"),
        ("window", "Mon-Fri 20:00-24:00", "20:00–24:00"),
        ("window", "peak", ""),
        ("over", "near 2h", "less than 2 hours apart"),
        ("over", "9", "Write day, week"),
        ("", "9", ""),
    ],
)
def test_what_is_typed_is_explained(lab: Lab, kind: str, text: str, sentence: str) -> None:
    answer = html(browser(lab.manager).get("/rules/explain/", {"kind": kind, "r.latest": text}))

    assert sentence in answer
    assert bool(sentence) is bool(answer.strip())


def test_the_page_needs_as_many_queries_for_a_draft_of_thirty_rules(lab: Lab) -> None:
    desk = Desk(lab, {"rules": [{"kind": "length", "max": 60}]})
    desk.change("copy|0")
    one = queries(desk.client, desk.page)
    for _number in range(30):
        desk.change("copy|0")

    assert queries(desk.client, desk.page) == one


def test_layers_have_drafts_of_their_own(lab: Lab) -> None:
    admin = make_member(lab.institution, Role.ADMIN)
    client = browser(admin)
    page = f"/manage/institutions/{lab.institution.pk}/rules/"

    client.post(f"{page}start/", {"starter": "cancel", "cancel-cancel_hours": "24"})
    client.post(f"{page}change/", {"do": "save"})

    saved = Policy.objects.get()
    assert (saved.layer, saved.organisation) == (Layer.INSTITUTION, lab.institution)
    assert "Not saved yet" not in html(client.get(f"/manage/instruments/{lab.instrument.pk}/rules/"))


def test_a_ladder_offers_the_violations_by_name_with_their_weights(lab: Lab) -> None:
    desk = Desk(lab, {"rules": [{"kind": "ladder", "count": ["no_show"], "steps": [{"at": 3, "do": "warn"}]}]})
    edit = f"{desk.page}edit/?rule=0"
    page = html(desk.client.get(edit))
    sent = Fields(page, "rule-form").data
    name = next(each for each in sent if sent[each] == ["no_show"])

    sent[name] = ["no_show", "late"]
    sent[f"{name}.late"] = ["0.5"]
    sent[f"{name}.others"] = ["dirty × 2"]
    desk.client.post(f"{desk.page}edit/", {**sent, "do": "done"})
    desk.client.post(
        f"{desk.page}change/", {**Fields(html(desk.client.get(desk.page)), "save-rules").data, "do": "save"}
    )

    assert all(word in page for word in ("no-show", "late arrival", "any violation"))
    kept = Policy.objects.order_by("version").last()
    assert kept is not None
    assert kept.document["rules"][0]["count"] == {"no_show": 1, "late": 0.5, "dirty": 2}


def test_moments_are_offered_with_what_they_mean(lab: Lab) -> None:
    page = html(browser(lab.manager).get(f"/manage/instruments/{lab.instrument.pk}/rules/edit/?new=deadline"))

    assert '<option value="start -24h">24 hours before the start</option>' in page


def test_the_form_names_the_instrument_in_the_readers_language(lab: Lab) -> None:
    lab.instrument.name_en = "Raman microscope"
    lab.instrument.save()

    page = html(browser(lab.manager).get(f"/manage/instruments/{lab.instrument.pk}/rules/edit/?new=quota"))

    assert "Raman microscope" in page
