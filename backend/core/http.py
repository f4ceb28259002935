"""The one place where errors become HTTP responses, for pages and API alike; and the way onward after success."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DataError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import LazyObject
from django.utils.translation import gettext as _

from backend.core.db import contention
from backend.core.errors import (
    Busy,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    Stale,
    Throttled,
    Unauthenticated,
    YixiangError,
)
from backend.core.logs import request_id
from backend.core.memo import remembering

log = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
PROBLEM = "application/problem+json"
_REQUEST_ID = re.compile(r"[\w-]{8,64}")


class RequestIdMiddleware:
    """Gives each request an id: for the log, the audit record and the ``X-Request-ID`` header."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        token = request_id.set(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)
        try:
            with remembering():
                response = self.get_response(request)
            response["X-Request-ID"] = request_id.get()
            return response
        finally:
            request_id.reset(token)


class ErrorMiddleware:
    """Turns the family of `backend.core.errors` into pages, fragments or problem documents."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_api(request) and 400 <= response.status_code < 500 and response["Content-Type"] != PROBLEM:
            response = _as_problem(response)
        elif response.status_code == 405 and not is_api(request):
            response = _with_allow(problem_page(request, wrong_method()), response)
        if not response.has_header("Cache-Control") and _signed_in(request):
            tagged = is_api(request) and response.has_header("ETag")
            response["Cache-Control"] = "private, no-cache" if tagged else "private, no-store"
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        error = as_known(exception)
        if error is None:
            return None
        return answer(request, error)


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def answer(request: HttpRequest, error: YixiangError) -> HttpResponse:
    return problem_response(error) if is_api(request) else problem_page(request, error)


def _signed_in(request: HttpRequest) -> bool:
    """Without looking into the session of a visitor who has none: the answer would then vary by cookie."""
    user = getattr(request, "user", None)
    if user is None or (isinstance(user, LazyObject) and settings.SESSION_COOKIE_NAME not in request.COOKIES):
        return False
    return bool(user.is_authenticated)


def _as_problem(response: HttpResponse) -> HttpResponse:
    """The same answer as a problem document: what Django or django-ninja say by themselves is text or HTML."""
    known = {403: Forbidden, 404: NotFound, 412: Stale}.get(response.status_code)
    if known is not None:
        error: YixiangError = known()
    elif response.status_code == 405:
        error = wrong_method()
    elif response.status_code == 413:
        error = too_large()
    else:
        error = _plain(response.status_code, _("The request could not be understood."), "bad_request")
    return _with_allow(problem_response(error), response)


def _with_allow(answer: HttpResponse, response: HttpResponse) -> HttpResponse:
    """With the methods that the address takes, in an order that does not change."""
    if response.has_header("Allow"):
        answer["Allow"] = ", ".join(sorted(response["Allow"].split(", ")))
    return answer


def go(request: HttpRequest, url: str) -> HttpResponse:
    """To another page, also out of a fragment: a refusal stays on the page, success leaves it."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return redirect(url)


def as_known(exception: Exception) -> YixiangError | None:
    """Our own error for one of ours, or for Django's that mean the same."""
    match exception:
        case YixiangError():
            return exception
        case Http404():
            return NotFound()
        case PermissionDenied():
            return Forbidden()
        case OperationalError() if contention(exception):
            return Busy()
        case RequestDataTooBig():
            return too_large()
        case SuspiciousOperation() | BadRequest():
            return _plain(400, _("The request could not be understood."), "bad_request")
        case DataError() if "NUL" in str(exception) or "\\u0000" in str(exception):
            return Invalid(detail=_("Text may not contain the character NUL."))
    return None


def problem(error: YixiangError) -> dict[str, Any]:
    """The body of RFC 9457 with our ``code`` and ``errors``, in the active language."""
    return {
        "type": f"about:blank#{error.code}",
        "title": str(error.title),
        "status": error.status,
        "code": error.code,
        "detail": str(error.detail or error.title),
        "errors": [refusal_out(refusal) for refusal in error.refusals],
    }


def refusal_out(refusal: Refusal) -> dict[str, Any]:
    """A refusal for JSON; empty parts are left out."""
    out: dict[str, Any] = {"code": refusal.code, "detail": str(refusal.detail)}
    if refusal.field:
        out["field"] = refusal.field
    if refusal.params:
        out["params"] = refusal.params
    for name, instant in (("until", refusal.until), ("fix", refusal.fix)):
        if isinstance(instant, datetime):
            out[name] = instant.isoformat()
    if refusal.fix_text:
        out["fix_text"] = str(refusal.fix_text)
    return out


def problem_response(error: YixiangError) -> HttpResponse:
    body = json.dumps(problem(error), cls=DjangoJSONEncoder, ensure_ascii=False)
    return _with_headers(HttpResponse(body, status=error.status, content_type=PROBLEM), error)


def problem_page(request: HttpRequest, error: YixiangError) -> HttpResponse:
    """A page, or for HTMX a fragment that goes into the page's ``#problems`` and leaves the form as it was."""
    if isinstance(error, Unauthenticated):
        return redirect(f"{reverse('account_login')}?{urlencode({'next': _back(request)})}")
    context = {"error": error, "title": error.title, "detail": error.detail or "", "refusals": error.refusals}
    if request.headers.get("HX-Request"):
        response = render(request, "_problems.html", context, status=error.status)
        response["HX-Retarget"], response["HX-Reswap"] = "#problems", "innerHTML show:top"
    else:
        response = render(request, "problem.html", context, status=error.status)
    return _with_headers(response, error)


def _back(request: HttpRequest) -> str:
    """Where signing in leads: to the page that was asked for; to the page with the form if one was sent."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    ours = f"{request.scheme}://{request.get_host()}/"
    before, found, path = request.headers.get("Referer", "").partition(ours)
    return f"/{path}" if found and not before and not path.startswith("/") else "/"


def _with_headers(response: HttpResponse, error: YixiangError) -> HttpResponse:
    if isinstance(error, Throttled | Busy):
        response["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = "Bearer"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, as_known(exception) or _plain(400, _("The request could not be understood."), "bad_request"))


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, Forbidden())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, NotFound())


def too_many_requests(request: HttpRequest) -> HttpResponse:
    return problem_page(request, Throttled())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Somebody signed in anew in another tab: the page is loaded again; `keep.js` brings back what was typed."""
    response = answer(request, csrf_error())
    if request.headers.get("HX-Request"):
        response["HX-Refresh"] = "true"
    return response


def csrf_error() -> YixiangError:
    return _plain(403, _("Your session expired. Please load the page again and repeat your last step."), "csrf")


def wrong_method() -> YixiangError:
    return _plain(405, _("This address does not take this method."), "method_not_allowed")


def too_large() -> YixiangError:
    return _plain(413, _("This is more than can be sent at once."), "too_large")


def not_json() -> YixiangError:
    return _plain(415, _("Please send JSON, with Content-Type: application/json."), "unsupported_media_type")


def _plain(status: int, detail: str, code: str) -> YixiangError:
    error = YixiangError(detail=detail)
    error.status, error.code = status, code
    return error
