"""What every page knows about its visitor; read from the database only if the page asks."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from backend.accounts.auth import access, current_organisation
from backend.accounts.models import Organisation, OrganisationKind, Role, User
from backend.accounts.queries import VISITOR, Access
from backend.outbox.models import Channel, Message
from booking.queries.scope import decides_any


class Site:
    """The person, the organisation they act for, and what the navigation offers them.

    Rights are decided by the views; this only decides which links are worth showing.
    """

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        # An error page may be drawn before the person is known.
        self._known = hasattr(request, "user") and hasattr(request, "session")

    @cached_property
    def user(self) -> User | None:
        return self._request.user if self._known and self._request.user.is_authenticated else None

    @cached_property
    def access(self) -> Access:
        """Roles and organisations: one query per request, shared with the views."""
        return access(self._request) if self.user else VISITOR

    @cached_property
    def organisations(self) -> list[Organisation]:
        return sorted(self.access.organisations.values(), key=lambda one: one.name)

    @cached_property
    def current_organisation(self) -> Organisation | None:
        """The one chosen in the top bar, if the person still belongs to it; else their first."""
        return current_organisation(self._request) if self.user else None

    @cached_property
    def roles(self) -> frozenset[str]:
        """The person's roles in the current organisation."""
        current = self.current_organisation
        return self.access.roles.get(current.pk, frozenset()) if current else frozenset()

    @property
    def kind(self) -> str:
        return self.current_organisation.kind if self.current_organisation else ""

    @property
    def manages_instruments(self) -> bool:
        return self.kind == OrganisationKind.INSTITUTION and bool(self.roles & {Role.MANAGER, Role.ADMIN})

    @cached_property
    def decides(self) -> bool:
        """Has requests to agree to: as a manager, or because one asks for another role; a query for the latter."""
        return self.manages_instruments or (self.handles_money and decides_any(self.access))

    @property
    def handles_money(self) -> bool:
        """Keeps the ledger of an institution."""
        return self.kind == OrganisationKind.INSTITUTION and Role.FINANCE in self.roles

    @property
    def pays(self) -> bool:
        """Answers for what an enterprise is charged."""
        return self.kind == OrganisationKind.ENTERPRISE and bool(self.roles & {Role.FINANCE, Role.ADMIN})

    @property
    def operates_network(self) -> bool:
        return self.access.is_operator or bool(self.user and self.user.is_staff)

    @property
    def is_demo(self) -> bool:
        return bool(settings.DEMO)

    @cached_property
    def unread(self) -> int:
        """Messages in the application that the person has not opened."""
        if self.user is None:
            return 0
        return Message.objects.filter(recipient=self.user, channel=Channel.IN_APP, read_at=None).count()


def site(request: HttpRequest) -> dict[str, Any]:
    return {"site": Site(request), "default_time_zone": settings.TIME_ZONE}
