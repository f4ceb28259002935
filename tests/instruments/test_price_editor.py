"""Prices on forms: every list of the rulebook is shown in words and edited through the page without loss."""

from __future__ import annotations

import copy
import json
import re
from datetime import timedelta
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone, translation

from backend.accounts.models import Agreement, Role
from instruments.models import Instrument
from instruments.price_forms.editor import PriceEditor, opened_part, opened_rule, sent
from instruments.price_forms.kinds import HOMES, part_of
from instruments.pricing.checks import check_price_list
from instruments.pricing.engine import answer, price
from instruments.pricing.reading import parse_price_list
from instruments.pricing.sentences import describe
from instruments.queries.detail import price_labels
from tests.factories import (
    SIMPLE_PRICES,
    make_enterprise,
    make_institution,
    make_instrument,
    make_manager,
    make_member,
    make_price_list,
    make_user,
)
from tests.instruments.clients import client_of, text
from tests.sent_forms import Fields

FOLDER = Path(__file__).resolve().parent.parent / "data" / "rulebook"
FILES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in (*sorted(FOLDER.glob("prices/*.json")), *sorted(FOLDER.glob("published_prices/*.json")))
}
LISTS = [(f"{name}-{key}", found) for name, file in FILES.items() for key, found in file["lists"].items()]
EVERYTHING = json.loads((FOLDER.parent / "price-list-with-everything.json").read_text(encoding="utf-8"))
LISTS.append(("everything", EVERYTHING))
NAMES = [name for name, _document in LISTS]
DOCUMENTS = [document for _name, document in LISTS]


def _editors(document: dict[str, Any]) -> list[PriceEditor]:
    """One for each rule, each band, quantity and table, and the list itself."""
    found = [opened_rule(document, place, rule) for place, rule in enumerate(document["rules"])]
    for part, home in HOMES.items():
        found += [opened_part(document, part, name, part_of(document, part, name)) for name in document.get(home, {})]
    return [*found, opened_part(document, "head", "", part_of(document, "head", ""))]


def _sent_back(editor: PriceEditor) -> PriceEditor:
    """As a browser sends the form that was drawn."""
    drawn = "".join(render_to_string("_sheet_node.html", {"node": section}) for section in editor.draw())
    data = QueryDict(mutable=True)
    for name, values in Fields(f'<form id="f">{drawn}</form>', "f").data.items():
        data.setlist(name, values)
    data["state"] = editor.state
    return sent(editor.document, data)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_form_comes_back_without_loss(document: dict[str, Any], language: str) -> None:
    with translation.override(language):
        for editor in _editors(copy.deepcopy(document)):
            back = _sent_back(editor)

            assert back.check(), back.sheet.problems
            assert back.is_current
            assert back.written == document


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_changing_one_price_changes_only_that(document: dict[str, Any]) -> None:
    for editor in _editors(copy.deepcopy(document)):
        drawn = "".join(render_to_string("_sheet_node.html", {"node": section}) for section in editor.draw())
        data = QueryDict(mutable=True)
        fields = Fields(f'<form id="f">{drawn}</form>', "f").data
        prices = [name for name, value in fields.items() if name.endswith(".rate") and value[0].isdecimal()]
        if not prices:
            continue
        for name, values in fields.items():
            data.setlist(name, values)
        data["state"], data[prices[0]] = editor.state, "7777"

        back = sent(editor.document, data)

        assert back.check()
        assert _differences(document, back.written) == 1


def _differences(one: Any, other: Any) -> int:
    """How many single values differ."""
    if isinstance(one, dict) and isinstance(other, dict) and set(one) == set(other):
        return sum(_differences(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return sum(_differences(first, second) for first, second in zip(one, other, strict=True))
    return int(one != other)


RAW = re.compile(r"%\(|\b(?:None|True|False)\b|[a-z]_[a-z]|\b(?:audience|mode|no_show|reused|notice_days|start_in)\b")


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_rule_is_told_in_words_in_both_languages(document: dict[str, Any]) -> None:
    price_list = parse_price_list(document)
    spoken = {}
    for language in ("en", "zh-hans"):
        with translation.override(language):
            spoken[language] = [sentence for _code, sentence in describe(price_list, price_labels())]

    assert check_price_list(price_list) == []
    for english, chinese in zip(spoken["en"], spoken["zh-hans"], strict=True):
        assert english
        assert re.search("[\u4e00-\u9fff。]", chinese)
        assert not RAW.search(chinese), chinese
        assert not re.search("[a-z]_[a-z]|%\\(", english), english


class PriceDesk:
    """The manager's browser on the prices of an instrument."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.instrument: Instrument = make_instrument()
        if document is not None:
            make_price_list(self.instrument, document)
        self.client: Client = client_of(make_manager(self.instrument.institution))
        self.page = f"/manage/instruments/{self.instrument.pk}/prices/"

    def look(self) -> str:
        answered = self.client.get(self.page)
        assert answered.status_code == 200
        return unescape(text(answered))

    def open(self, query: str) -> dict[str, list[str]]:
        answered = self.client.get(f"{self.page}edit/?{query}")
        assert answered.status_code == 200, answered
        return Fields(text(answered), "rule-form").data

    def send(self, data: dict[str, Any], do: str = "done", status: int = 302) -> str:
        answered = self.client.post(f"{self.page}edit/", {**data, "do": do})
        assert answered.status_code == status, text(answered)[:3000]
        return text(answered)

    def work(self, data: dict[str, Any], do: str) -> dict[str, list[str]]:
        return Fields(self.send(data, do, 200), "rule-form").data

    def change(self, do: str, status: int = 302, **more: str) -> str:
        answered = self.client.post(f"{self.page}change/", {"do": do, **more})
        assert answered.status_code == status, text(answered)[:2000]
        return unescape(text(answered))

    def start(self, starter: str, status: int = 302, **answers: str) -> str:
        given = {f"{starter}-{name.replace('_price_', 'price-')}": value for name, value in answers.items()}
        answered = self.client.post(f"{self.page}start/", {"starter": starter, **given})
        assert answered.status_code == status, text(answered)[:2000]
        return unescape(text(answered))

    @property
    def draft(self) -> dict[str, Any]:
        """What the page would save."""
        kept = self.client.session.get(f"prices-instrument-{self.instrument.pk}")
        return kept["document"] if kept else self.saved

    @property
    def saved(self) -> dict[str, Any]:
        found: dict[str, Any] = self.instrument.price_lists.order_by("-version")[0].document
        return found


@pytest.mark.parametrize("name", FILES)
def test_lists_are_edited_and_saved_on_the_page_and_their_examples_still_come_out(db: None, name: str) -> None:
    file = FILES[name]
    for key, document in file["lists"].items():
        desk = PriceDesk({key: each for key, each in document.items() if key != "currency"})
        before = desk.saved
        page = desk.look()
        assert page.count('class="rule-card price-card"') == len(document["rules"])
        for place in range(len(document["rules"])):
            desk.send(desk.open(f"rule={place}"))
        assert desk.draft == before
        desk.send({**desk.open("head=1"), "r.name": ["Saved anew"]})
        desk.change("save")

        saved = desk.saved
        assert saved["name"] == "Saved anew"
        written = {"name", "currency", "valid_from"}
        assert {key: saved[key] for key in before if key not in written} == {
            key: each for key, each in before.items() if key not in written
        }
        assert set(saved) <= {*before, *written}
        price_list = parse_price_list(saved)
        for example in (each for each in file["examples"] if each.get("list", key) == key):
            assert _comes_to(price_list, example) == Decimal(str(example["expected"])), example["example"]


def _comes_to(price_list: Any, example: dict[str, Any]) -> Decimal:
    zone = ZoneInfo("UTC")
    if "ask" in example:
        return Decimal(int(answer(price_list, example["records"], example["ask"], tz=zone)))
    return price(price_list, example["records"], tz=zone).total()


def test_usual_rules_are_added_from_their_cards(db: None) -> None:
    desk = PriceDesk()
    desk.start(
        "time", name="Time", clock="longer", minimum="0.5", step="15", _price_internal="100", _price_enterprise="300"
    )
    desk.start("tax", name="Tax", percent="6")
    desk.start("count", name="Samples", what="samples", free="1", _price_internal="20")
    desk.start("fee", name="Set-up", _price_internal="50")
    desk.start("surcharge", name="Night", percent="-30", audience="internal", opens="20:00", closes="08:00")
    desk.start("cap", name="Cap", limit="max", amount="2000", per="group", period="month")
    desk.start("cancelled", name="Late", hours_1="48", percent_1="50", hours_2="24", percent_2="100", no_show="100")
    desk.start(
        "volume",
        name="Volume",
        what="used",
        rate_1="60",
        from_2="10",
        rate_2="40",
        per="group",
        period="month",
        mode="marginal",
    )
    desk.start("training", name="Training", hourly="on", _price_internal="40")

    rules = desk.draft["rules"]
    desk.change("save")

    assert [rule["code"] for rule in rules] == [
        "time", "count", "fee", "surcharge", "cap", "cancelled", "volume", "training", "tax"
    ]  # fmt: skip
    assert rules[0]["qty"] == [{"of": "longer", "min": 0.5, "step": 0.25}]
    assert rules[5]["rows"][1:] == [
        {"when": {"event": "no_show"}, "rate": 100},
        {"when": {"event": "cancel", "notice": {"<": 24}}, "rate": 100},
        {"when": {"event": "cancel", "notice": {"<": 48}}, "rate": 50},
    ]
    assert desk.draft["bands"] == {"20:00–08:00": [{"from": "20:00", "to": "08:00"}]}
    assert desk.saved["rules"] == rules


@pytest.mark.parametrize(
    ("starter", "answers", "sentence"),
    [
        ("time", {"name": "T", "clock": "used"}, "Give at least one price"),
        ("surcharge", {"name": "N", "percent": "10", "opens": "20:00"}, "Give both times, or none."),
        ("surcharge", {"name": "N", "percent": "-101"}, "greater than or equal to -100"),
        ("cancelled", {"name": "L", "hours_1": "24", "percent_1": "50", "hours_2": "12"}, "Give both the hours"),
        ("volume", {"name": "V", "what": "used", "rate_1": "9", "from_2": "5", "rate_2": "8", "from_3": "5",
                    "rate_3": "7", "per": "group", "period": "month", "mode": "all"}, "beyond the second"),
        ("tax", {"name": "Tax", "percent": "6"}, "does not stand above it"),
    ],
)  # fmt: skip
def test_what_is_wrong_on_a_card_is_said_there_and_kept(
    db: None, starter: str, answers: dict[str, str], sentence: str
) -> None:
    desk = PriceDesk()

    page = desk.start(starter, 422, **answers)

    assert sentence in page
    assert f'value="{answers["name"]}"' in page
    assert not desk.client.session.get(f"prices-instrument-{desk.instrument.pk}")


def test_rules_are_moved_copied_and_deleted(db: None) -> None:
    rules = [{"code": code, "kind": "price", "rate": n} for n, code in enumerate("abc", 1)]
    desk = PriceDesk({"rules": rules})

    desk.change("move|2|0")
    moved = [rule["code"] for rule in desk.draft["rules"]]
    desk.change("down|0")
    desk.change("up|2")
    desk.change("copy|0")
    desk.change("delete|3")
    last = [rule["code"] for rule in desk.draft["rules"]]
    desk.change("discard")

    assert moved == ["c", "a", "b"]
    assert last == ["a", "a_2", "b"]
    assert desk.draft["rules"] == rules
    for wrong in ("move|0|3", "move|0|", "delete|3", "up|-1", "fly|0"):
        desk.change(wrong, 422)


def test_what_speaks_against_saving_stands_at_its_card_and_the_draft_stays(db: None) -> None:
    rules = [
        {"code": "a", "name": "Time", "kind": "price", "rate": 1},
        {"code": "t", "name": "Tax", "kind": "percent", "on": ["a"], "rate": 6},
    ]
    desk = PriceDesk({"rules": rules})
    desk.change("up|1")

    page = desk.look()
    refused = desk.change("save", 422)

    for each in (page, refused):
        card = each[each.index("Tax</p>") :].split("</li>")[0]
        assert "“a” does not stand above it." in card
    assert "It is not saved" in refused
    assert [rule["code"] for rule in desk.draft["rules"]] == ["t", "a"]
    assert desk.instrument.price_lists.count() == 1


def test_a_draft_is_not_saved_over_a_version_that_came_meanwhile(db: None) -> None:
    desk = PriceDesk(SIMPLE_PRICES)
    desk.change("copy|0")
    make_price_list(desk.instrument, SIMPLE_PRICES, valid_from=timezone.localdate())

    desk.change("save", 412)

    assert desk.instrument.price_lists.count() == 2


def test_a_version_begins_today_or_later(db: None) -> None:
    desk = PriceDesk(SIMPLE_PRICES)
    desk.send({**desk.open("head=1"), "r.name": ["New"]})
    today = timezone.localdate(timezone=desk.instrument.zone)

    desk.change("save", 422, valid_from=str(today - timedelta(days=1)))
    desk.change("save", valid_from=str(today + timedelta(days=3)))

    assert desk.instrument.price_lists.order_by("-version")[0].valid_from == today + timedelta(days=3)


def test_a_new_rule_stands_before_the_tax(db: None) -> None:
    rules = [{"code": "a", "kind": "price", "rate": 1}, {"code": "tax", "kind": "percent", "rate": 6}]
    desk = PriceDesk({"rules": rules})

    desk.send({**desk.open("new=limit"), "r.name": ["Cap"]})

    assert [rule["code"] for rule in desk.draft["rules"]] == ["a", "cap", "tax"]
    assert desk.draft["rules"][2] == rules[1]


def test_a_grid_gets_rows_and_columns(db: None) -> None:
    desk = PriceDesk({"rules": [{"code": "a", "kind": "price", "rate": 1}]})
    data = desk.work({**desk.open("new=price"), "r.rows.add": ["by:audience"]}, "add|r.rows")
    data = desk.work({**data, "r.rows.add": ["row"]}, "add|r.rows")
    data |= {"r.rows.1.when.0": ['"enterprise"'], "r.rows.1.rate": ["90"], "r.rows.1.adjust.min": ["1/12"]}
    data = desk.work({**data, "r.rows.0.when.0": ["several"]}, "again")
    data |= {"r.rows.0.when.0": ["internal", "academic"], "r.rows.0.rate": ["45"]}
    data = desk.work(data, "up|r.rows.1")
    desk.send({**data, "r.name": ["Plates"], "r.rate": [""]})

    assert desk.draft["rules"][1] == {
        "name": "Plates",
        "kind": "price",
        "when": {"event": "use"},
        "rows": [
            {"when": {"audience": "enterprise"}, "rate": 90, "adjust": {"min": 1 / 12}},
            {"when": {"audience": ["internal", "academic"]}, "rate": 45},
        ],
        "code": "plates",
    }


def test_terms_conditions_and_tiers_are_built_row_by_row(db: None) -> None:
    desk = PriceDesk(
        {"bands": {"day": [{"from": "09:00", "to": "17:00"}]}, "rules": [{"code": "a", "kind": "price", "rate": 1}]}
    )
    data = desk.work(desk.open("new=price"), "add|r.qty")
    data = desk.work({**data, "r.qty.0.how": ["own"]}, "again")
    data = desk.work(
        {**data, "r.qty.0.of.0.how": ["name:used"], "r.qty.0.band": ["day"], "r.qty.0.min": ["2"]}, "again"
    )
    data = desk.work(data, "add|r.tiers")
    data |= {"r.tiers.0.rate": ["10"]}
    data = desk.work(data, "add|r.tiers")
    data |= {"r.tiers.1.from": [""], "r.tiers.1.over": ["5"], "r.tiers.1.rate": ["8"]}
    data = desk.work({**data, "r.when.add": ["samples"]}, "add|r.when")
    data |= {"r.when.1.>=": ["3"]}
    data = desk.work({**data, "r.when.add": ["start_in"]}, "add|r.when")
    data |= {"r.when.2": ["!day"]}
    data = desk.work({**data, "r.when.add": ["field"]}, "add|r.when")
    data |= {"r.when.3.key": ["plates"], "r.when.3": ["yes"]}
    data = desk.work({**data, "r.when.add": ["not"]}, "add|r.when")
    data = desk.work(data, "drop|r.when.4")
    desk.send({**data, "r.name": ["时间"], "r.rate": [""], "r.scope.per": ["group"], "r.scope.period.unit": ["month"]})

    assert desk.draft["rules"][1] == {
        "name": "时间",
        "kind": "price",
        "when": {"event": "use", "samples": {">=": 3}, "start_in": "!day", "plates": True},
        "qty": [{"of": ["used"], "min": 2, "band": "day"}],
        "tiers": [{"from": 0, "rate": 10}, {"over": 5, "rate": 8}],
        "scope": {"per": ["group"], "period": "month"},
        "code": "rule",
    }


@pytest.mark.parametrize(
    ("query", "field", "value", "sentence"),
    [
        ("rule=0", "r.rate", "dear", "This must be a number."),
        ("rule=0", "r.code", "", "Please fill this in."),
        ("rule=0", "r.code", "t", "Two rules have the code “t”."),
        ("rule=0", "r.code", "*", "it has a meaning of its own"),
        ("new=band", "r.windows.0.from", "nine", "must be a time of day."),
        ("new=band", "r.name", "night", "This name is taken."),
        ("new=quantity", "r.name", "", "Please fill this in."),
        ("head=1", "r.holidays", "tomorrow", "must be a date."),
    ],
)
def test_what_is_wrong_is_said_at_its_field(db: None, query: str, field: str, value: str, sentence: str) -> None:
    rules = [{"code": "a", "kind": "price", "rate": 1}, {"code": "t", "kind": "percent", "rate": 6}]
    desk = PriceDesk({"bands": {"night": [{"from": "20:00", "to": "08:00"}]}, "rules": rules})

    page = desk.send({**desk.open(query), field: [value]}, status=422)

    assert sentence in unescape(page[page.index(f'name="{field}"') :].split('class="sheet-field"')[0])
    assert (f'value="{value}"' if field != "r.holidays" else f">{value}<") in page
    assert "rules[" not in page
    assert desk.draft["rules"] == rules


def test_a_part_in_use_is_not_removed_and_one_without_use_is(db: None) -> None:
    document = {
        "bands": {"day": [{"from": "09:00", "to": "17:00"}], "idle": [{}]},
        "tables": {"hour": [{"rate": 2}]},
        "rules": [{"code": "a", "kind": "price", "qty": [{"of": "used", "band": "day"}], "table": "hour"}],
    }
    desk = PriceDesk(document)

    refused = desk.change("remove|band|day", 422), desk.change("remove|table|hour", 422)
    desk.change("remove|band|idle")
    desk.change("remove|band|idle", 422)

    assert all("Rules still speak of it." in each for each in refused)
    assert list(desk.draft["bands"]) == ["day"]


def test_the_test_case_answers_with_lines_reasons_and_subtotal(db: None) -> None:
    document = {
        "rules": [
            {"code": "a", "name": "Time", "kind": "price", "qty": ["longer"], "rate": 100, "when": {"event": "use"}},
            {"code": "s", "name": "Set-up", "kind": "price", "rate": 50, "when": {"event": "use"}},
            {"code": "rush", "name": "Rush", "kind": "percent", "rate": 50, "when": {"urgent": True}},
            {"code": "c", "name": "Late", "kind": "percent", "on": ["a"], "as_if": {"event": "use"}, "rate": 50,
             "when": {"event": "cancel", "notice": {"<": 24}}},
        ]
    }  # fmt: skip
    desk = PriceDesk(document)
    use = {
        "event": "use",
        "audience": "internal",
        "mode": "self",
        "start": "2026-12-01T09:00",
        "end": "2026-12-01T11:00",
    }

    whole = desk.client.post(f"{desk.page}try/", {**use, "used_end": "2026-12-01T12:00", "fact-urgent": "on"})
    late = desk.client.post(f"{desk.page}try/", {**use, "event": "cancel", "notice": "23"})
    in_time = desk.client.post(f"{desk.page}try/", {**use, "event": "cancel", "notice": "24"})
    wrong = desk.client.post(f"{desk.page}try/", {**use, "end": "2026-12-01T08:00"})
    form = {**desk.open("rule=0"), "r.rate": ["200"], **use}
    changed = desk.client.post(f"{desk.page}try/", form)

    assert "Subtotal" in text(whole)
    assert "Rush: 50 % of 350.00 = 175.00" in text(whole)
    assert "525" in text(whole)
    assert "50 % of 200.00" in text(late)
    assert "100.00" in text(late)
    assert "Late" not in text(in_time)
    assert "The end must come after the start" in text(wrong)
    assert "2 h × 200.00 = 400.00" in text(changed)
    assert desk.instrument.price_lists.count() == 1


def test_an_agreement_has_prices_of_its_own(db: None) -> None:
    institution = make_institution()
    customer = make_enterprise()
    agreement = Agreement.objects.create(
        institution=institution, customer=customer, number="A-7", valid_from=timezone.localdate()
    )
    client = client_of(make_member(institution, Role.ADMIN))
    page = f"/manage/agreements/{agreement.pk}/prices/"

    added = client.post(f"{page}start/", {"starter": "fee", "fee-name": "Set-up", "fee-price-internal": "40"})
    shown = text(client.get(page))
    saved = client.post(f"{page}change/", {"do": "save"})
    contract = text(client.get(f"/manage/agreements/{agreement.pk}/"))

    assert (added.status_code, saved.status_code) == (302, 302)
    assert "Prices of the agreement" in shown
    assert [version.document["rules"][0]["name"] for version in agreement.price_lists.all()] == ["Set-up"]
    assert page in contract
    assert client_of(make_manager(institution)).get(page).status_code == 403
    assert client_of(make_user()).get(page).status_code == 404


def test_only_those_who_run_the_instrument_edit_its_prices(db: None) -> None:
    desk = PriceDesk(SIMPLE_PRICES)
    stranger = client_of(make_user())

    for path in ("edit/?rule=0", "draft.json"):
        assert stranger.get(f"{desk.page}{path}").status_code == 403
    for path in ("edit/", "change/", "start/", "try/"):
        assert stranger.post(f"{desk.page}{path}", {"do": "discard"}).status_code == 403
    for query in ("rule=9", "rule=x", "new=x", "band=x"):
        assert desk.client.get(f"{desk.page}edit/?{query}").status_code == 404
    assert desk.client.post(f"{desk.page}edit/", {"state": "forged"}).status_code == 422
