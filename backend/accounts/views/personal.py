"""A person's own pages: data, sessions, tokens, the organisation that they act for."""

from __future__ import annotations

from collections.abc import Collection

from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.actions import change_profile, create_token, revoke_token, sign_out_everywhere
from backend.accounts.auth import access, page, person, throttle
from backend.accounts.forms import ProfileForm, TokenForm
from backend.accounts.models import Role
from backend.accounts.queries import SESSION_ORGANISATION, get_token, living_tokens, own_registrations
from backend.accounts.rules import device_words
from backend.accounts.views.going import again
from backend.core.errors import NotFound
from backend.core.http import go


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


@page
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    user = person(request)
    data = request.POST if request.method == "POST" else None
    form = ProfileForm(data, initial={"name": user.name, "phone": user.phone, "language": user.language})
    mine = access(request)
    context = {
        "form": form,
        "unconfirmed": EmailAddress.objects.filter(user=user, email=user.email, verified=False).exists(),
        "second_factor": is_mfa_enabled(user),
        "memberships": [(one, _labels(mine.roles[one.pk])) for one in mine.organisations.values()],
        "registrations": own_registrations(user),
    }
    if data is None:
        return render(request, "accounts/profile.html", context)
    if not form.is_valid():
        return again(request, "accounts/profile.html", "accounts/_profile_form.html", context)
    change_profile(user=user, **form.cleaned_data)
    translation.activate(user.language)
    messages.success(request, _("Saved."))
    response = go(request, reverse("accounts:profile"))
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        user.language,
        max_age=365 * 86_400,
        samesite="Lax",
        secure=settings.LANGUAGE_COOKIE_SECURE,
    )
    return response


def _labels(roles: Collection[str]) -> list[str]:
    return [str(role.label) for role in Role if role in roles]


@page
@require_POST
def confirm_address(request: HttpRequest) -> HttpResponse:
    """Send the mail that confirms the address once more; at most one in three minutes."""
    address = EmailAddress.objects.filter(user=person(request), email=person(request).email, verified=False).first()
    if address is None:
        raise NotFound
    throttle(request, "confirm_email", key=address.email)
    address.send_confirmation(request)
    messages.success(request, _("The mail is on its way to %(address)s.") % {"address": address.email})
    return go(request, reverse("accounts:profile"))


@page
@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """Where the person is signed in."""
    rows = UserSession.objects.purge_and_list(person(request))
    context = {
        "sessions": [(one, device_words(one.user_agent)) for one in sorted(rows, key=lambda one: one.created_at)],
        "current": request.session.session_key,
    }
    return render(request, "accounts/sessions.html", context)


@page
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End all other sessions; this one begins anew."""
    user = sign_out_everywhere(user=person(request))
    update_session_auth_hash(request, user)
    UserSession.objects.create_from_request(request)
    messages.success(request, _("You are signed out everywhere else."))
    return go(request, reverse("accounts:sessions"))


@page
@never_cache
@require_safe
def tokens(request: HttpRequest) -> HttpResponse:
    context = {"tokens": living_tokens(person(request)), "form": TokenForm()}
    return render(request, "accounts/tokens.html", context)


@page
@never_cache
@require_POST
def new_token(request: HttpRequest) -> HttpResponse:
    """The answer is the only page that ever shows the token."""
    user = person(request)
    throttle(request, "create_token")
    form = TokenForm(request.POST)
    context = {"tokens": living_tokens(user), "form": form}
    if not form.is_valid():
        return render(request, "accounts/tokens.html", context, status=422)
    token, secret = create_token(user=user, **form.cleaned_data)
    return render(request, "accounts/tokens.html", {**context, "form": TokenForm(), "made": token, "secret": secret})


@page
@require_POST
def drop_token(request: HttpRequest, pk: int) -> HttpResponse:
    user = person(request)
    token = revoke_token(token=get_token(user, pk), by=user)
    messages.success(request, _("The token “%(name)s” is refused from now on.") % {"name": token.name})
    return go(request, reverse("accounts:tokens"))
