"""The rules of a layer for those who run it: in words, as a form of the usual ones, and as a file for experts."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import NotFound, invalid
from backend.core.fields import checked
from backend.core.text import whole_number
from booking.actions.policies import save_rules
from booking.models import Layer, Policy
from booking.policy_forms import PolicyFileForm, RulesForm
from booking.queries.holders import Holder, get_holder
from booking.queries.policy import liftable, policy_in_force, told, versions, wider_policies
from booking.rules.presets import apply_presets, fits_the_form, read_presets

EMPTY: dict[str, Any] = {"rules": []}
# The addresses of each layer's page, its file, and where a file is sent.
NAMES = {
    Layer.NETWORK: ("network_rules", "network_rules_file", "upload_network_rules"),
    Layer.INSTITUTION: ("institution_rules", "institution_rules_file", "institution_upload"),
    Layer.GROUP: ("group_rules", "group_rules_file", "upload_group_rules"),
    Layer.INSTRUMENT: ("rules", "rules_file", "upload_rules"),
}


@page
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """Answers to the usual questions make a new version; rules that no question asks for are kept."""
    holder = get_holder(access(request), layer, pk)
    policy, wider = policy_in_force(holder), wider_policies(holder)
    document = policy.document if policy else EMPTY
    fits = fits_the_form(document)
    form = RulesForm(
        request.POST or None,
        initial=dataclasses.asdict(read_presets(document)),
        liftable=liftable(wider, document),
        earliest=holder.today if policy else None,
    )
    if request.method == "POST" and fits and form.is_valid():
        saved = save_rules(
            holder=holder,
            document=apply_presets(document, form.answers(form.cleaned_data)),
            by=person(request),
            valid_from=form.cleaned_data["valid_from"],
        )
        messages.success(request, _("Version %(version)s is saved.") % {"version": saved.version})
        return redirect(_addresses(holder)["page_url"])
    context = {
        "form": form,
        "fits": fits,
        "policy": policy,
        "today": holder.today,
        "versions": versions(holder),
        "told": told(holder, wider, policy),
        "inherits": bool(wider),
        "reached": holder.instruments().count() if holder.instrument is None else 0,
        "file_form": PolicyFileForm(),
        **_shown(holder),
    }
    return render(request, "booking/rules.html", context, status=422 if form.errors else 200)


def _addresses(holder: Holder) -> dict[str, str]:
    arguments = [] if holder.layer == Layer.NETWORK else [holder.pk]
    urls = [reverse(f"booking:{name}", args=arguments) for name in NAMES[holder.layer]]
    return dict(zip(("page_url", "file_url", "upload_url"), urls, strict=True))


def _shown(holder: Holder) -> dict[str, Any]:
    return {
        "holder": holder,
        "layer": holder.layer.name.lower(),
        "instrument": holder.instrument,
        "group": holder.group,
        "owner": holder.owner,
        **_addresses(holder),
    }


@page
@require_GET
def rules_file(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """The document of the version in force, or of ``?version=``, to edit or to carry elsewhere."""
    holder = get_holder(access(request), layer, pk)
    policy = _chosen(holder, request.GET.get("version", ""))
    text = json.dumps(policy.document if policy else EMPTY, ensure_ascii=False, indent=1)
    response = HttpResponse(text, content_type="application/json")
    name = f"rules-{holder.pk}" if holder.instrument else f"rules-{holder.layer.name.lower()}-{holder.pk}"
    response["Content-Disposition"] = f'attachment; filename="{name}.json"'
    return response


def _chosen(holder: Holder, version: str) -> Policy | None:
    if not version:
        return policy_in_force(holder)
    found = holder.policies().filter(version=whole_number(version, digits=8) or 0).first()
    if found is None:
        raise NotFound
    return found


@page
@require_POST
def upload_rules(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """A document as a file becomes a new version; every problem in it is named and nothing changes."""
    holder = get_holder(access(request), layer, pk)
    document = checked(PolicyFileForm(request.POST, request.FILES))["file"]
    if not isinstance(document, dict):
        raise invalid("file", _("The file must hold one JSON object with “rules”."))
    saved = save_rules(holder=holder, document=document, by=person(request))
    messages.success(request, _("Version %(version)s is saved.") % {"version": saved.version})
    return redirect(_addresses(holder)["page_url"])
