"""The rules of the network, an institution and a group: who edits them, what they do, which one wins."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile

from backend.accounts.models import Organisation, OrganisationKind, Role, User
from backend.audit.models import Entry
from backend.core.errors import Refused
from booking.actions.policies import save_policy, save_rules
from booking.models import Layer, Policy
from booking.queries.holders import Holder, of_group, of_institution, of_instrument, of_network
from booking.rules.presets import Answers, apply_presets
from instruments.models import InstrumentGroup
from tests.booking.lab import NOW, TODAY, Lab, browser, html, queries, wall
from tests.conftest import ApiClient
from tests.factories import at, make_institution, make_instrument, make_manager, make_member
from tests.parallel import at_once

pytestmark = pytest.mark.django_db

SHORT = apply_presets({}, Answers(longest=60))
LONG = apply_presets({}, Answers(longest=240))
LIFTED = apply_presets({}, Answers(lifted=("preset-length",)))
ANSWERS = {"who": "everybody", "self_operation": "everybody", "approval": "nobody", "approvers": ["manager"]}


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def operator() -> User:
    network = Organisation.objects.create(kind=OrganisationKind.NETWORK, code="net", name="示例网络")
    return make_member(network, Role.OPERATOR)


class Layers:
    """A lab whose instrument belongs to a group, and who may edit each layer."""

    def __init__(self) -> None:
        self.lab = Lab()
        self.group = InstrumentGroup.objects.create(institution=self.lab.institution, name="Microscopes")
        self.lab.instrument.group = self.group
        self.lab.instrument.save()
        self.admin = make_member(self.lab.institution, Role.ADMIN)
        self.operator = operator()

    def holder(self, layer: Layer) -> Holder:
        return {
            Layer.NETWORK: lambda: of_network(),
            Layer.INSTITUTION: lambda: of_institution(self.lab.institution),
            Layer.GROUP: lambda: of_group(self.group),
            Layer.INSTRUMENT: lambda: of_instrument(self.lab.instrument),
        }[layer]()

    def save(self, layer: Layer, document: dict[str, Any]) -> Policy:
        return save_rules(holder=self.holder(layer), document=document, by=self.editor(layer))

    def editor(self, layer: Layer) -> User:
        return {Layer.NETWORK: self.operator, Layer.INSTITUTION: self.admin}.get(layer, self.lab.manager)

    def page(self, layer: Layer) -> str:
        return {
            Layer.NETWORK: "/network/rules/",
            Layer.INSTITUTION: f"/manage/institutions/{self.lab.institution.pk}/rules/",
            Layer.GROUP: f"/manage/groups/{self.group.pk}/rules/",
            Layer.INSTRUMENT: f"/manage/instruments/{self.lab.instrument.pk}/rules/",
        }[layer]

    def api(self, layer: Layer) -> str:
        return {
            Layer.NETWORK: "/network/policy",
            Layer.INSTITUTION: f"/institutions/{self.lab.institution.pk}/policy",
            Layer.GROUP: f"/instrument-groups/{self.group.pk}/policy",
            Layer.INSTRUMENT: f"/instruments/{self.lab.instrument.pk}/policy",
        }[layer]


WIDER = [Layer.NETWORK, Layer.INSTITUTION, Layer.GROUP]


@pytest.mark.parametrize("layer", WIDER)
def test_a_wider_rule_refuses_a_booking_on_page_and_api_alike(layer: Layer) -> None:
    layers = Layers()
    layers.save(layer, SHORT)
    lab = layers.lab
    slot = {"instrument": lab.instrument.pk, "start": at(9).isoformat(), "end": at(11).isoformat(), "mode": "self"}
    form = {"start": wall(at(9)), "end": wall(at(11)), "mode": "self", "purpose": "P"}

    api = ApiClient(lab.engineer).post_api("/bookings", {**slot, "purpose": "P"})
    page = browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/book/", form)

    assert [error["code"] for error in api.json()["errors"]] == ["too_long"]
    assert (api.status_code, page.status_code) == (409, 409)
    assert "At most 1 hour" in page.content.decode()


@pytest.mark.parametrize(("wide", "narrow"), [(wide, narrow) for wide in WIDER for narrow in Layer if narrow > wide])
def test_a_narrower_rule_replaces_a_wider_one(wide: Layer, narrow: Layer) -> None:
    layers = Layers()
    layers.save(wide, SHORT)
    with pytest.raises(Refused):
        layers.lab.book(9, 11)

    layers.save(narrow, LONG)

    assert layers.lab.book(9, 11).status == "confirmed"


def test_a_narrower_layer_removes_a_wider_rule() -> None:
    layers = Layers()
    layers.save(Layer.NETWORK, SHORT)
    layers.save(Layer.INSTRUMENT, LIFTED)

    assert layers.lab.book(9, 17).status == "confirmed"


def test_another_institutions_rules_do_not_reach_here() -> None:
    layers = Layers()
    other = make_institution()
    save_rules(holder=of_institution(other), document=SHORT, by=make_member(other, Role.ADMIN))

    assert layers.lab.book(9, 17).status == "confirmed"


@pytest.mark.parametrize("layer", list(Layer))
def test_the_form_makes_a_version_and_an_audit_row(layer: Layer) -> None:
    layers = Layers()
    client = browser(layers.editor(layer))

    response = client.post(layers.page(layer), {**ANSWERS, "longest": "120", "step": "30", "approval": "external"})

    saved = Policy.objects.get()
    assert response.status_code == 302
    assert (saved.layer, saved.version, saved.valid_from, saved.created_by) == (layer, 1, TODAY, layers.editor(layer))
    assert [rule["id"] for rule in saved.document["rules"]] == ["preset-length", "preset-grid", "preset-approval"]
    entry = Entry.objects.get(action="policy.save")
    assert entry.after == {"layer": layer.name.lower(), "version": 1, "valid_from": "2026-11-24"}
    page = html(client.get(layers.page(layer)))
    assert "At most 2 hours, in steps of 30 minutes." in page
    assert "Version 1, from 2026-11-24" in page


@pytest.mark.parametrize("layer", list(Layer))
def test_file_and_api_carry_the_same_document(layer: Layer) -> None:
    layers = Layers()
    editor = layers.editor(layer)
    client = ApiClient(editor)

    put = client.put_api(layers.api(layer), {"policy": SHORT})
    upload = SimpleUploadedFile("r.json", json.dumps(LONG).encode())
    sent = browser(editor).post(f"{layers.page(layer)}upload/", {"file": upload})

    assert put.json() == {"version": 1, "valid_from": "2026-11-24", "policy": SHORT}
    assert sent.status_code == 302
    assert client.get_api(layers.api(layer)).json()["version"] == 2
    file = layers.page(layer).removesuffix("/") + ".json"
    assert browser(editor).get(file).json() == LONG
    assert browser(editor).get(f"{file}?version=1").json() == SHORT
    assert browser(editor).get(f"{file}?version=3").status_code == 404


@pytest.mark.parametrize("layer", list(Layer))
def test_a_wrong_document_changes_nothing_and_names_the_problem(layer: Layer) -> None:
    layers = Layers()

    answer = ApiClient(layers.editor(layer)).put_api(layers.api(layer), {"policy": {"rules": [{"kind": "lenght"}]}})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "rules[0].kind"
    assert not Policy.objects.exists()


def test_who_may_edit_which_layer() -> None:
    layers = Layers()
    lab = layers.lab
    other = make_instrument()
    people = {
        "engineer": lab.engineer,
        "manager": lab.manager,
        "finance": make_member(lab.institution, Role.FINANCE),
        "chosen": make_manager(lab.institution, all_instruments=False),
        "admin": layers.admin,
        "operator": layers.operator,
        "elsewhere": make_member(other.institution, Role.ADMIN),
    }
    expected = {
        "engineer": (404, 404, 404, 403),
        "manager": (404, 403, 200, 200),
        "finance": (404, 403, 404, 403),
        "chosen": (404, 403, 403, 403),
        "admin": (404, 200, 200, 200),
        "operator": (200, 404, 404, 403),
        "elsewhere": (404, 404, 404, 403),
    }

    for name, user in people.items():
        pages = tuple(browser(user).get(layers.page(layer)).status_code for layer in Layer)
        reads = tuple(ApiClient(user).get_api(layers.api(layer)).status_code for layer in Layer)
        writes = tuple(ApiClient(user).put_api(layers.api(layer), {"policy": SHORT}).status_code for layer in Layer)
        assert (pages, reads, writes) == (expected[name],) * 3, name


def test_a_manager_of_chosen_instruments_edits_a_group_of_just_these() -> None:
    layers = Layers()
    chosen = make_manager(layers.lab.institution, all_instruments=False)
    layers.lab.instrument.managers.add(chosen)

    alone = browser(chosen).get(layers.page(Layer.GROUP)).status_code
    make_instrument(layers.lab.institution, group=layers.group)
    with_another = browser(chosen).get(layers.page(Layer.GROUP)).status_code

    assert (alone, with_another) == (200, 403)


def test_an_enterprises_administrator_has_no_institution_page() -> None:
    layers = Layers()

    assert browser(layers.lab.boss).get(f"/manage/institutions/{layers.lab.enterprise.pk}/rules/").status_code == 404


def test_the_instruments_page_tells_where_each_rule_comes_from_and_which_wins() -> None:
    layers = Layers()
    layers.save(Layer.NETWORK, apply_presets({}, Answers(horizon_days=30)))
    layers.save(Layer.INSTITUTION, apply_presets({}, Answers(lead_hours=24, cancel_hours=12)))
    layers.save(Layer.GROUP, SHORT)
    layers.save(Layer.INSTRUMENT, apply_presets({}, Answers(longest=240, lifted=("preset-lead",))))

    page = html(browser(layers.lab.manager).get(layers.page(Layer.INSTRUMENT)))

    cards = {sentence: card for card in page.split('class="rule-card') for sentence in (card.split("</p>")[0],)}
    opened = next(card for sentence, card in cards.items() if "Bookable at most 30 days ahead." in sentence)
    own = next(card for sentence, card in cards.items() if "At most 4 hours." in sentence)
    assert "from: Network" in opened
    assert '<s class="rule-sentence">At most 1 hour.</s>' in page
    assert "does not hold, replaced by: Instrument" in page
    assert '<s class="rule-sentence">Book at least 24 hours ahead.</s>' in page
    assert "does not hold, removed by: Instrument" in page
    assert "set here, in place of a wider rule" in own


def test_the_form_lifts_what_a_wider_layer_says() -> None:
    layers = Layers()
    layers.save(Layer.INSTITUTION, SHORT)
    client = browser(layers.lab.manager)

    asked = html(client.get(layers.page(Layer.INSTRUMENT)))
    client.post(layers.page(Layer.INSTRUMENT), {**ANSWERS, "lifted": ["preset-length"]})
    again = html(client.get(layers.page(Layer.INSTRUMENT)))

    assert 'name="lifted" value="preset-length"' in asked
    assert Policy.objects.get(layer=Layer.INSTRUMENT).document == LIFTED
    assert "checked" in again[again.index('value="preset-length"') :][:120]


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"step": "30", "longest": "100"}, "Choose 90 or 120."),
        ({"step": "60", "shortest": "30"}, "Choose 60."),
        ({"shortest": "90", "longest": "60"}, "cannot be shorter"),
        ({"horizon_days": "2", "lead_hours": "48"}, "Nothing could be booked"),
        ({"approval": "everybody", "approvers": []}, "Please say who approves."),
        ({"lifted": ["preset-length"]}, ""),
        ({"valid_from": "2026-11-23"}, "today or later"),
        ({"valid_from": "9999-12-31"}, "This date is too far away."),
    ],
)
def test_the_form_refuses_what_makes_no_sense(answers: dict[str, Any], sentence: str) -> None:
    layers = Layers()
    layers.save(Layer.INSTRUMENT, SHORT)

    response = browser(layers.lab.manager).post(layers.page(Layer.INSTRUMENT), {**ANSWERS, **answers})

    if "lifted" in answers:  # no wider layer says anything, so there is no such question
        assert response.status_code == 302
        return
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert 'name="longest"' in response.content.decode()  # what was filled in is still there
    assert Policy.objects.count() == 1


def test_rules_that_the_form_cannot_show_are_edited_on_their_cards() -> None:
    layers = Layers()
    changed = {"rules": [{**SHORT["rules"][0], "part": "Mon-Fri 09:00-17:00"}]}
    layers.save(Layer.INSTRUMENT, changed)
    client = browser(layers.lab.manager)

    page = html(client.get(layers.page(Layer.INSTRUMENT)))
    client.post(layers.page(Layer.INSTRUMENT), {**ANSWERS, "longest": "30"})

    assert "say more than this form can show" in page
    assert 'name="longest"' not in page
    assert [policy.document for policy in Policy.objects.all()] == [changed]


def test_a_planned_version_waits_for_its_day(clock: Any) -> None:
    layers = Layers()
    layers.save(Layer.INSTITUTION, LONG)
    save_rules(
        holder=layers.holder(Layer.INSTITUTION),
        document=SHORT,
        by=layers.admin,
        valid_from=TODAY + timedelta(days=1),
    )

    page = html(browser(layers.admin).get(layers.page(Layer.INSTITUTION)))
    before = layers.lab.book(9, 11).status
    clock.shift(timedelta(days=1))
    with pytest.raises(Refused):
        layers.lab.book(13, 15)

    assert "planned" in page
    assert before == "confirmed"


@pytest.mark.parametrize("layer", list(Layer))
def test_the_page_needs_as_many_queries_for_one_version_as_for_thirty(layer: Layer) -> None:
    layers = Layers()
    layers.save(layer, SHORT)
    client = browser(layers.editor(layer))
    one = queries(client, layers.page(layer))
    for _number in range(29):
        layers.save(layer, SHORT)

    assert queries(client, layers.page(layer)) == one


def test_an_id_that_a_nameless_rule_gets_does_not_clash_with_another_layers() -> None:
    layers = Layers()
    layers.save(Layer.INSTITUTION, {"rules": [{"kind": "length", "max": 600}]})
    layers.save(Layer.INSTRUMENT, {"rules": [{"id": "length-1", "kind": "length", "max": 60}]})

    with pytest.raises(Refused) as refused:
        layers.lab.book(9, 11)

    assert [refusal.code for refusal in refused.value.refusals] == ["too_long"]


@pytest.mark.parallel
@pytest.mark.parametrize("layer", list(Layer))
@pytest.mark.django_db(transaction=True)
def test_parallel_puts_make_distinct_versions(committed: None, layer: Layer) -> None:
    layers = Layers()
    holder, editor = layers.holder(layer), layers.editor(layer)

    outcome = at_once([partial(save_rules, holder=holder, document=SHORT, by=editor) for _number in range(8)])

    assert outcome.error_counts() == {}
    assert sorted(policy.version for policy in outcome.results) == list(range(1, 9))


def test_bookings_keep_the_layers_they_were_made_under() -> None:
    layers = Layers()
    layers.save(Layer.NETWORK, LONG)
    save_policy(instrument=layers.lab.instrument, document={"rules": []}, by=layers.lab.manager)

    booking = layers.lab.book(9, 10)

    assert booking.policy[-2:] == [LONG, {"rules": []}]
