"""Who is asking: sessions for pages, tokens for machines. The one module of accounts that doors of all apps use."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar, cast

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal.httpkit import clean_client_ip
from allauth.core.internal.ratelimit import consume
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.core.cache import cache
from django.core.files import File
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy
from ninja import Status
from ninja.security import HttpBearer, SessionAuth
from ninja.utils import check_csrf
from pydantic import BaseModel

from backend.accounts.actions import once, vouch_for_address
from backend.accounts.models import ApiToken, Organisation, User, digest_secret
from backend.accounts.queries import SESSION_ORGANISATION, VISITOR, Access, access_of
from backend.core.errors import Forbidden, Throttled, Unauthenticated
from backend.core.http import csrf_error

log = logging.getLogger(__name__)

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# Of the column that keeps it; the input tells two longer ones apart.
LONGEST_ROUTE = 120


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Where django-allauth meets our accounts: people come by registration or invitation, on pages of our own."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the outermost of our proxies saw; what the client itself wrote is never believed."""
        return client_ip(request)

    def pre_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponseBase | None:
        """Whoever has an account without an address on record got it from somebody who vouched for the address."""
        vouch_for_address(user=user)
        return cast("HttpResponseBase | None", super().pre_login(request, user, **more))

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail server that is down must not undo what was just done; every such mail can be asked for again."""
        try:
            super().send_mail(template_prefix, email, context)
        except OSError:
            log.exception("%s could not be sent", template_prefix)


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth ships no types
    """Second factors; their secrets are stored encrypted, so that a copy of the database opens no account."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy("This code is wrong or too old. Enter the one that shows now."),
    }

    def get_totp_issuer(self) -> str:
        return "Yixiang 仪享"

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return _cipher().decrypt(encrypted_text.encode()).decode()


def _cipher() -> MultiFernet:
    """Keyed by SECRET_KEY; what older keys encrypted is read with SECRET_KEY_FALLBACKS."""
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    digests = [hashlib.sha256(b"yixiang.mfa" + key.encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104  (a placeholder, nothing listens on it)


def client_ip(request: HttpRequest) -> str:
    """`X-Forwarded-For` counts only as far as our own proxies wrote it; a request around them has its own address."""
    count = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    address = forwarded[-count] if count and len(forwarded) >= count else ""
    known = clean_client_ip(address) or clean_client_ip(request.META.get("REMOTE_ADDR", ""))
    return cast(str, known or UNKNOWN_ADDRESS)


def throttle(request: HttpRequest, action: str, *, key: str = "") -> None:
    """Count one try against the rates of ``ACCOUNT_RATE_LIMITS[action]``; `Throttled` when there were too many."""
    if not consume(request, app="allauth.account", action=action, key=key.lower(), limit_get=True):
        raise Throttled(retry_after=60)


class Session(SessionAuth):
    """A signed-in browser; unsafe methods need the CSRF token."""

    def _get_key(self, request: HttpRequest) -> str | None:
        """Whoever is not signed in lacks credentials, not the CSRF token."""
        if not request.user.is_authenticated:
            return None
        if self.csrf and check_csrf(request) is not None:
            raise csrf_error()
        return request.COOKIES.get(self.param_name)

    def authenticate(self, request: HttpRequest, key: str | None) -> Any | None:
        return request.user if request.user.is_authenticated else None


class Token(HttpBearer):
    """``Authorization: Bearer …`` of a token that is neither revoked nor expired, of an active person."""

    def authenticate(self, request: HttpRequest, token: str) -> Any | None:
        found = ApiToken.objects.select_related("user").filter(digest=digest_secret(token)).first()
        if found is None or not found.alive or not found.user.is_active:
            throttle(request, "wrong_token")
            return None
        _count(found.pk)
        if found.read_only and request.method not in SAFE_METHODS:
            raise Forbidden(detail=translation.gettext("This token can only read."))
        _note_use(found)
        request.user = found.user
        if "Accept-Language" not in request.headers:
            translation.activate(found.user.language)
        return found.user


signed_in: list[Any] = [Token(), Session()]


def optional(request: HttpRequest) -> bool:
    """For public operations: a valid credential is used, a missing one is fine."""
    header = request.headers.get("Authorization", "")
    if header.startswith("Bearer ") and Token().authenticate(request, header.removeprefix("Bearer ")) is None:
        raise Unauthenticated
    return True


def person(request: HttpRequest) -> User:
    """The signed-in person; `Unauthenticated` otherwise."""
    if not request.user.is_authenticated:
        raise Unauthenticated
    return request.user


def access(request: HttpRequest) -> Access:
    """The caller's roles, read once per request."""
    known = getattr(request, "_access", None)
    if known is None or known.user_id != request.user.pk:
        known = access_of(request.user) if request.user.is_authenticated else VISITOR
        request._access = known  # type: ignore[attr-defined]  # kept for the rest of the request
    return cast(Access, known)


def current_organisation(request: HttpRequest) -> Organisation | None:
    """The organisation that the person chose in the top bar, or the first of theirs."""
    mine = access(request).organisations
    chosen = mine.get(request.session.get(SESSION_ORGANISATION, 0))
    return chosen or next(iter(sorted(mine.values(), key=lambda o: o.pk)), None)


View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def page(view: View) -> View:
    """A page for people who are signed in; others are sent to sign in and come back."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        person(request)
        return view(request, *args, **kwargs)

    return cast(View, guarded)


def repeatable(*, unless: tuple[str, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For every POST of the API, unless its path ends so: one that names an Idempotency-Key acts once.

    The same key on the same path with the same input is answered with the stored reply, with another is `Invalid`.
    """

    def decorated(operation: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(operation)
        def run(request: HttpRequest, *args: Any, **values: Any) -> Any:
            key = request.headers.get("Idempotency-Key", "")
            if not key or request.method != "POST" or request.path.endswith(unless):
                return operation(request, *args, **values)
            said = {name: _said(value) for name, value in values.items()}
            route = f"POST {request.path}"[:LONGEST_ROUTE]
            act = functools.partial(_reply, operation, request, *args, **values)
            return Status(*once(user=person(request), route=route, key=key, body=said, act=act))

        return run

    return decorated


def _said(value: Any) -> Any:
    """A validated input as JSON; of a file what tells it from another."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, File):
        digest = hashlib.sha256()
        for chunk in value.chunks():
            digest.update(chunk)
        value.seek(0)
        return [value.name, digest.hexdigest()]
    return [_said(each) for each in value] if isinstance(value, list) else value


def _reply(operation: Callable[..., Any], request: HttpRequest, *args: Any, **values: Any) -> tuple[int, Any]:
    answer = operation(request, *args, **values)
    if isinstance(answer, HttpResponse):
        return answer.status_code, json.loads(answer.content)
    return (answer.status_code, answer.value) if isinstance(answer, Status) else (200, answer)


_pending: Counter[tuple[int, int]] = Counter()
_pending_lock = threading.Lock()


def _count(token_id: int) -> None:
    """Throttle per token and minute. Processes share the count in the cache, a few requests at a time."""
    limit = settings.API_REQUESTS_PER_MINUTE
    minute = int(timezone.now().timestamp() // 60)
    requests = _collect((token_id, minute), batch=max(1, min(20, limit // 20)))
    if requests:
        name = f"throttle:token:{token_id}:{minute}"
        cache.add(name, 0, timeout=120)
        if cache.incr(name, requests) > limit:
            raise Throttled(retry_after=60)


def _collect(slot: tuple[int, int], *, batch: int) -> int:
    """Count one request in this process; every ``batch`` requests, their number and a fresh start."""
    with _pending_lock:
        _pending[slot] += 1
        if _pending[slot] < batch:
            return 0
        for stale in [key for key in _pending if key[1] < slot[1]]:
            del _pending[stale]
        return _pending.pop(slot)


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > timedelta(minutes=5):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
