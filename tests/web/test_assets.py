"""What the browser loads: pinned, vendored, and allowed by the Content-Security-Policy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from backend.web.management.commands import vendor

TEMPLATES = [
    path for app in ("backend", "booking", "instruments", "invoices") for path in Path(app).rglob("templates/**/*.html")
]
# Documents for paper are drawn by WeasyPrint and never reach a browser; they bring their own sheet.
PAGES = [path for path in TEMPLATES if "@page" not in path.read_text()]
OWN = Path("backend/web/static/yixiang")


def named(path: Path) -> str:
    return str(path)


def test_versions_are_exact() -> None:
    wanted = json.loads(Path("package.json").read_text())["dependencies"]

    assert [name for name, version in wanted.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_the_lock_names_no_registry() -> None:
    packages: dict[str, dict[str, Any]] = json.loads(Path("package-lock.json").read_text())["packages"]

    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_templates_have_no_inline_style_or_script(path: Path) -> None:
    text = path.read_text()

    assert re.findall(r"\sstyle\s*=|<style|\son\w+\s*=\s*[\"']|javascript:|\shx-on", text) == []
    # A script without a source is a block of data.
    assert [tag for tag in re.findall(r"<script[^>]*>", text) if "src=" not in tag and "json" not in tag] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_templates_name_icons_of_the_sprite(path: Path) -> None:
    text = path.read_text()
    used = re.findall(r"{% icon \"([\w-]+)\"", text) + re.findall(r"{% empty [^%]*icon=\"([\w-]+)\"", text)

    assert sorted(set(used) - set(vendor.ICONS)) == []


def test_templates_refer_to_files_that_are_vendored() -> None:
    used = {name for path in TEMPLATES for name in re.findall(r"'vendor/([\w.-]+)'", path.read_text())}

    assert used == set(vendor.FILES.values())


def test_own_scripts_need_neither_eval_nor_inline_styles() -> None:
    for path in OWN.glob("*.js"):
        assert (
            re.findall(r"\beval\(|new Function|setAttribute\(.style|innerHTML|^import ", path.read_text(), re.M) == []
        ), path


def test_missing_node_modules_is_said_clearly(tmp_path: Path, settings: Any) -> None:
    settings.BASE_DIR = tmp_path

    with pytest.raises(CommandError, match="Run `npm ci` first: there is no node_modules"):
        call_command("vendor")


@pytest.mark.skipif(not (settings.BASE_DIR / "node_modules").is_dir(), reason="node_modules is not installed")
def test_vendor_copies_what_is_used(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "node_modules").symlink_to(settings.BASE_DIR / "node_modules")
    settings.BASE_DIR, settings.VAR_DIR = tmp_path, tmp_path / "var"

    call_command("vendor", verbosity=0)

    copied = tmp_path / "backend/web/static/vendor"
    assert {path.name for path in copied.iterdir()} == {*vendor.FILES.values(), "icons.svg"}
    assert {path.name for path in (tmp_path / "var/fonts").iterdir()} == set(vendor.FONTS.values())
    assert "sourceMappingURL" not in (copied / "tabler.css").read_text()
    assert (copied / "icons.svg").read_text().count("<symbol ") == len(vendor.ICONS)
