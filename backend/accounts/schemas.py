"""Shapes of the accounts API."""

from datetime import date
from typing import Annotated

from ninja import Schema
from pydantic import Field

from backend.core.api import LINE, Day, Id, In, Page


class MyOrganisation(Schema):
    id: int
    name: str
    kind: str
    roles: list[str]


class Me(Schema):
    id: int
    email: str
    name: str
    language: str
    organisations: list[MyOrganisation]


Number = Annotated[str, Field(min_length=1, max_length=60), LINE]
Version = Annotated[int, Field(ge=0, le=2**31 - 1, description="The one that you read")]
Audience = Annotated[str, Field(max_length=30), LINE]


class OrganisationOut(Schema):
    """What documents show of an organisation that you run."""

    id: int
    kind: str
    name: str
    name_en: str
    uscc: str | None
    country: str
    vat_id: str
    currency: str
    region: str
    address: str
    phone: str
    email: str
    bank: str
    bank_account: str


Text100 = Annotated[str, Field(max_length=100), LINE]
Text254 = Annotated[str, Field(max_length=254), LINE]


class OrganisationChange(In):
    """What is left out stays; the credit code can be added where there is none."""

    name: Text100 | None = None
    name_en: Text254 | None = None
    uscc: Text100 | None = None
    country: Text100 | None = Field(None, description="ISO 3166, two letters")
    vat_id: Text100 | None = Field(None, description="The tax number of those abroad; for Europe the VAT number")
    currency: Text100 | None = None
    region: Text100 | None = None
    address: Text254 | None = None
    phone: Text100 | None = None
    email: Text254 | None = None
    bank: Text100 | None = None
    bank_account: Text100 | None = None


class NewAgreement(In):
    institution: Id | None = Field(None, description="Needed when you administer several institutions")
    customer: Annotated[str, Field(min_length=1, max_length=150), LINE] = Field(
        description="The unified social credit code, or the exact name"
    )
    number: Number
    audience: Audience = Field("", description="A code of price lists and rules by which the customer is treated")
    valid_from: Day
    valid_to: Day | None = None


class AgreementChange(In):
    """What is left out stays."""

    number: Number | None = None
    audience: Audience | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    version: Version | None = None


class AgreementEnd(In):
    day: Day | None = Field(None, description="The last day; today by default")
    reason: Annotated[str, Field(min_length=1, max_length=200), LINE]
    version: Version | None = None


class AgreementFilter(Page):
    institution: Id | None = None
    customer: Id | None = None
    in_force: Day | None = Field(None, description="Those in force on this day")


class Party(Schema):
    id: int
    name: str


class AgreementOut(Schema):
    id: int
    version: int
    institution: Party
    customer: Party
    number: str
    audience: str
    valid_from: date
    valid_to: date | None


class AgreementPage(Schema):
    items: list[AgreementOut]
    count: int
