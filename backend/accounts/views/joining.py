"""How people come in: an enterprise registers, an invitation is accepted."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.utils import perform_login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from backend.accounts.actions import NewPerson
from backend.accounts.auth import page, person, throttle
from backend.accounts.forms import EnterpriseForm, NewPersonForm, RegistrantForm
from backend.accounts.models import Invitation, Registration, RegistrationStatus, Role, User
from backend.accounts.own_actions.inviting import accept_invitation
from backend.accounts.own_actions.registering import change_registration, register_enterprise
from backend.accounts.queries import SESSION_ORGANISATION, get_own_registration, has_account, invitation_by_secret
from backend.accounts.rules import invitation_refusals, same_mailbox
from backend.accounts.views.going import again
from backend.core.http import go

PAGE, FRAGMENT = "accounts/register.html", "accounts/_register_form.html"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest) -> HttpResponse:
    """For visitors with their own data, for people who are signed in with the enterprise's only."""
    data = request.POST if request.method == "POST" else None
    known = request.user if request.user.is_authenticated else None
    who = None if known else RegistrantForm(data, prefix="person")
    enterprise = EnterpriseForm(data, prefix="enterprise")
    context = {"who": who, "enterprise": enterprise}
    if data is None:
        return render(request, PAGE, context)
    throttle(request, "register", key=data.get("person-email", "") or str(request.user.pk))
    # Both are asked, so that all errors show at once.
    if not all([enterprise.is_valid(), who is None or who.is_valid()]):
        if who:
            who.keep_typed()
        return again(request, PAGE, FRAGMENT, context)
    by = known or _new_person(who.cleaned_data if who else {})
    registration = register_enterprise(enterprise=enterprise.cleaned_data, by=by)
    messages.success(request, _("Thank you. The network will look at your registration."))
    if known is None:
        _sign_in(request, registration.user)
        EmailAddress.objects.get(user=registration.user, primary=True).send_confirmation(request, signup=True)
    return go(request, reverse("accounts:registration", args=[registration.pk]))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def registration(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of it; its data can be completed while it waits, and corrected after a refusal."""
    found = get_own_registration(person(request), pk)
    data = request.POST if request.method == "POST" else None
    enterprise = EnterpriseForm(data, prefix="enterprise", initial=_initial(found))
    context = {
        "registration": found,
        "enterprise": enterprise,
        "open": found.status != RegistrationStatus.CONFIRMED,
        "refused": found.status == RegistrationStatus.REFUSED,
    }
    if data is None:
        return render(request, "accounts/registration.html", context)
    if not enterprise.is_valid():
        return again(request, "accounts/registration.html", "accounts/_registration_form.html", context)
    change_registration(registration=found, enterprise=enterprise.cleaned_data, by=person(request))
    messages.success(request, _("Submitted again.") if context["refused"] else _("Saved."))
    return go(request, reverse("accounts:registration", args=[pk]))


@never_cache
@require_http_methods(["GET", "HEAD"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    found = invitation_by_secret(secret)
    return render(request, "accounts/invitation.html", _about(request, found, secret, NewPersonForm()))


@never_cache
@require_POST
def accept(request: HttpRequest, secret: str) -> HttpResponse:
    """The signed-in person takes the roles, or a new one gets an account and takes them."""
    throttle(request, "invitation")
    found = invitation_by_secret(secret)
    if request.user.is_authenticated:
        user = accept_invitation(invitation=found, by=request.user)
    elif has_account(found.email):
        return go(request, f"{reverse('account_login')}?next={request.path.removesuffix('accept/')}")
    else:
        form = NewPersonForm({**request.POST.dict(), "email": found.email})
        if not form.is_valid():
            form.keep_typed()
            context = _about(request, found, secret, form)
            return again(request, "accounts/invitation.html", "accounts/_invitation_form.html", context)
        user = accept_invitation(invitation=found, by=_new_person({**form.cleaned_data, "email": found.email}))
        _sign_in(request, user)
    request.session[SESSION_ORGANISATION] = found.organisation_id
    name = found.organisation.label(get_language() or "")
    messages.success(request, _("Welcome to %(organisation)s.") % {"organisation": name.removesuffix(".")})
    return go(request, reverse("accounts:organisation"))


def _about(request: HttpRequest, found: Invitation, secret: str, form: NewPersonForm) -> dict[str, Any]:
    user = request.user if request.user.is_authenticated else None
    return {
        "invitation": found,
        "secret": secret,
        "refusals": invitation_refusals(found, now=timezone.now()),
        "roles": [Role(role).label for role in found.roles],
        "mine": user is not None and same_mailbox(user.email, found.email),
        "has_account": has_account(found.email),
        "form": form,
    }


def _new_person(data: dict[str, Any]) -> NewPerson:
    return NewPerson(
        email=data["email"],
        name=data["name"],
        phone=data["phone"],
        password=data["password1"],
        language=get_language() or "zh-hans",
    )


def _sign_in(request: HttpRequest, user: User) -> None:
    """As after the sign-in page, with its signals; a new account has no second factor to ask for."""
    perform_login(request, user, email_verification="none", signup=True)


def _initial(found: Registration) -> dict[str, Any]:
    organisation = found.organisation
    initial = {name: getattr(organisation, name) for name in EnterpriseForm.base_fields}
    return {**initial, "uscc": organisation.uscc or found.uscc}
