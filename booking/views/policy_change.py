"""Changing a layer's rules card by card: everything goes to a draft, and the draft becomes one version."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import Invalid, NotFound, Stale, invalid
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions.policies import save_rules
from booking.models import Layer
from booking.policy_forms.editor import Editor, calendar_of, editable, opened, sent
from booking.policy_forms.kinds import ABOUT, START
from booking.policy_forms.starting import FORMS, started
from booking.policy_forms.usual import RulesForm, SaveForm
from booking.queries.holders import Holder, get_holder
from booking.queries.policy import liftable, wider_policies
from booking.rules.explaining import explain as explained
from booking.rules.layers import parse_policy
from booking.rules.origins import named
from booking.rules.presets import read_presets
from booking.rules.sentences import describe
from booking.views.policy import rules_page
from booking.views.policy_draft import Desk, addresses, drop, keep, open_desk, other_language, shown
from booking.views.policy_try import trial


@page
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """One rule on a form (``?rule=3``, ``?new=quota``, ``?from=id`` of a wider layer), or the ``?calendar=1``."""
    holder = get_holder(access(request), layer, pk)
    desk = open_desk(request, holder)
    if request.method == "GET":
        return _edit_page(request, desk, _asked(request, desk))
    editor = sent(desk.document, request.POST)
    do = request.POST.get("do", "")
    if do == "look":
        return render(request, "booking/_rule_says.html", {"editor": editor, **_says(editor)})
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


def _asked(request: HttpRequest, desk: Desk) -> Editor:
    rules = desk.document.get("rules", [])
    if "calendar" in request.GET:
        return opened(desk.document, 0, calendar_of(desk.document), "calendar")
    if "new" in request.GET:
        kind = request.GET["new"]
        if kind not in ABOUT:
            raise NotFound
        return opened(desk.document, len(rules), {"kind": kind, **copy.deepcopy(START[kind])}, kind)
    if "from" in request.GET:
        found = next(
            (named(row.document)[request.GET["from"]] for row in reversed(wider_policies(desk.holder))
             if request.GET["from"] in named(row.document)), None
        )  # fmt: skip
        if found is None or not editable(found):
            raise NotFound
        return opened(desk.document, len(rules), dict(found), found["kind"])
    place = whole_number(request.GET.get("rule", ""), digits=4)
    if place is None or not 0 <= place < len(rules) or not editable(rules[place]):
        raise NotFound
    return opened(desk.document, place, rules[place], rules[place]["kind"])


def _edit_page(request: HttpRequest, desk: Desk, editor: Editor, *, failed: bool = False) -> HttpResponse:
    sections = editor.draw()
    context: dict[str, Any] = {
        "editor": editor,
        "sections": sections,
        "failed": failed,
        "left": editor.sheet.left,
        "holder_name": _name(desk.holder),
        **_says(editor),
        **trial(request, desk.holder),
        **shown(desk.holder),
    }
    template = "booking/_rule_form.html" if request.headers.get("HX-Request") else "booking/rule.html"
    return render(request, template, context, status=422 if failed else 200)


def _name(holder: Holder) -> str:
    named = holder.instrument or (holder.owner if holder.group is None else None)
    return named.label(get_language() or "") if named else str(holder.group)


def _says(editor: Editor) -> dict[str, Any]:
    """The sentence of the rule in both languages, or why there is none."""
    if editor.kind == "calendar":
        return {"says": []}
    try:
        policy = parse_policy({**editor.document, "rules": [editor.rule]})
    except Invalid:
        return {"says": []}
    says = []
    for language in (get_language() or "en", other_language()):
        with translation.override(language):
            says += [(language, sentence) for _id, sentence in describe(policy)]
    return {"says": says}


@page
@require_POST
def change(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """``do``: delete, copy, up or down with the place of a rule; off or restore with an id; save; discard."""
    holder = get_holder(access(request), layer, pk)
    desk = open_desk(request, holder)
    do, _sign, what = request.POST.get("do", "").partition("|")
    if do == "save":
        return _save(request, desk)
    if do == "discard":
        drop(request, holder)
        messages.success(request, _("The changes are discarded."))
    elif do in ("off", "restore"):
        _switch(request, desk, do, what)
    else:
        _arrange(request, desk, do, what)
    return go(request, addresses(holder)["page_url"])


def _save(request: HttpRequest, desk: Desk) -> HttpResponse:
    form = checked(SaveForm(desk.holder.today if desk.policy else None, request.POST))
    saved = save_rules(
        holder=desk.holder, document=desk.document, by=person(request), valid_from=form["valid_from"], base=desk.base
    )
    drop(request, desk.holder)
    messages.success(request, _("Version %(version)s is saved.") % {"version": saved.version})
    return go(request, addresses(desk.holder)["page_url"])


def _switch(request: HttpRequest, desk: Desk, do: str, identity: str) -> None:
    """A wider layer's rule is switched off here, or holds again, without this layer's own in its place."""
    above = {name for row in wider_policies(desk.holder) for name in named(row.document)}
    mine = named(desk.document)
    if identity not in (above if do == "off" else mine):
        raise NotFound
    kept = [rule for rule in desk.document.get("rules", []) if rule is not mine.get(identity)]
    gone = [{"id": identity, "off": True}] if do == "off" else []
    keep(request, desk, {**desk.document, "rules": [*kept, *gone]})


def _arrange(request: HttpRequest, desk: Desk, do: str, what: str) -> None:
    rules = list(desk.document.get("rules", []))
    place = whole_number(what, digits=4)
    if do not in ("delete", "copy", "up", "down") or place is None or place >= len(rules):
        raise invalid("do", _("This rule is not there any more. Please load the page again."), "stale")
    rule = rules.pop(place)
    if do == "copy":
        twin = {key: value for key, value in rule.items() if key != "id"}
        rules[place:place] = [rule, twin]
    elif do != "delete":
        rules.insert(max(0, place - 1) if do == "up" else place + 1, rule)
    keep(request, desk, {**desk.document, "rules": rules})


@page
@require_POST
def start(request: HttpRequest, pk: int = 0, layer: Layer = Layer.INSTRUMENT) -> HttpResponse:
    """One of the ten usual rules, from the answers on its card, goes to the draft."""
    holder = get_holder(access(request), layer, pk)
    desk = open_desk(request, holder)
    kind = FORMS.get(request.POST.get("starter", ""))
    if kind is None:
        raise invalid("starter", _("Choose one of the cards."), "unknown")
    form = kind(request.POST, prefix=kind.code)
    draft = started(desk.document, form)
    if draft is not None:
        keep(request, desk, draft)
        return go(request, addresses(holder)["page_url"])
    wider = wider_policies(holder)
    usual = RulesForm(
        None, initial=dataclasses.asdict(read_presets(desk.document)), liftable=liftable(wider, desk.document)
    )
    return rules_page(request, desk, wider, usual, starting=form)


@page
@require_GET
def explain(request: HttpRequest) -> HttpResponse:
    """What a moment, a span, a window or a period means, while it is typed; ``?kind=moment``."""
    text = next((str(value) for key, value in request.GET.items() if key != "kind"), "")
    sentence, right = explained(request.GET.get("kind", ""), text)
    return render(request, "booking/_explained.html", {"sentence": sentence, "right": right})
