"""Every text has its Chinese, and the tool that says so can be believed."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from django.conf import settings
from django.core.management import CommandError, call_command

from backend.web.management.commands import messages


def catalog(**texts: str) -> Catalog:
    out = Catalog(locale="zh_Hans")
    for msgid, msgstr in texts.items():
        out.add(msgid, msgstr)
    return out


def test_every_text_is_translated() -> None:
    try:
        call_command("messages", check=True)
    except CommandError as error:
        pytest.fail(str(error))


def test_a_text_without_translation_is_named() -> None:
    assert messages.problems(catalog(Book="")) == ["no translation: 'Book'"]


def test_a_fuzzy_translation_is_named() -> None:
    texts = catalog()
    texts.add("Book", "预约", flags=["fuzzy"])

    assert messages.problems(texts) == ["fuzzy: 'Book'"]


def test_different_placeholders_are_named() -> None:
    texts = catalog()
    texts.add("until %(day)s", "直到 %(date)s")

    assert messages.problems(texts) == ["different placeholders: 'until %(day)s' → '直到 %(date)s'"]


def test_texts_of_templates_and_python_are_found(tmp_path: Path) -> None:
    (tmp_path / "booking" / "templates").mkdir(parents=True)
    (tmp_path / "booking" / "views.py").write_text(
        'a = gettext_lazy("lazy")\nb = pgettext("verb", "Book")\nc = ngettext("%(n)s day", "%(n)s days", 2)\n'
    )
    (tmp_path / "booking" / "templates" / "page.html").write_text(
        '<p>\n    {% translate "plain" %}\n  {{ _("filter") }}\n'
        "{% blocktranslate trimmed with n=1 %}\n  {{ n }}\n  left\n{% endblocktranslate %}</p>"
    )

    found = {messages.name_of(one) for one in messages.texts(messages.collect(tmp_path))}

    assert found == {"lazy", "verb|Book", "%(n)s day", "plain", "filter", "%(n)s left"}


def test_merge_takes_context_and_plural_and_returns_what_does_not_fit() -> None:
    texts = catalog()
    texts.add("Book", context="verb")
    texts.add(("%(n)s day", "%(n)s days"))

    unused = messages.merge(texts, {"verb|Book": "预约", "%(n)s day": "%(n)s 天", "Nowhere": "无"})

    assert unused == ["Nowhere"]
    assert messages.problems(texts) == []


def test_the_file_is_written_the_same_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first.po", tmp_path / "second.po"
    texts = catalog(Zebra="斑马", Apple="苹果")

    messages.save(texts, first)
    messages.save(messages.load(first), second)

    assert first.read_text() == second.read_text()
    assert first.read_text().index("Apple") < first.read_text().index("Zebra")


def test_the_catalogue_in_the_repository_is_in_its_written_form(tmp_path: Path) -> None:
    known = messages.po_path()

    messages.save(messages.load(known), tmp_path / "django.po")

    assert known.read_text() == (tmp_path / "django.po").read_text()
    assert known.is_relative_to(settings.BASE_DIR)
