"""Collects, merges, checks and compiles the translations, without gettext's programs."""

from __future__ import annotations

import io
import json
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation.template import templatize

LOCALE = "zh_Hans"
SOURCES = ("backend", "booking", "instruments", "invoices")
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
# Babel's own header carries dates, which would differ at each run.
HEADER = """\
# Chinese of Yixiang. Written by `manage.py messages`: change the msgstr lines only.
msgid ""
msgstr ""
"Language: zh_Hans\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")

Key = tuple[str | None, str]


class Command(BaseCommand):
    help = "Collect the texts, keep their Chinese in django.po and compile it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; fail if a text has no good translation"
        )
        parser.add_argument("--compile", action="store_true", help="only compile what is in django.po")
        parser.add_argument("--merge", action="append", default=[], metavar="FILE.json", help="take {msgid: msgstr}")
        parser.add_argument("--missing", metavar="FILE.json", help="write the texts without translation to a file")

    def handle(self, *args: Any, **options: Any) -> None:
        path = po_path()
        if options["compile"]:
            compile_mo(load(path), path)
            return
        catalog = updated(load(path), collect(settings.BASE_DIR))
        if options["check"]:
            found = problems(catalog)
            if found:
                raise CommandError("\n".join(["The translations are not complete:", *found]))
            return
        for name in options["merge"]:
            unused = merge(catalog, json.loads(Path(name).read_text(encoding="utf-8")))
            for msgid in unused:
                self.stderr.write(f"{name}: no such text: {msgid!r}")
        save(catalog, path)
        compile_mo(catalog, path)
        if options["missing"]:
            todo = {name_of(one): "" for one in texts(catalog) if not string_of(one)}
            Path(options["missing"]).write_text(json.dumps(todo, ensure_ascii=False, indent=1), encoding="utf-8")
        found = problems(catalog)
        self.stdout.write(f"{len(texts(catalog))} texts, {len(found)} to be looked at (see --check).")


def po_path() -> Path:
    return Path(settings.LOCALE_PATHS[0]) / LOCALE / "LC_MESSAGES" / "django.po"


# --- collecting ----------------------------------------------------------------------------------------------------


def collect(root: Path) -> Catalog:
    """Every text of our Python and of our templates."""
    catalog = Catalog(locale=LOCALE, fuzzy=False)
    for path in source_files(root):
        for _line, found, comments, context in texts_of(path):
            catalog.add(found, context=context, auto_comments=comments)
    return catalog


def source_files(root: Path) -> Iterator[Path]:
    for name in SOURCES:
        for path in sorted((root / name).rglob("*")):
            parts = path.relative_to(root).parts
            code = path.suffix == ".py" and "migrations" not in parts
            template = path.suffix in {".html", ".txt", ".xml", ".svg"} and "templates" in parts
            if code or template:
                yield path


def texts_of(path: Path) -> Iterator[tuple[int, Any, list[str], str | None]]:
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        # Django turns the template into calls of gettext; without indentation they are Python enough for Babel.
        source = "\n".join(line.strip() for line in templatize(source, origin=str(path)).splitlines())
    return extract("python", io.BytesIO(source.encode()), KEYWORDS, ["Translators"], {"encoding": "utf-8"})


def updated(old: Catalog, found: Catalog) -> Catalog:
    """The texts found, with the translations we have; a text that is gone takes its translation along."""
    known = {key_of(message): message for message in texts(old)}
    for message in texts(found):
        before = known.get(key_of(message))
        if before is not None:
            message.string = before.string
            message.flags |= before.flags & {"fuzzy"}
    return found


# --- the file ------------------------------------------------------------------------------------------------------


def load(path: Path) -> Catalog:
    if not path.is_file():
        return Catalog(locale=LOCALE)
    with path.open("rb") as file:
        return read_po(file, locale=LOCALE)


def save(catalog: Catalog, path: Path) -> None:
    body = io.BytesIO()
    write_po(body, catalog, no_location=True, omit_header=True, sort_output=True, ignore_obsolete=True, width=110)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER + body.getvalue().decode().strip() + "\n", encoding="utf-8")


def compile_mo(catalog: Catalog, path: Path) -> None:
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalog)


def merge(catalog: Catalog, translations: dict[str, str]) -> list[str]:
    """Takes translations by msgid, or by ``context|msgid``; returns those that fit no text."""
    by_name = {name_of(message): message for message in texts(catalog)}
    unused = []
    for name, text in translations.items():
        message = by_name.get(name)
        if message is None:
            unused.append(name)
        elif text:
            message.string = (text,) if message.pluralizable else text
            message.flags.discard("fuzzy")
    return unused


# --- checking ------------------------------------------------------------------------------------------------------


def problems(catalog: Catalog) -> list[str]:
    """A line for each text that is not, or not well, translated."""
    out = []
    for message in texts(catalog):
        translated = string_of(message)
        if not translated:
            out.append(f"no translation: {name_of(message)!r}")
        elif message.fuzzy:
            out.append(f"fuzzy: {name_of(message)!r}")
        elif wanted(message).symmetric_difference(_PLACEHOLDER.findall(translated)):
            out.append(f"different placeholders: {name_of(message)!r} → {translated!r}")
    return out


def wanted(message: Message) -> set[str]:
    """The placeholders of a text; the plural's, since Chinese has that form only."""
    return set(_PLACEHOLDER.findall(forms(message)[-1]))


def texts(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]


def forms(message: Message) -> tuple[str, ...]:
    """The English: one form, or singular and plural."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def key_of(message: Message) -> Key:
    return message.context, forms(message)[0]


def name_of(message: Message) -> str:
    context, msgid = key_of(message)
    return f"{context}|{msgid}" if context else msgid


def string_of(message: Message) -> str:
    return str(message.string[0]) if isinstance(message.string, (tuple, list)) else str(message.string or "")
