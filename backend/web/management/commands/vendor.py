"""Copies what the pages load out of node_modules; run after ``npm ci``."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

# From node_modules to static/vendor. Only what a template refers to.
FILES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler.js",
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "@event-calendar/build/dist/event-calendar.min.css": "event-calendar.css",
    "@event-calendar/build/dist/event-calendar.min.js": "event-calendar.js",
    "echarts/dist/echarts.common.min.js": "echarts.js",
}
# WeasyPrint draws the documents with these; browsers use the fonts of their system.
FONTS = {
    "@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf": "NotoSansSC-Regular.ttf",
    "@expo-google-fonts/noto-sans-sc/700Bold/NotoSansSC_700Bold.ttf": "NotoSansSC-Bold.ttf",
    "@expo-google-fonts/noto-sans-sc/LICENSE_FONT": "LICENSE",
}
ICONS = """
adjustments-horizontal alert-circle alert-triangle archive arrow-back-up arrow-left arrow-right ban bell book bookmark
building building-bank building-community building-factory calculator calendar calendar-check calendar-event
calendar-off calendar-plus calendar-time cash category certificate chart-bar chart-line check checklist chevron-down
chevron-left chevron-right chevron-up circle-check circle-x clipboard-check clipboard-list clock clock-pause cloud-off
coin contrast copy credit-card dots dots-vertical download edit external-link eye eye-off file-download file-invoice
file-text filter flag flask flask-2 gavel grid-dots heart help history home hourglass id inbox info-circle key
language layout-grid link list list-check list-details lock login-2 logout mail map-pin menu-2 message message-circle
microscope mood-empty moon network note paperclip pencil percentage phone photo player-play player-stop plug plus
printer qrcode receipt receipt-refund refresh report-analytics rss school search send settings shield-check
shield-lock shopping-cart star sun switch-horizontal table tag test-pipe ticket timeline tool tools trash
trending-down trending-up upload urgent user user-check user-circle user-cog user-plus users users-group video wallet
world x zoom-in
""".split()

_SOURCE_MAP = re.compile(r"(/\*# ?sourceMappingURL=.*?\*/|//# ?sourceMappingURL=\S*)")
_FRAME = '<path stroke="none" d="M0 0h24v24H0z" fill="none" />'
_SHAPES = re.compile(r"<svg.*?>(.*)</svg>", re.DOTALL)


class Command(BaseCommand):
    help = "Copy the browser's files from node_modules to static/vendor and the fonts of the PDFs to var/fonts."

    def handle(self, *args: Any, **options: Any) -> None:
        modules = settings.BASE_DIR / "node_modules"
        missing = [name for name in (*FILES, *FONTS) if not (modules / name).is_file()]
        if not modules.is_dir() or missing:
            what = "there is no node_modules" if not modules.is_dir() else f"node_modules lacks {', '.join(missing)}"
            raise CommandError(f"Run `npm ci` first: {what}.")
        static = settings.BASE_DIR / "backend" / "web" / "static" / "vendor"
        static.mkdir(parents=True, exist_ok=True)
        for name, target in FILES.items():
            # The maps are not shipped, and a reference to a file that is absent stops collectstatic.
            text = (modules / name).read_text(encoding="utf-8")
            (static / target).write_text(_SOURCE_MAP.sub("", text).rstrip() + "\n", encoding="utf-8")
        (static / "icons.svg").write_text(sprite(modules / "@tabler" / "icons" / "icons" / "outline"), encoding="utf-8")
        fonts = settings.VAR_DIR / "fonts"
        fonts.mkdir(parents=True, exist_ok=True)
        for name, target in FONTS.items():
            shutil.copyfile(modules / name, fonts / target)
        if options["verbosity"]:
            self.stdout.write(f"{len(FILES) + 1} files in {static.relative_to(settings.BASE_DIR)}, fonts in {fonts}.")


def sprite(folder: Path) -> str:
    """One SVG with a symbol for each icon; stroke and size come from the ``icon`` class."""
    symbols = []
    for name in sorted(ICONS):
        path = folder / f"{name}.svg"
        if not path.is_file():
            raise CommandError(f"Tabler has no icon named {name}.")
        shapes = _SHAPES.search(path.read_text(encoding="utf-8"))
        drawn = re.sub(r"\s*\n\s*", "", shapes[1]).replace(_FRAME, "") if shapes else ""
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{drawn}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">' + "\n".join(symbols) + "</svg>\n"
