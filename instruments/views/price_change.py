"""Changing a price list card by card: everything goes to a draft, and the draft becomes one version."""

from __future__ import annotations

import copy
import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.auth import access, page
from backend.core.errors import Invalid, NotFound, Stale, invalid
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from instruments.forms.prices import SaveVersionForm
from instruments.price_forms.editor import (
    PriceEditor,
    editable,
    fresh_code,
    new_rule,
    opened_part,
    opened_rule,
    sent,
)
from instruments.price_forms.kinds import ABOUT, FRESH, HOMES, START, part_of
from instruments.price_forms.starting import FORMS, started
from instruments.pricing.checks import check_price_list
from instruments.pricing.model import PriceList
from instruments.pricing.reading import parse_price_list
from instruments.pricing.sentences import describe, describe_bands, describe_quantities, describe_tables
from instruments.queries.detail import price_labels
from instruments.queries.price_holders import Kind, get_price_holder
from instruments.views.price_draft import PriceDesk, addresses, drop, keep, open_desk, other_language, shown_holder
from instruments.views.price_try import trial
from instruments.views.prices import prices_page, save_version


@page
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int, kind: Kind = "instrument") -> HttpResponse:
    """A rule (``?rule=3``, ``?new=price``), ``?band=``, ``?quantity=`` or ``?table=`` by name, or the ``?head=1``."""
    holder = get_price_holder(access(request), kind, pk)
    desk = open_desk(request, holder)
    if request.method == "GET":
        return _edit_page(request, desk, _asked(request, desk))
    editor = sent(desk.document, request.POST)
    do = request.POST.get("do", "")
    if do == "look":
        return render(request, "instruments/_price_says.html", {"editor": editor, **_says(editor)})
    if do == "done":
        if not editor.is_current:
            raise Stale
        if editor.check():
            keep(request, desk, editor.written)
            return go(request, addresses(holder)["page_url"])
        return _edit_page(request, desk, editor, failed=True)
    editor.sheet.problems.clear()  # what is not filled in yet is no mistake while rows are added
    editor.work(do)
    return _edit_page(request, desk, editor)


def _asked(request: HttpRequest, desk: PriceDesk) -> PriceEditor:
    rules = desk.document.get("rules", [])
    if "new" in request.GET:
        kind = request.GET["new"]
        if kind in ABOUT:
            return new_rule(desk.document, copy.deepcopy(START[kind]))
        if kind in HOMES:
            return opened_part(desk.document, kind, "", copy.deepcopy(FRESH[kind]))
        raise NotFound
    if "head" in request.GET:
        return opened_part(desk.document, "head", "", part_of(desk.document, "head", ""))
    for part, home in HOMES.items():
        if part in request.GET:
            name = request.GET[part]
            if name not in desk.document.get(home, {}):
                raise NotFound
            return opened_part(desk.document, part, name, part_of(desk.document, part, name))
    place = whole_number(request.GET.get("rule", ""), digits=4)
    if place is None or not 0 <= place < len(rules) or not editable(rules[place]):
        raise NotFound
    return opened_rule(desk.document, place, rules[place])


def _edit_page(request: HttpRequest, desk: PriceDesk, editor: PriceEditor, *, failed: bool = False) -> HttpResponse:
    sections = editor.draw()
    context: dict[str, Any] = {
        "editor": editor,
        "sections": sections,
        "failed": failed,
        "left": editor.sheet.left,
        **_says(editor),
        **shown_holder(desk.holder),
    }
    partial = bool(request.headers.get("HX-Request"))
    if not partial:
        context |= trial(request, desk)
    template = "instruments/_price_form.html" if partial else "instruments/price_edit.html"
    return render(request, template, context, status=422 if failed else 200)


def _says(editor: PriceEditor) -> dict[str, Any]:
    """The sentence in both languages and what would speak against saving it; nothing while it cannot be read."""
    try:
        price_list = parse_price_list(editor.written)
    except Invalid:
        return {"says": [], "remarks": []}
    says = []
    for language in (get_language() or "en", other_language()):
        with translation.override(language):
            says += [(language, text) for text in _sentences(editor, price_list)]
    code = editor.value.get("code")
    remarks = [each for each in check_price_list(price_list) if code and each.params.get("rule") == code]
    return {"says": says, "remarks": remarks}


def _sentences(editor: PriceEditor, price_list: PriceList) -> list[str]:
    labels = price_labels()
    if editor.part == "rule":
        return [text for _code, text in describe(price_list, labels)[editor.place : editor.place + 1]]
    told = {"band": describe_bands(price_list), "quantity": describe_quantities(price_list, labels),
            "table": describe_tables(price_list, labels)}.get(editor.part, [])  # fmt: skip
    return [text for name, text in told if name == editor.value.get("name")]


@page
@require_POST
def change(request: HttpRequest, pk: int, kind: Kind = "instrument") -> HttpResponse:
    """``do``: delete, copy, up, down or move with the place of a rule; remove with part and name; save; discard."""
    holder = get_price_holder(access(request), kind, pk)
    desk = open_desk(request, holder)
    do, _sign, what = request.POST.get("do", "").partition("|")
    if do == "save":
        form = checked(SaveVersionForm(holder.today if desk.base else None, request.POST))
        return _save(request, desk, form["valid_from"])
    if do == "discard":
        drop(request, holder)
        messages.success(request, _("The changes are discarded."))
    elif do == "remove":
        _remove(request, desk, what)
    else:
        _arrange(request, desk, do, what)
    return go(request, addresses(holder)["page_url"])


def _save(request: HttpRequest, desk: PriceDesk, valid_from: Any) -> HttpResponse:
    """What speaks against it is said at its card, and the draft stays."""
    document = {key: value for key, value in desk.document.items() if key != "valid_from"}
    try:
        return save_version(request, desk.holder, document, valid_from, base=desk.base)
    except Invalid as error:
        return prices_page(request, desk, refusals=list(error.refusals))


def _remove(request: HttpRequest, desk: PriceDesk, what: str) -> None:
    """A band, quantity or table that no rule speaks of any more."""
    part, _sign, name = what.partition("|")
    home = HOMES.get(part, "")
    if name not in desk.document.get(home, {}):
        raise _gone()
    left = {key: each for key, each in desk.document[home].items() if key != name}
    document = {**desk.document, home: left}
    if not left:
        del document[home]
    try:
        before, after = parse_price_list(desk.document), parse_price_list(document)
    except Invalid as error:
        reasons = " ".join(str(each.detail) for each in error.refusals[:3])
        raise invalid("do", _("Rules still speak of it.") + " " + reasons, "in_use") from None
    if describe(before) != describe(after):
        raise invalid("do", _("Rules still speak of it."), "in_use")
    keep(request, desk, document)


def _gone() -> Invalid:
    return invalid("do", _("This rule is not there any more. Please load the page again."), "stale")


def _arrange(request: HttpRequest, desk: PriceDesk, do: str, what: str) -> None:
    rules = list(desk.document.get("rules", []))
    first, _sign, second = what.partition("|")
    place, target = whole_number(first, digits=4), whole_number(second, digits=4)
    if do not in ("delete", "copy", "up", "down", "move") or place is None or not 0 <= place < len(rules):
        raise _gone()
    if do == "move" and (target is None or not 0 <= target < len(rules)):
        raise _gone()
    rule = rules.pop(place)
    if do == "copy":
        twin = {**rule, "code": fresh_code(desk.document, "", str(rule.get("code", "rule")))}
        rules[place:place] = [rule, twin]
    elif do == "move":
        rules.insert(target or 0, rule)
    elif do != "delete":
        rules.insert(max(0, place - 1) if do == "up" else place + 1, rule)
    keep(request, desk, {**desk.document, "rules": rules})


@page
@require_POST
def start(request: HttpRequest, pk: int, kind: Kind = "instrument") -> HttpResponse:
    """One of the usual rules, from the answers on its card, goes to the draft."""
    holder = get_price_holder(access(request), kind, pk)
    desk = open_desk(request, holder)
    chosen = FORMS.get(request.POST.get("starter", ""))
    if chosen is None:
        raise invalid("starter", _("Choose one of the cards."), "unknown")
    form = chosen(request.POST, prefix=chosen.code)
    draft = started(desk.document, form)
    if draft is None:
        return prices_page(request, desk, starting=form)
    keep(request, desk, draft)
    return go(request, addresses(holder)["page_url"])


@page
@require_safe
def draft_file(request: HttpRequest, pk: int, kind: Kind = "instrument") -> HttpResponse:
    """The list as it stands on the page, changes included, as a file."""
    desk = open_desk(request, get_price_holder(access(request), kind, pk))
    text = json.dumps(desk.document, ensure_ascii=False, indent=2)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="prices-{kind}-{pk}-draft.json"'
    return response
