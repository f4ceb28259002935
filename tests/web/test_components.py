"""The tags of the pages: words, times, links and forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django import forms
from django.core.paginator import Paginator
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone, translation

from backend.core.errors import Refusal

NOW = datetime(2026, 3, 4, 2, 0, tzinfo=UTC)  # Wednesday 10:00 in Shanghai


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def draw(source: str, path: str = "/", **context: Any) -> str:
    request = RequestFactory().get(path)
    return Template(source).render(Context({"request": request, **context})).strip()


def words(html: str) -> str:
    return html.split(">", 1)[1].rsplit("</", 1)[0]


def shanghai(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=timezone.get_default_timezone())


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (shanghai(5, 9), shanghai(5, 12), "Tomorrow 09:00–12:00, 3 hours"),
        (shanghai(4, 9), shanghai(4, 9, 45), "Today 09:00–09:45, 45 minutes"),
        (shanghai(9, 9), shanghai(9, 10, 30), "Mon, Mar 9 09:00–10:30, 1.5 hours"),
        (shanghai(9, 9), shanghai(9, 10, 20), "Mon, Mar 9 09:00–10:20, 1 h 20 min"),
        (shanghai(4, 22), shanghai(5, 0), "Today 22:00–24:00, 2 hours"),
        (shanghai(4, 22), shanghai(5, 2), "Today 22:00 – Tomorrow 02:00, 4 hours"),
        (shanghai(3, 0), shanghai(6, 0), "Yesterday 00:00 – Fri, Mar 6 00:00, 3 days"),
    ],
)
def test_period_is_said_as_people_say_it(start: datetime, end: datetime, said: str) -> None:
    assert words(draw("{% period start end %}", start=start, end=end)) == said


def test_period_is_exact_on_hover() -> None:
    html = draw("{% period start end %}", start=shanghai(5, 9), end=shanghai(5, 12))

    assert 'datetime="2026-03-05T09:00+08:00"' in html
    assert 'title="2026-03-05 09:00 – 2026-03-05 12:00 (Asia/Shanghai, UTC+08:00)"' in html


def test_period_in_chinese() -> None:
    with translation.override("zh-hans"):
        html = draw("{% period start end %}", start=shanghai(9, 9), end=shanghai(9, 12))

    assert words(html) == "3月9日周一 09:00–12:00，3\N{NO-BREAK SPACE}小时"


def test_period_names_a_zone_that_is_not_the_readers() -> None:
    html = draw("{% period start end zone='Asia/Tokyo' length=False %}", start=shanghai(5, 9), end=shanghai(5, 12))

    assert words(html) == "Tomorrow 10:00–13:00 (Asia/Tokyo)"


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(minutes=-3), "3 minutes ago"),
        (timedelta(hours=2, minutes=20), "in 2 hours"),
        (timedelta(days=1), "Tomorrow 10:00"),
    ],
)
def test_ago_counts_within_a_day(away: timedelta, said: str) -> None:
    assert words(draw("{% ago at %}", at=NOW + away)) == said


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("{% money 1200 %}", "¥1,200.00"),
        ("{% money amount %}", "−¥0.50"),
        ("{% money 9.005 'USD' %}", "$9.01"),
        ("{% money 5 'CHF' %}", "CHF\N{NO-BREAK SPACE}5.00"),
        ("{% money 180 unit='hour' least=True short=True %}", "from ¥180/hour"),
        ("{% money none %}", "—"),
    ],
)
def test_money(tag: str, said: str) -> None:
    assert words(draw(tag, amount=Decimal("-0.5"), none=None)) == said


def test_an_amount_in_a_message_is_text() -> None:
    assert draw("{{ total|amount:currency }}", total="1040.00", currency="CNY") == "¥1,040.00"
    assert draw("{{ total|amount:currency }}", total="-3.50", currency="CHF") == "−CHF\N{NO-BREAK SPACE}3.50"


def test_percent_rounds_half_up() -> None:
    assert draw("{{ share|percent }} {{ share|percent:1 }} {{ none|percent }}", share=0.425, none=None) == "43% 42.5% —"


def test_status_has_a_dot_and_the_word_of_the_choices() -> None:
    booking = SimpleNamespace(status="approved", get_status_display=lambda: "Approved")

    assert draw("{% status booking %}", booking=booking) == '<span class="status status-good">Approved</span>'


def test_an_unknown_state_is_grey() -> None:
    html = draw("{% status thing 'mood' %}", thing=SimpleNamespace(mood="odd"))

    assert html == '<span class="status status-off">odd</span>'


def test_nav_link_is_nothing_without_a_page() -> None:
    assert draw("{% nav_link 'nowhere:at_all' 'Nowhere' %}") == ""


def test_nav_link_marks_the_current_page() -> None:
    html = draw("{% nav_link 'account_login' 'Sign in' %}", "/account/login/")

    assert html == '<a class="nav-link active" href="/account/login/" aria-current="page"><span>Sign in</span></a>'


def test_a_page_may_say_under_which_entry_it_belongs() -> None:
    link = "{% nav_link 'booking:mine' 'My bookings' %}"

    assert "aria-current" in draw(link, "/bookings/7/")
    assert "aria-current" not in draw(link, "/bookings/7/", nav="booking:desk")
    assert "aria-current" in draw("{% nav_link 'booking:desk' 'Approvals' %}", "/bookings/7/", nav="booking:desk")


def test_pagination_keeps_filters() -> None:
    html = draw("{% pagination page %}", "/?city=a&city=b&page=2", page=Paginator(range(60), 20).page(2))

    assert "60 entries" in html
    assert 'href="?city=a&amp;city=b&amp;page=3"' in html
    assert 'href="?city=a&amp;city=b" rel="prev"' in html


def test_facet_toggles_and_forgets_the_page() -> None:
    html = draw("{% facet 'City' 'city' options %}", "/?city=a&page=3", options=[("a", "Baotou", 4), ("b", "Hohhot")])

    assert 'class="facet-option on" href="?"' in html
    assert 'href="?city=a&amp;city=b"' in html


def test_sort_turns_round() -> None:
    assert 'href="?sort=-start"' in draw("{% sort 'start' 'Start' %}", "/?sort=start&page=2")


def test_hidden_query_keeps_the_rest() -> None:
    html = draw("{% hidden_query 'q' %}", "/?q=x&city=%22&page=2")

    assert html == '<input type="hidden" name="city" value="&quot;">'


def test_page_header_escapes_the_title_and_keeps_the_action() -> None:
    html = draw("{% page_header title %}<a href='/new'>New</a>{% endpage_header %}", title="<b>")

    assert "<h1>&lt;b&gt;</h1>" in html
    assert "<a href='/new'>New</a>" in html


class Sample(forms.Form):
    purpose = forms.CharField(help_text="What for?")
    mode = forms.ChoiceField(choices=[("a", "A")], widget=forms.RadioSelect, required=False)
    agreed = forms.BooleanField()


def test_field_joins_label_help_and_error() -> None:
    html = draw("{% field form.purpose hx_get='/x' %}", form=Sample({}))

    assert '<label class="form-label" for="id_purpose">Purpose</label>' in html
    assert 'aria-describedby="id_purpose_help id_purpose_error"' in html
    assert 'aria-invalid="true"' in html
    assert 'class="form-control is-invalid"' in html
    assert 'hx-get="/x"' in html
    assert 'id="id_purpose_error"' in html


def test_fields_draws_every_kind() -> None:
    html = draw("{% fields form %}", form=Sample())

    assert html.count("form-check-input") == 2
    assert "<legend" in html
    assert html.count("optional") == 1


def test_problems_say_what_would_help() -> None:
    refusal = Refusal("overlap", "Taken.", fix=shanghai(5, 9), until=shanghai(6, 9), fix_text="Choose another time.")
    html = draw('{% include "_problems.html" %}', title="Not possible", refusals=[refusal])

    for said in (
        'data-code="overlap"',
        "Taken.",
        "Choose another time.",
        "Possible:",
        "tomorrow 09:00",
        "Fri, Mar 6 09:00",
    ):
        assert said in html


def test_undo_is_only_an_address_of_our_own() -> None:
    ours = SimpleNamespace(extra_tags="x undo=/bookings/1/undo")
    theirs = SimpleNamespace(extra_tags="undo=https://example.org/")

    assert draw("{{ a|undo_url }}|{{ b|undo_url }}", a=ours, b=theirs) == "/bookings/1/undo|"
