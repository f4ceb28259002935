"""What the tests of accounts share."""

from __future__ import annotations

from typing import Any

from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import Organisation, OrganisationKind, Role, User
from tests.factories import make_enterprise, make_member

GOOD = "91350100M000100Y43"
OTHER = "9115010022MQ4W4X10"
LETTER = "A1110000600037341K"
WRONG = "91350100M000100Y4Z"
PASSWORD = "quiet river 27"

ENTERPRISE = {
    "name": "Acme Ltd.",
    "uscc": GOOD,
    "region": "呼和浩特",
    "address": "1 Example Road",
    "phone": "0471-5550100",
    "email": "",
    "bank": "",
    "bank_account": "",
}
PERSON = {"name": "Li Jing", "email": "li@acme.example", "phone": "", "password1": PASSWORD, "password2": PASSWORD}


def browser(user: User | None = None) -> Client:
    client = Client(headers={"accept-language": "en"})
    if user is not None:
        client.force_login(user)
    return client


def sign_in(user: User, client: Client | None = None, password: str = "correct horse") -> Client:
    """By the page, as people do: the session is listed."""
    client = client or browser()
    answer = client.post("/account/login/", {"login": user.email, "password": password})
    assert answer.status_code == 302, answer.content
    return client


def network() -> Organisation:
    found = Organisation.objects.filter(kind=OrganisationKind.NETWORK).first()
    return found or Organisation.objects.create(kind=OrganisationKind.NETWORK, code="net", name="Network")


def make_operator(**fields: Any) -> User:
    user = make_member(network(), Role.OPERATOR)
    User.objects.filter(pk=user.pk).update(**fields)
    user.refresh_from_db()
    return user


def make_admin(organisation: Organisation | None = None) -> tuple[User, Organisation]:
    organisation = organisation or make_enterprise()
    return make_member(organisation, Role.MEMBER, Role.ADMIN), organisation


def prefixed(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}-{name}": value for name, value in values.items()}


def link_in_mail(path: str) -> str:
    """The path of the address in the last mail that begins so."""
    body = str(mail.outbox[-1].body)
    start = body.index(path)
    return body[start:].split()[0]


def queries_of(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)
