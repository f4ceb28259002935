"""The one renderer of PDFs: WeasyPrint in a process of its own, with limits.

A document that is too large, loops or crashes the renderer costs that process, not the server. The process
gets neither our environment nor a way to the network or to files (see `pdf_worker`). It stays for the next
documents, because starting it takes ten times longer than a page, and is retired after `DOCUMENTS`, when it has
been idle for a while, and with whoever started it. Equal input gives equal bytes.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Busy, Text
from backend.core.pdf_worker import LENGTH, REQUEST

log = logging.getLogger(__name__)

# The CSS font-family under which a template finds the fonts, weights 400 and 700.
FAMILY = "Yixiang Sans"
# Written by `manage.py vendor`.
FONTS = ("NotoSansSC-Regular.ttf", "NotoSansSC-Bold.ttf")

# Measured for 1,000 lines of Chinese: 6 s, and 290 MiB of addresses with 200 resident.
SECONDS = 50
MEMORY_BYTES = 400 * 1024 * 1024
# As many renderers as a small machine bears; who waits longer than a reader would is told to come back.
_slots = threading.BoundedSemaphore(2)
_PATIENCE_SECONDS = 20
DOCUMENTS = 200
_IDLE_SECONDS = 60

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
        return _render(html, fonts, seconds, memory_bytes)
    finally:
        _slots.release()


def _render(html: str, fonts: list[str], seconds: int, memory_bytes: int) -> bytes:
    renderer = _idle.take(fonts, memory_bytes)
    while True:
        is_new = renderer.documents == 0
        try:
            content = renderer.render(html, seconds)
        except RendererFailed as failed:
            renderer.close()
            if is_new or failed.took_too_long:
                raise PdfUnavailable(failed.detail) from None
            # It may have been full of what came before, or ended meanwhile: once more, in one that is new.
            renderer = Renderer(fonts, memory_bytes)
            continue
        except BaseException:  # half an answer may still be in the pipe
            renderer.close()
            raise
        _idle.put(renderer)
        return content


def _fonts() -> list[str]:
    paths = [settings.VAR_DIR / "fonts" / name for name in FONTS]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        log.error("missing fonts in %s: %s; run `npm ci` and `manage.py vendor`", paths[0].parent, ", ".join(missing))
        raise PdfUnavailable(
            _("The fonts for documents are missing on this server. Its operator has to run: npm ci, manage.py vendor")
        )
    return [str(path) for path in paths]


class RendererFailed(Exception):
    """One process has made no document of what it was given."""

    def __init__(self, detail: Text, *, took_too_long: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.took_too_long = took_too_long


class Renderer:
    """One process, for one document at a time."""

    def __init__(self, fonts: list[str], memory_bytes: int) -> None:
        self.kind = (tuple(fonts), memory_bytes)
        self.documents = 0
        # A killed renderer's files go with the scratch directory.
        self._scratch = tempfile.mkdtemp(prefix="yixiang-pdf-")
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (`close` closes it)
        # -I: no PYTHON* variables, no user site, no current directory on the path.
        self.process = subprocess.Popen(  # noqa: S603  (a fixed command, no shell)
            [sys.executable, "-I", str(_WORKER), *fonts, str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=self._scratch,
            env=self._environment(),
        )

    def _environment(self) -> dict[str, str]:
        """HOME is there for the font cache."""
        return {
            "PATH": os.defpath,
            "HOME": os.environ.get("HOME", self._scratch),
            "TMPDIR": self._scratch,
            "LANG": "C.UTF-8",
        }

    def render(self, html: str, seconds: int) -> bytes:
        """``seconds`` of CPU, and a little more by the clock. The renderer is of no use any more if this raises."""
        over = threading.Event()

        def stop() -> None:
            over.set()
            self.process.kill()

        clock = threading.Timer(seconds + 5, stop)
        clock.daemon = True
        clock.start()
        try:
            good, answer = self._ask(html.encode(), seconds)
        finally:
            clock.cancel()
        self.documents += 1
        if good == b"+" and answer.startswith(b"%PDF-"):
            return answer
        if over.is_set():
            log.error("the PDF renderer was stopped after %s s", seconds + 5)
            raise RendererFailed(_("The document took too long to make."), took_too_long=True)
        log.error("the PDF renderer ended with %s: %s", self.process.poll(), (answer or self._last_words())[-2000:])
        raise RendererFailed(_("The renderer failed or hit its limits; the operator finds the reason in the log."))

    def _ask(self, html: bytes, seconds: int) -> tuple[bytes, bytes]:
        """Nothing twice if it ended instead of answering."""
        asks, answers = self.process.stdin, self.process.stdout
        assert asks is not None
        assert answers is not None
        try:
            asks.write(REQUEST.pack(seconds, len(html)) + html)
            asks.flush()
        except BrokenPipeError:
            return b"", b""
        head = answers.read(1 + LENGTH.size)
        if len(head) <= LENGTH.size:
            return b"", b""
        return head[:1], answers.read(LENGTH.unpack(head[1:])[0])

    def _last_words(self) -> bytes:
        self._said.seek(0)
        return self._said.read()

    def close(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # what it was still to be told
                    pipe.close()
        self.process.wait()
        self._said.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def forget(self) -> None:
        """In a process forked from the one that started it, whose it stays: only let go of its pipes."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.returncode = 0  # nothing to wait for here


class _Idle:
    """Renderers that wait for the next document."""

    def __init__(self) -> None:
        self._empty()

    def _empty(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[Renderer, threading.Timer]] = []

    def take(self, fonts: list[str], memory_bytes: int) -> Renderer:
        """One that waits and still lives, else a new one."""
        with self._lock:
            for entry in self._waiting[::-1]:
                renderer, clock = entry
                if renderer.kind == (tuple(fonts), memory_bytes):
                    self._waiting.remove(entry)
                    clock.cancel()
                    return renderer
        return Renderer(fonts, memory_bytes)

    def put(self, renderer: Renderer) -> None:
        if renderer.documents >= DOCUMENTS or renderer.kind[1] != MEMORY_BYTES:
            renderer.close()
            return
        clock = threading.Timer(_IDLE_SECONDS, self._retire, [renderer])
        clock.daemon = True
        with self._lock:
            self._waiting.append((renderer, clock))
        clock.start()

    def _retire(self, renderer: Renderer) -> None:
        with self._lock:
            mine = [entry for entry in self._waiting if entry[0] is renderer]
            self._waiting = [entry for entry in self._waiting if entry[0] is not renderer]
        if mine:  # otherwise somebody has just taken it
            renderer.close()

    def renderers(self) -> list[Renderer]:
        with self._lock:
            return [renderer for renderer, _clock in self._waiting]

    def close(self) -> None:
        """All that wait; the next document starts a new one."""
        for renderer in self.renderers():
            self._retire(renderer)

    def forget(self) -> None:
        for renderer, _clock in self._waiting:
            renderer.forget()
        self._empty()  # also a new lock: one that another thread held stays locked in a fork


_idle = _Idle()
os.register_at_fork(after_in_child=_idle.forget)
atexit.register(_idle.close)
