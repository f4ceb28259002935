"""The components of the pages; `docs/frontend.md` shows each with an example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_skeleton
from django import template
from django.core.paginator import Page
from django.forms import BoundField, Form, Widget, widgets
from django.http import HttpRequest, QueryDict
from django.template.context import RequestContext
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext, to_locale

from backend.core.money import round_half_up, shown_amount
from backend.core.periods import to_utc

register = template.Library()

# What a stored state means to the eye. A state that is not named here is grey, so a new one is never wrong.
TONES: dict[str, str] = {
    state: tone
    for tone, states in {
        "good": "active approved confirmed paid verified completed passed normal accepted delivered redeemed "
        "invoiced sent",
        "busy": "in_use open issued final received testing scheduled",
        "wait": "pending requested waiting draft submitted recorded reserved offered expiring occasional",
        "bad": "rejected refused overdue no_show displaced disputed suspended frequent repair parked late missing",
    }.items()
    for state in states.split()
}


# --- words and numbers ---------------------------------------------------------------------------------------------


@register.simple_tag(name="icon")
def draw_icon(name: str, label: str = "", **attrs: Any) -> SafeString:
    """An icon of the sprite. Without ``label`` it is decoration and hidden from screen readers."""
    css = f"icon {attrs.get('class', '')}".strip()
    link = f"{static('vendor/icons.svg')}#{name}"
    if label:
        return format_html('<svg class="{}" role="img" aria-label="{}"><use href="{}"/></svg>', css, label, link)
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>', css, link)


@register.simple_tag
def badge(text: Any, tone: str = "off", title: str = "") -> SafeString:
    """A dot and a word; ``tone``: good, busy, wait, bad, off."""
    return format_html('<span class="status status-{}"{}>{}</span>', tone, _title(title), text)


@register.simple_tag
def status(thing: Any, field: str = "status", tone: str = "", title: str = "") -> SafeString:
    """The state of an object, in the words of its choices."""
    value = str(getattr(thing, field))
    word = getattr(thing, f"get_{field}_display", lambda: value)()
    return badge(word, tone or TONES.get(value, "off"), title)


@register.filter
def tone(value: Any) -> str:
    return TONES.get(str(value), "off")


@register.simple_tag
def money(
    amount: Decimal | int | str | None, currency: str = "CNY", unit: str = "", least: bool = False, short: bool = False
) -> SafeString:
    """``¥1,200.00``. ``unit`` adds "/hour", ``least`` "from", ``short`` drops ``.00``."""
    if amount is None or amount == "":
        return format_html('<span class="money text-secondary">{}</span>', "—")
    text = shown_amount(Decimal(amount), currency, short=short)
    if unit:
        text = gettext("%(amount)s/%(unit)s") % {"amount": text, "unit": unit}
    if least:
        text = gettext("from %(price)s") % {"price": text}
    return format_html('<span class="money">{}</span>', text)


@register.filter(name="amount")
def plain_amount(value: Decimal | str, currency: str = "CNY") -> str:
    """The same without markup, for messages: ``¥1,200.00``; nothing where there is none."""
    return shown_amount(Decimal(value), currency) if value else ""


@register.filter
def percent(value: Decimal | float | Fraction | None, places: int = 0) -> str:
    """0.425 → 43%."""
    if value is None:
        return "—"
    exact = Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    return f"{round_half_up(exact * 100, places)}%"


# --- times ---------------------------------------------------------------------------------------------------------


@register.simple_tag
def period(
    start: datetime, end: datetime, zone: str | ZoneInfo | None = None, length: bool = True, inside: bool = False
) -> SafeString:
    """``明天 09:00–12:00，3 小时``; exact on hover. ``zone`` is the instrument's, else the reader's.

    ``inside`` a sentence it begins with a small letter.
    """
    tz = _zone(zone)
    begins, ends = start.astimezone(tz), end.astimezone(tz)
    until = _clock_until(begins, ends)
    if until:
        words = f"{_day_words(begins.date(), tz, inside)} {begins:%H:%M}–{until}"
    else:
        first, last = _day_words(begins.date(), tz, inside), _day_words(ends.date(), tz, inside)
        words = f"{first} {begins:%H:%M} – {last} {ends:%H:%M}"
    if length:
        words = gettext("%(period)s, %(duration)s") % {
            "period": words,
            "duration": _length(to_utc(end) - to_utc(start)),
        }
    exact = f"{begins:%Y-%m-%d %H:%M} – {ends:%Y-%m-%d %H:%M} ({_zone_words(begins, tz)})"
    return _time(begins, words + _foreign(begins, tz), exact)


@register.simple_tag
def moment(at: datetime | None, zone: str | ZoneInfo | None = None, inside: bool = False) -> SafeString | str:
    """``明天 12:00``; exact on hover. ``inside`` a sentence it begins with a small letter."""
    if at is None:
        return "—"
    tz = _zone(zone)
    local = at.astimezone(tz)
    words = f"{_day_words(local.date(), tz, inside)} {local:%H:%M}{_foreign(local, tz)}"
    return _time(local, words, f"{local:%Y-%m-%d %H:%M} ({_zone_words(local, tz)})")


@register.simple_tag
def ago(at: datetime | None) -> SafeString | str:
    """``3 分钟前`` or ``2 小时后`` within a day, else like `moment`."""
    if at is None:
        return "—"
    away = timezone.now() - at
    if abs(away) >= timedelta(days=1):
        return moment(at)
    local = at.astimezone(timezone.get_current_timezone())
    exact = f"{local:%Y-%m-%d %H:%M} ({_zone_words(local, timezone.get_current_timezone())})"
    if abs(away) < timedelta(minutes=1):
        return _time(local, gettext("just now"), exact)
    said = gettext("%(duration)s ago") if away > timedelta() else gettext("in %(duration)s")
    whole = abs(away) - abs(away) % (timedelta(hours=1) if abs(away) >= timedelta(hours=1) else timedelta(minutes=1))
    return _time(local, said % {"duration": _length(whole)}, exact)


@register.filter
def day(value: date | datetime | None, zone: str | ZoneInfo | None = None) -> str:
    """``今天``, ``明天``, ``3月5日周四``."""
    if value is None:
        return "—"
    tz = _zone(zone)
    return _day_words(value.astimezone(tz).date() if isinstance(value, datetime) else value, tz)


@register.filter
def duration(value: timedelta | Decimal | Fraction | float | None) -> str:
    """``3 小时``, ``1.5 小时``, ``45 分钟``; a bare number means hours."""
    if value is None:
        return "—"
    return _length(value if isinstance(value, timedelta) else timedelta(hours=float(value)))


def _zone(zone: str | ZoneInfo | None) -> Any:
    if not zone:
        return timezone.get_current_timezone()
    return ZoneInfo(zone) if isinstance(zone, str) else zone


def _clock_until(begins: datetime, ends: datetime) -> str:
    """The end as a clock time of the first day, ``24:00`` for its midnight; empty if it is another day."""
    if begins.date() == ends.date():
        return f"{ends:%H:%M}"
    midnight = ends.hour == ends.minute == 0 and ends.date() - begins.date() == timedelta(days=1)
    return "24:00" if midnight else ""


def _day_words(value: date, tz: Any, inside: bool = False) -> str:
    today = timezone.now().astimezone(tz).date()
    near = {-1: gettext("Yesterday"), 0: gettext("Today"), 1: gettext("Tomorrow")}
    if word := near.get((value - today).days):
        return word.lower() if inside else word
    return _calendar_day(value, value.year == today.year, get_language() or "en")


@lru_cache(maxsize=2000)
def _calendar_day(value: date, this_year: bool, language: str) -> str:
    locale = Locale.parse(to_locale(language))
    return format_skeleton("MMMEd" if this_year else "yMMMEd", value, locale=locale)


def _length(value: timedelta) -> str:
    minutes = round(value.total_seconds() / 60)
    if minutes < 60:
        return ngettext("%(number)s minute", "%(number)s minutes", minutes) % {"number": minutes}
    if minutes >= 2880 and minutes % 1440 == 0:
        days = minutes // 1440
        return ngettext("%(number)s day", "%(number)s days", days) % {"number": days}
    if minutes % 30 == 0:
        hours = f"{minutes / 60:g}"
        return ngettext("%(number)s hour", "%(number)s hours", 1 if minutes == 60 else 2) % {"number": hours}
    return gettext("%(hours)s h %(minutes)s min") % {"hours": minutes // 60, "minutes": minutes % 60}


def _zone_words(at: datetime, tz: Any) -> str:
    offset = at.strftime("%z")
    return f"{tz}, UTC{offset[:3]}:{offset[3:5]}"


def _foreign(at: datetime, tz: Any) -> str:
    """The zone's name where its clock differs from the reader's, so that nobody comes an hour late."""
    same = at.utcoffset() == at.astimezone(timezone.get_current_timezone()).utcoffset()
    return "" if same else f" ({tz})"


def _time(at: datetime, words: str, exact: str) -> SafeString:
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(timespec="minutes"), exact, words)


def _title(title: str) -> SafeString | str:
    return format_html(' title="{}"', title) if title else ""


# --- navigation ----------------------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def nav_link(
    context: RequestContext, name: str, label: str, icon: str = "", css: str = "nav-link", *args: Any
) -> SafeString | str:
    """A link to a named page, marked when it is the current one; nothing if there is no such page.

    A page that belongs under another entry than its address says names that in ``nav`` of its context.
    """
    try:
        url = reverse(name, args=args)
    except NoReverseMatch:
        return ""
    request: HttpRequest | None = context.get("request")
    path = request.path if request else ""
    belongs = path == url or (url != "/" and path.startswith(url))
    current = context["nav"] == name if "nav" in context else belongs
    return format_html(
        '<a class="{}{}" href="{}"{}>{}<span>{}</span></a>',
        css,
        " active" if current else "",
        url,
        SafeString(' aria-current="page"') if current else "",
        draw_icon(icon) if icon else "",
        label,
    )


@register.simple_block_tag(takes_context=True)
def page_header(
    context: RequestContext, content: SafeString, title: str, subtitle: str = "", back: str = "", back_label: str = ""
) -> SafeString:
    """The title of the page; between the tags stands its one primary action."""
    values = {"title": title, "subtitle": subtitle, "back": back, "back_label": back_label, "actions": content}
    return render_to_string("_page_header.html", values)


@register.inclusion_tag("_pagination.html", takes_context=True)
def pagination(context: RequestContext, page: Page[Any], name: str = "page") -> dict[str, Any]:
    """Links to the other pages; filters and sort in the address are kept."""
    query = _query(context)

    def link(number: int) -> str:
        return _with(query, {name: [str(number)] if number > 1 else []})

    numbers = [
        {"number": n, "url": link(n) if isinstance(n, int) else "", "current": n == page.number}
        for n in page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)
    ]
    before = link(page.previous_page_number()) if page.has_previous() else ""
    after = link(page.next_page_number()) if page.has_next() else ""
    return {"page": page, "numbers": numbers, "before": before, "after": after, "count": page.paginator.count}


@register.inclusion_tag("_facet.html", takes_context=True)
def facet(
    context: RequestContext, title: str, name: str, options: Iterable[Sequence[Any]], single: bool = False
) -> dict[str, Any]:
    """One group of filters; ``options`` are (value, label) or (value, label, count). Each is a link that toggles it."""
    query = _query(context)
    chosen = query.getlist(name)
    out = []
    for value, label, *count in options:
        value = str(value)
        on = value in chosen
        rest = [] if single else [one for one in chosen if one != value]
        url = _with(query, {name: rest if on else [*rest, value], "page": []})
        out.append({"label": label, "count": count[0] if count else None, "url": url, "on": on})
    clear = _with(query, {name: [], "page": []}) if chosen else ""
    return {"title": title, "options": out, "clear": clear, "name": name}


@register.inclusion_tag("_sort.html", takes_context=True)
def sort(context: RequestContext, value: str, label: str, name: str = "sort") -> dict[str, Any]:
    """A column's head that sorts by ``value``, and by ``-value`` when chosen again."""
    query = _query(context)
    now = query.get(name, "")
    direction = {value: "ascending", f"-{value}": "descending"}.get(now, "")
    chosen = f"-{value}" if now == value else value
    return {"label": label, "direction": direction, "url": _with(query, {name: [chosen], "page": []})}


@register.simple_tag(takes_context=True)
def hidden_query(context: RequestContext, *without: str) -> SafeString:
    """The address's filters as hidden fields, for a form that adds one; ``page`` and those named are left out."""
    query = _query(context)
    pairs = [(key, value) for key, values in query.lists() if key not in {"page", *without} for value in values]
    out = SafeString()
    for key, value in pairs:
        out += format_html('<input type="hidden" name="{}" value="{}">', key, value)
    return out


def _query(context: RequestContext) -> QueryDict:
    request: HttpRequest | None = context.get("request")
    return request.GET if request else QueryDict()


def _with(query: QueryDict, changes: Mapping[str, list[str]]) -> str:
    """The query string with some parameters replaced; an empty list removes one."""
    changed = query.copy()
    for name, values in changes.items():
        changed.setlist(name, values)
        if not values:
            changed.pop(name, None)
    return f"?{changed.urlencode()}"


# --- blocks --------------------------------------------------------------------------------------------------------


@register.inclusion_tag("_empty.html")
def empty(title: str, text: str = "", url: str = "", action: str = "", icon: str = "mood-empty") -> dict[str, Any]:
    """What a list says when nothing is in it, and what to do next."""
    return {"title": title, "text": text, "url": url, "action": action, "icon": icon}


@register.inclusion_tag("_stats.html")
def stats(figures: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of figures: dicts with ``label``, ``value`` and, if wanted, ``unit``, ``url``, ``tone``, ``hint``."""
    return {"figures": list(figures)}


@register.inclusion_tag("_timeline.html")
def timeline(entries: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What happened: dicts with ``at``, ``text`` and, if wanted, ``by``, ``detail``, ``tone``, ``url``."""
    return {"entries": list(entries)}


@register.simple_tag
def organisation(one: Any) -> str:
    """An organisation's name in the reader's language."""
    return str(one.label(get_language() or "")) if one else ""


@register.filter
def undo_url(message: Any) -> str:
    """The address behind a toast's undo button, from ``extra_tags="undo=/…"``."""
    tags = (message.extra_tags or "").split()
    return next((tag.removeprefix("undo=") for tag in tags if tag.startswith("undo=/")), "")


@register.simple_tag
def avatar(person: Any) -> SafeString:
    """The last sign of a Chinese name, the initials of any other."""
    name = str(person).strip()
    latin = name.isascii()
    sign = "".join(word[0] for word in name.split()[:2]).upper() if latin else name[-1:]
    return format_html('<span class="avatar avatar-sm rounded-circle" aria-hidden="true">{}</span>', sign or "?")


# --- forms ---------------------------------------------------------------------------------------------------------

_CHOICES = (widgets.RadioSelect, widgets.CheckboxSelectMultiple)


@register.inclusion_tag("_field.html")
def field(bound: BoundField, label: str = "", help: str = "", **attrs: Any) -> dict[str, Any]:  # noqa: A002
    """A form field with label, help and errors, joined for screen readers. More names become attributes."""
    widget = bound.field.widget
    many = isinstance(widget, _CHOICES)
    check = isinstance(widget, widgets.CheckboxInput)
    out = {key.replace("_", "-"): value for key, value in attrs.items()}
    out["class"] = " ".join(filter(None, [_css(widget), widget.attrs.get("class"), out.get("class")]))
    if bound.errors:
        out["class"] += " is-invalid"
        out["aria-invalid"] = "true"
    if str(widget.attrs.get("placeholder", "")) == str(bound.label):
        out.setdefault("placeholder", "")  # it would only say the label again
    text = help or bound.help_text
    notes = [f"{bound.auto_id}_help"] if text else []
    notes += [f"{bound.auto_id}_error"] if bound.errors else []
    if notes:
        out["aria-describedby"] = " ".join(notes)
    if many:
        widget.attrs["class"] = "form-check-input"
    kind = "choices" if many else "check" if check else "hidden" if widget.is_hidden else "plain"
    return {
        "field": bound,
        "kind": kind,
        "label": label or bound.label,
        "help": text,
        "widget": bound.as_widget(attrs=out) if not many else "",
        "optional": not bound.field.required and not check,
        "described": " ".join(notes),
    }


@register.inclusion_tag("_fields.html")
def fields(form: Form) -> dict[str, Any]:
    """All visible fields of a form, and before them the errors of the whole."""
    return {"form": form}


def _css(widget: Widget) -> str:
    if isinstance(widget, widgets.CheckboxInput):
        return "form-check-input"
    if isinstance(widget, widgets.Select):
        return "form-select"
    return "form-control"
