"""Organisations outside China: country, tax number, currency."""

from __future__ import annotations

from typing import Any

import pytest

from backend.accounts.models import Organisation, Role
from backend.accounts.rules import abroad_refusals, countries, normalise_vat_id
from tests.accounts.making import browser
from tests.conftest import ApiClient
from tests.factories import make_enterprise, make_institution, make_member


@pytest.mark.parametrize(
    ("country", "vat_id", "currency", "fields"),
    [
        ("DE", "DE136695976", "EUR", []),
        ("GR", "EL094259216", "EUR", []),
        ("DE", "DE136695977", "EUR", ["vat_id"]),
        ("DE", "FR40303265045", "EUR", ["vat_id"]),
        ("JP", "T1234567890123", "JPY", []),
        ("JP", "T" * 21, "JPY", ["vat_id"]),
        ("XX", "", "euro", ["country", "currency"]),
        ("CN", "", "CNY", []),
    ],
)
def test_what_is_wrong_abroad_is_named(country: str, vat_id: str, currency: str, fields: list[str]) -> None:
    assert [one.field for one in abroad_refusals(country, vat_id, currency)] == fields


def test_countries_are_those_of_iso_3166() -> None:
    assert {"CN", "DE", "MN", "TW"} <= countries()
    assert not {"EU", "ZZ", "001"} & countries()
    assert normalise_vat_id(" de 136.695-976") == "DE136695976"


@pytest.mark.django_db
def test_page_and_api_keep_what_documents_abroad_need() -> None:
    enterprise = make_enterprise()
    admin = make_member(enterprise, Role.ADMIN)
    page = browser(admin)
    form = {"name": enterprise.name, "country": "DE", "vat_id": "de 136 695 976", "currency": "eur"}

    saved = page.post(f"/organisation/{enterprise.pk}/edit/", form)
    wrong = page.post(f"/organisation/{enterprise.pk}/edit/", {**form, "vat_id": "DE1"})
    changed = ApiClient(admin).patch_api(f"/organisations/{enterprise.pk}", {"address": "Weg 1", "country": "AT"})
    api = ApiClient(admin).patch_api(f"/organisations/{enterprise.pk}", {"address": "Weg 1"})

    assert saved.status_code == 302
    assert wrong.status_code == 422
    assert "begins with DE" in wrong.content.decode()
    assert changed.status_code == 422
    assert {key: api.json()[key] for key in ("country", "vat_id", "currency", "address")} == {
        "country": "DE", "vat_id": "DE136695976", "currency": "EUR", "address": "Weg 1",
    }  # fmt: skip
    assert Organisation.objects.get(pk=enterprise.pk).vat_id == "DE136695976"


@pytest.mark.django_db
def test_the_currency_of_an_institution_stays() -> None:
    institution = make_institution()
    admin = make_member(institution, Role.ADMIN)

    answer = ApiClient(admin).patch_api(f"/organisations/{institution.pk}", {"currency": "EUR"})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (409, "currency_fixed")


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.MEMBER, 403), (None, 404)])
def test_who_runs_it_reads_it(role: Any, status: int) -> None:
    enterprise = make_enterprise()
    person = make_member(enterprise if role else make_enterprise(), role or Role.ADMIN)

    assert ApiClient(person).get_api(f"/organisations/{enterprise.pk}").status_code == status
