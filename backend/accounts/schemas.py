"""Shapes of the accounts API."""

from ninja import Schema


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
