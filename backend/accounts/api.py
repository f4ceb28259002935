"""``/api/v1/me``."""

from typing import Any

from django.http import HttpRequest
from ninja import Router

from backend.accounts.auth import access, person, signed_in
from backend.accounts.schemas import Me

router = Router(auth=signed_in, tags=["accounts"])


@router.get("/me", response=Me, summary="Who am I, and what may I do where")
def me(request: HttpRequest) -> dict[str, Any]:
    user, mine = person(request), access(request)
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.name,
        "language": user.language,
        "organisations": [
            {"id": o.pk, "name": o.name, "kind": o.kind, "roles": sorted(mine.roles[o.pk])}
            for o in mine.organisations.values()
        ],
    }
