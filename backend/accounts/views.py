"""Pages of accounts that django-allauth does not bring."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from backend.accounts.auth import SESSION_ORGANISATION, access, page
from backend.core.errors import NotFound


@page
@require_POST
def switch_organisation(request: HttpRequest) -> HttpResponse:
    """Act for another of the person's organisations from now on."""
    chosen = request.POST.get("organisation", "")
    if not chosen.isdecimal() or int(chosen) not in access(request).organisations:
        raise NotFound
    request.session[SESSION_ORGANISATION] = int(chosen)
    back = request.POST.get("next", "/")
    return redirect(back if url_has_allowed_host_and_scheme(back, allowed_hosts=None) else "/")
