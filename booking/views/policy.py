"""The rules of a layer for those who run it: as cards in words, as a form of the usual ones, and as a file."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import NotFound, invalid
from backend.core.fields import checked
from backend.core.text import whole_number
from booking.actions.policies import save_rules
from booking.models import Layer, Policy
from booking.policy_forms.kinds import ABOUT
from booking.policy_forms.starting import StartingForm, starting_forms
from booking.policy_forms.usual import PolicyFileForm, RulesForm, SaveForm
from booking.queries.holders import Holder, get_holder
from booking.queries.policy import cards, differences, leftovers, liftable, policy_in_force, versions, wider_policies
from booking.rules.presets import apply_presets, fits_the_form, read_presets
from booking.views.policy_draft import EMPTY, Desk, addresses, drop, open_desk, other_language, shown
from booking.views.policy_try import trial


@page
@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """Answers to the usual questions make a new version; rules that no question asks for are kept."""
    holder = get_holder(access(request), layer, pk)
    desk, wider = open_desk(request, holder), wider_policies(holder)
    form = RulesForm(
        request.POST or None,
        initial=dataclasses.asdict(read_presets(desk.document)),
        liftable=liftable(wider, desk.document),
        earliest=holder.today if desk.policy else None,
    )
    if request.method == "POST" and fits_the_form(desk.document) and form.is_valid():
        saved = save_rules(
            holder=holder,
            document=apply_presets(desk.document, form.answers(form.cleaned_data)),
            by=person(request),
            valid_from=form.cleaned_data["valid_from"],
            base=desk.base,
        )
        drop(request, holder)
        messages.success(request, _("Version %(version)s is saved.") % {"version": saved.version})
        return redirect(addresses(holder)["page_url"])
    return rules_page(request, desk, wider, form)


def rules_page(
    request: HttpRequest,
    desk: Desk,
    wider: list[Policy],
    form: RulesForm,
    *,
    starting: StartingForm | None = None,
) -> HttpResponse:
    """``starting`` is the card that was sent with something wrong in it."""
    holder, policy = desk.holder, desk.policy
    context: dict[str, Any] = {
        "form": form,
        "fits": fits_the_form(desk.document),
        "policy": policy,
        "today": holder.today,
        "versions": versions(holder),
        "cards": cards(holder, wider, desk.document, other_language()),
        "leftovers": leftovers(wider, desk.document),
        "last_place": len(desk.document.get("rules", [])) - 1,
        "windows": desk.document.get("windows", {}),
        "other_language": other_language(),
        "inherits": bool(wider),
        "reached": holder.instruments().count() if holder.instrument is None else 0,
        "file_form": PolicyFileForm(),
        "kinds": [(kind, *about) for kind, about in ABOUT.items()],
        "starters": [starting if starting and each.code == starting.code else each for each in starting_forms()],
        "started": starting.code if starting else "",
        **trial(request, holder),
        **shown(holder),
    }
    if desk.changed:
        gone, come = differences(holder, policy.document if policy else EMPTY, desk.document)
        context |= {
            "changed": True,
            "gone": gone,
            "come": come,
            "save_form": SaveForm(holder.today if policy else None),
        }
    wrong = bool(form.errors) or starting is not None
    return render(request, "booking/rules.html", context, status=422 if wrong else 200)


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
    drop(request, holder)
    messages.success(request, _("Version %(version)s is saved.") % {"version": saved.version})
    return redirect(addresses(holder)["page_url"])
