"""Who gets in where: every route × every role × own, foreign and absent objects, against one table of rights.

The table is `tests/access/rights.py`. A route that has no line there fails, with the line that would describe it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import override_settings
from django.urls import clear_url_caches, path

from backend.accounts.auth import page
from backend.api import api
from backend.core import http
from backend.urls import urlpatterns as real_urls
from booking.models import Booking
from tests.access.bodies import BODIES, NAMED
from tests.access.rights import ADMIN, ALLAUTH, API, OPERATORS, PAGES, TABLE, only
from tests.access.walk import Operation, Walk, documented, routes
from tests.access.world import ABSENT, ROLES, TOKENS, World

# Counting lines would only slow the walk: what it runs, others run too.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

EVERYONE = (*ROLES, *TOKENS)
# What PostgreSQL alone could get wrong, the queries, shows in a few roles; on SQLite everybody walks.
WALKERS = (
    EVERYONE if connection.vendor == "sqlite" else ("member", "xadmin", "manager", "finance", "iadmin", "operator")
)
# Nobody of this world can do these with success: what they need is proven by tests of their own.
NEVER_DONE = {
    "DELETE /api/v1/sample-orders/{pk}/results/{file_id}": "the customer of this world was given the file",
    "GET /operator/mail/": "this is no demo",
    "GET /operator/mail/{key}/": "this is no demo",
    "POST /invoices/{pk}/credit/": "the statement of this world has been paid",
    "POST /api/v1/invoices/{invoice_id}/credit": "the statement of this world has been paid",
    "GET /finance/fapiao-batch.{form}": "the parties of this world have no tax numbers",
    **dict.fromkeys(
        (
            "GET /api/v1/exports/fapiao-batch.{form}",
            "POST /finance/fapiao-batch/",
            "POST /api/v1/fapiao-batches",
            "GET /invoices/{pk}/ubl.xml",
            "GET /api/v1/invoices/{invoice_id}/ubl.xml",
        ),
        "the parties of this world have no tax numbers",
    ),
    "POST /account/profile/confirm-address/": "every address of this world is confirmed",
    "POST /organisation/{organisation}/members/{user}/scope/": "an enterprise has no lab managers",
    "POST /bookings/together/book/": "no instrument has been collected in the walker's session",
    "POST /manage/groups/{pk}/rules/try/": "the group of this world has no instrument",
}
# Whose address is itself the credential.
CREDENTIALS = ("{secret}", "{token}", "/verify/{code}")
# What somebody was told while they belonged there stays told.
TOLD = ("GET /messages/", "GET /messages/newest/", "GET /api/v1/messages")


@pytest.fixture(scope="module", autouse=True)
def bare_problems() -> Iterator[None]:
    """Refusals without the frame around them, which the other pages show too: a third of the walk's time."""

    def bare(request: Any, name: str, *rest: Any, **more: Any) -> Any:
        return render(request, "_problems.html" if name == "problem.html" else name, *rest, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(http, "render", bare)
        yield


@pytest.fixture(scope="module")
def walk(world: World) -> Walk:
    return Walk(world)


@pytest.fixture(scope="module")
def operations(walk: Walk) -> list[Operation]:
    return walk.operations()


def expected(operation: Operation, role: str) -> str:
    rights = TABLE[str(operation)]
    if role == "dead":
        return "sign-in"
    if role == "reader":
        return rights.answer("member") if operation.method == "GET" else "403"
    return rights.answer(role)


def walkers(operation: Operation) -> tuple[str, ...]:
    return EVERYONE if str(operation) in API else ROLES


def as_it_answers(walk: Walk, operation: Operation) -> str:
    """The line that would describe what the operation does now."""
    verdicts = {role: walk.usual(operation, role).verdict for role in ROLES}
    let_in = " ".join(role for role in ROLES if verdicts[role] == "in")
    told = " ".join(role for role in ROLES if verdicts[role] == "403")
    odd = {role: verdict for role, verdict in verdicts.items() if verdict not in ("in", "403", "404", "sign-in")}
    sees = f', sees="{told}"' if told else ""
    return f'    "{operation}": only("{let_in}"{sees}),{f"  # {odd}" if odd else ""}'


def without_line(walk: Walk, operations: list[Operation]) -> list[str]:
    return [
        f"{one} has no line in tests/access/rights.py. As it answers now, if that is what is meant:\n"
        f"{as_it_answers(walk, one)}"
        for one in operations
        if str(one) not in TABLE
    ]


def differences(walk: Walk, operations: list[Operation], role: str) -> list[str]:
    """Where the answer is not that of the table, or shows what the role may not read."""
    wrong = []
    for operation in operations:
        if str(operation) not in TABLE or role not in walkers(operation):
            continue
        answer, due = walk.usual(operation, role), expected(operation, role)
        allauths = str(operation) in ALLAUTH and due == "in" and answer.verdict in ("sign-in", "404")
        if answer.verdict != due and not allauths:
            wrong.append(f"{operation}: {role} meets {answer.verdict} ({answer.status}), not {due}")
        shown = [text for text, readers in walk.world.private.items() if role not in readers and text in answer.text]
        told = role == "left" and str(operation) in TOLD
        if shown and not told and not any(one in operation.route for one in CREDENTIALS):
            wrong.append(f"{operation}: shows {role} {', '.join(shown)}")
    return wrong


def test_every_route_has_a_line(walk: Walk, operations: list[Operation]) -> None:
    missing = without_line(walk, operations)

    assert not missing, "\n" + "\n".join(missing)


def test_every_line_has_a_route(operations: list[Operation]) -> None:
    served = {str(one) for one in operations}

    assert (PAGES | API).keys() - served == set()
    assert {one.split()[1] for one in ALLAUTH} - {one.route for one in operations} == set()


def test_the_document_hides_no_operation() -> None:
    served = {
        (method, "/api/v1" + path)
        for _prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }

    assert len(served) == len(documented())


@pytest.mark.parametrize("role", WALKERS)
def test_everybody_gets_what_the_table_says(walk: Walk, operations: list[Operation], role: str) -> None:
    wrong = differences(walk, operations, role)

    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("role", [role for role in WALKERS if role not in ("visitor", "dead")])
def test_what_is_foreign_is_like_what_is_absent(walk: Walk, operations: list[Operation], role: str) -> None:
    wrong = []
    for operation in operations:
        about = [name for name in operation.parameters if not operation.objects[name].startswith("=")]
        if not about or str(operation) not in TABLE or role not in walkers(operation):
            continue
        due = expected(operation, role)
        if due == "in" and role != min(TABLE[str(operation)].allowed):
            continue  # one of those who get in is enough
        absent = walk.ask(operation, role, lost=True)
        # A token that may only read is told so before anything is looked up.
        if absent.verdict not in (("404", "403") if due == "403" else ("404",)):
            wrong.append(f"{operation}: {role} meets {absent.verdict} for what does not exist")
        if due == "404" and walk.usual(operation, role).seen != absent.seen:
            wrong.append(f"{operation}: {role} can tell what is foreign from what is absent")
        home = walk.world.home.get(role)
        if "organisation" in operation.parameters and len(operation.parameters) > 1 and due == "404" and home:
            crossed = walk.ask(operation, role, ids={"organisation": home})
            if crossed.seen[0] != walk.ask(operation, role, lost=True, ids={"organisation": home}).seen[0]:
                wrong.append(f"{operation}: {role} reaches it through an organisation of their own")

    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("role", ["visitor", "homeless", "left", "eadmin", "xadmin", "xmanager", "xiadmin", "operator"])
def test_an_internal_instrument_does_not_exist_for_outsiders(
    walk: Walk, operations: list[Operation], role: str
) -> None:
    wrong = []
    for operation in operations:
        names = [name for name, kind in operation.objects.items() if kind == "instrument"]
        if not set(names) & set(operation.parameters):
            continue
        hidden = walk.ask(operation, role, ids=dict.fromkeys(names, walk.world.ids["hidden"]))
        if hidden.seen != walk.ask(operation, role, ids=dict.fromkeys(names, ABSENT)).seen:
            wrong.append(f"{operation}: {role} meets {hidden.verdict}")

    assert not wrong, "\n" + "\n".join(wrong)


def placed(body: Any, field: str, value: Any) -> Any:
    """A copy of the body with a value at a place like ``items.0.instrument``."""
    first, _, rest = field.partition(".")
    if isinstance(body, list):
        at = int(first)
        return [*body[:at], placed(body[at], rest, value) if rest else value, *body[at + 1 :]]
    return {**body, first: placed(body[first], rest, value) if rest else value}


@pytest.mark.parametrize(("name", "field"), [(name, field) for name, fields in NAMED.items() for field in fields])
def test_ids_inside_a_body_give_nothing_away(walk: Walk, operations: list[Operation], name: str, field: str) -> None:
    operation = next(one for one in operations if str(one) == name)
    values = (walk.world.ids[NAMED[name][field]], ABSENT)
    for role in ("homeless", "left", "xadmin", "xmanager", "xfinance", "xiadmin", "operator"):
        usual = {**BODIES[name](walk.world), **({"scope": field} if "feeds" in name else {})}
        answers = [walk.ask(operation, role, body=placed(usual, field, value)) for value in values]
        # A form may repeat what was chosen.
        told = [re.sub(rf"\b({values[0]}|{ABSENT})\b", "", answer.seen[2]) for answer in answers]
        assert (answers[0].status, told[0]) == (answers[1].status, told[1]), role
        assert answers[0].status >= 400, role


@pytest.mark.parametrize("role", ["xadmin", "xfinance", "xiadmin", "homeless"])
def test_ids_inside_a_query_give_nothing_away(walk: Walk, role: str) -> None:
    kinds = {"instrument": "hidden", "organisation": "enterprise", "enterprise": "enterprise", "project": "project"}
    tried = 0
    for operation, told in documented().items():
        named = {one["name"] for one in told.get("parameters", ()) if one["in"] == "query"} & set(kinds)
        if operation.method != "GET" or operation.parameters:
            continue
        for name in named:
            foreign = walk.ask(operation, role, query={name: walk.world.ids[kinds[name]]})
            assert foreign.seen == walk.ask(operation, role, query={name: ABSENT}).seen, f"{operation} {name}"
            tried += 1

    assert tried >= 6


def test_every_operation_succeeds_for_somebody(walk: Walk, operations: list[Operation]) -> None:
    """Else a refusal might hide that a right is missing."""
    unproven = []
    for operation in operations:
        if str(operation) not in PAGES | API or str(operation) in NEVER_DONE:
            continue
        allowed = [role for role in ROLES if role in TABLE[str(operation)].allowed]
        if not any(walk.usual(operation, role).status < 400 for role in allowed):
            met = {role: walk.usual(operation, role).status for role in allowed}
            unproven.append(f"{operation}: {met}; give it an object and a body in tests/access/bodies.py")

    assert not unproven, "\n" + "\n".join(unproven)


@pytest.mark.parametrize("role", ["visitor", "left", "eadmin", "iadmin", "operator"])
def test_the_admin_site_is_for_operators(walk: Walk, role: str) -> None:
    """Everybody else is sent to sign in, whatever the address."""
    wrong = []
    for route in {route for route in routes() if route.startswith(ADMIN)} - {f"{ADMIN}login/", f"{ADMIN}logout/"}:
        address = re.sub(r"{app_label}", "accounts", re.sub(r"{\w+_id}", "1", route)).replace("{url}", "x")
        verdict = walk.ask(Operation(address, "GET"), role).verdict
        if verdict not in (("in", "403", "404", "405") if role in OPERATORS.allowed else ("sign-in",)):
            wrong.append(f"{address}: {role} meets {verdict}")

    assert not wrong, "\n" + "\n".join(wrong)


# --- the walk itself ---------------------------------------------------------------------------------------------


@page
def unscoped(request: HttpRequest, pk: int) -> HttpResponse:
    """What somebody in a hurry might write: any signed-in person, any booking."""
    return HttpResponse(Booking.objects.get(pk=pk).purpose)


urlpatterns = [*real_urls, path("bookings/<int:pk>/label/", unscoped)]


@pytest.fixture
def with_a_hole() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        clear_url_caches()
        yield
    clear_url_caches()


@pytest.mark.usefixtures("with_a_hole")
def test_a_route_without_a_line_is_named(walk: Walk) -> None:
    found = [text for text in without_line(walk, walk.operations()) if "/label/" in text]

    assert found[0].startswith("GET /bookings/{pk}/label/ has no line in tests/access/rights.py")
    assert "xadmin" in found[0]


@pytest.mark.usefixtures("with_a_hole")
def test_a_view_without_a_scope_is_a_leak(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    hole = Operation("/bookings/{pk}/label/", "GET")
    monkeypatch.setitem(TABLE, str(hole), only("member eadmin manager iadmin"))

    assert differences(walk, [hole], "member") == []
    assert differences(walk, [hole], "xadmin") == [
        "GET /bookings/{pk}/label/: xadmin meets in (200), not 404",
        "GET /bookings/{pk}/label/: shows xadmin Hidden purpose",
    ]
