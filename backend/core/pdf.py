"""The one renderer of PDFs: WeasyPrint in a process of its own, with limits.

A document that is too large, loops or crashes the renderer costs that process, not the server. The process
gets neither our environment nor a way to the network or to files (see `pdf_worker`). Equal input gives
equal bytes.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Busy, Text

log = logging.getLogger(__name__)

# The CSS font-family under which a template finds the fonts, weights 400 and 700.
FAMILY = "Yixiang Sans"
# Written by `manage.py vendor`.
FONTS = ("NotoSansSC-Regular.ttf", "NotoSansSC-Bold.ttf")

# Measured for 1,000 lines of Chinese: 6 s and 210 MiB.
SECONDS = 50
MEMORY_BYTES = 1536 * 1024 * 1024
# As many renderers as a small machine bears; who waits longer than a reader would is told to come back.
_slots = threading.BoundedSemaphore(2)
_PATIENCE_SECONDS = 20

_WORKER = Path(__file__).with_name("pdf_worker.py")


class PdfUnavailable(Busy):
    """503: the document could not be made now."""

    code = "pdf_unavailable"
    title = _("The document could not be made")

    def __init__(self, detail: Text) -> None:
        super().__init__(retry_after=30)
        self.detail = detail


def render(html: str, *, seconds: int = SECONDS, memory_bytes: int = MEMORY_BYTES) -> bytes:
    """The PDF of an HTML document. The HTML is trusted markup with escaped texts; it loads ``data:`` URLs only.

    Raises `PdfUnavailable` when fonts are missing, a limit is hit or the renderer fails.
    """
    fonts = _fonts()
    if not _slots.acquire(timeout=_PATIENCE_SECONDS):
        raise PdfUnavailable(_("Many documents are being made at the moment. Please try again in a minute."))
    try:
        return _run(html, fonts, seconds, memory_bytes)
    finally:
        _slots.release()


def _fonts() -> list[str]:
    paths = [settings.VAR_DIR / "fonts" / name for name in FONTS]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        log.error("missing fonts in %s: %s; run `npm ci` and `manage.py vendor`", paths[0].parent, ", ".join(missing))
        raise PdfUnavailable(
            _("The fonts for documents are missing on this server. Its operator has to run: npm ci, manage.py vendor")
        )
    return [str(path) for path in paths]


def _run(html: str, fonts: list[str], seconds: int, memory_bytes: int) -> bytes:
    # -I: no PYTHON* variables, no user site, no current directory on the path.
    command = [sys.executable, "-I", str(_WORKER), *fonts, str(seconds), str(memory_bytes)]
    with tempfile.TemporaryDirectory(prefix="yixiang-pdf-") as scratch:
        # HOME is there for the font cache; a killed renderer's files go with the scratch directory.
        environment = {
            "PATH": os.defpath,
            "HOME": os.environ.get("HOME", scratch),
            "TMPDIR": scratch,
            "LANG": "C.UTF-8",
        }
        try:
            done = subprocess.run(  # noqa: S603  (a fixed command, no shell)
                command,
                input=html.encode(),
                capture_output=True,
                timeout=seconds + 5,
                cwd=scratch,
                env=environment,
                check=False,
            )
        except subprocess.TimeoutExpired:
            log.exception("the PDF renderer was stopped after %s s", seconds + 5)
            raise PdfUnavailable(_("The document took too long to make."))
    if done.returncode != 0 or not done.stdout.startswith(b"%PDF-"):
        log.error("the PDF renderer ended with %s: %s", done.returncode, done.stderr.decode(errors="replace")[-2000:])
        raise PdfUnavailable(_("The renderer failed or hit its limits; the operator finds the reason in the log."))
    return done.stdout
