"""The rules of an instrument for its managers: in words, as a form of the usual ones, and as a file for experts."""

from __future__ import annotations

import dataclasses
import json

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import invalid
from booking.actions.policies import save_policy
from booking.forms import PolicyFileForm, RulesForm, checked
from booking.queries.policy import policy_in_force, sentences, versions
from booking.rules.presets import PRESETS, Answers, apply_presets, read_presets
from instruments.queries.rights import get_managed_instrument


@page
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest, pk: int) -> HttpResponse:
    """Answers to the usual questions make a new version; rules that no question asks for are kept."""
    instrument = get_managed_instrument(access(request), pk)
    policy = policy_in_force(instrument)
    document = policy.document if policy else {"rules": []}
    form = RulesForm(request.POST or None, initial=dataclasses.asdict(read_presets(document)))
    if request.method == "POST" and form.is_valid():
        answers = dict(form.cleaned_data)
        valid_from = answers.pop("valid_from")
        saved = save_policy(
            instrument=instrument,
            document=apply_presets(document, Answers(**answers)),
            by=person(request),
            valid_from=valid_from,
        )
        messages.success(request, _("Version %(version)s is saved.") % {"version": saved.version})
        return redirect("booking:rules", pk)
    context = {
        "instrument": instrument,
        "form": form,
        "policy": policy,
        "versions": versions(instrument),
        "sentences": [(name not in PRESETS, sentence) for name, sentence in sentences(instrument)],
        "file_form": PolicyFileForm(),
    }
    return render(request, "booking/rules.html", context, status=422 if form.errors else 200)


@page
@require_GET
def rules_file(request: HttpRequest, pk: int) -> HttpResponse:
    """The document of the version in force, to edit or to carry to another instrument."""
    instrument = get_managed_instrument(access(request), pk)
    policy = policy_in_force(instrument)
    text = json.dumps(policy.document if policy else {"rules": []}, ensure_ascii=False, indent=1)
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="rules-{instrument.pk}.json"'
    return response


@page
@require_POST
def upload_rules(request: HttpRequest, pk: int) -> HttpResponse:
    """A document as a file becomes a new version; every problem in it is named and nothing changes."""
    instrument = get_managed_instrument(access(request), pk)
    form = PolicyFileForm(request.POST, request.FILES)
    document = checked(form)["file"]
    if not isinstance(document, dict):
        raise invalid("file", _("The file must hold one JSON object with “rules”."))
    saved = save_policy(instrument=instrument, document=document, by=person(request))
    messages.success(request, _("Version %(version)s is saved.") % {"version": saved.version})
    return redirect("booking:rules", pk)
