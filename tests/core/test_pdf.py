"""The renderer: right glyphs, no way out, limits that hold."""

from __future__ import annotations

import http.server
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from backend.core import pdf
from backend.core.errors import Busy

PAGE = '<meta charset="utf-8"><style>body {{ font-family: "{family}" }}</style><body>{body}</body>'


def page(body: str) -> str:
    return PAGE.format(family=pdf.FAMILY, body=body)


def text_of(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def fonts_of(content: bytes) -> set[str]:
    reader = PdfReader(io.BytesIO(content))
    return {str(font["/BaseFont"]) for p in reader.pages for font in _fonts(p)}


def _fonts(p: Any) -> list[Any]:
    return [font.get_object() for font in p["/Resources"]["/Font"].values()]


def test_chinese_comes_out_as_the_same_characters() -> None:
    content = pdf.render(page("结算单 壹万陆仟肆佰零玖元零贰分 <b>粗体 璟垚</b> Zeiss"))

    assert "结算单 壹万陆仟肆佰零玖元零贰分 粗体 璟垚 Zeiss" in " ".join(text_of(content).split())
    assert {name.split("+")[1] for name in fonts_of(content)} == {"Yixiang-Sans", "Yixiang-Sans-Bold"}


def test_same_input_gives_the_same_bytes() -> None:
    assert pdf.render(page("同样")) == pdf.render(page("同样"))


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A web server that notes what is asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()


def test_nothing_is_loaded_from_the_network_or_from_files(server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = server
    secret = tmp_path / "secret.txt"
    secret.write_text("TOP-SECRET-4711")
    body = (
        f'<img src="{address}/a.png"><link rel=stylesheet href="{address}/b.css"><style>@import url({address}/c.css);'
        f'@font-face {{ font-family: x; src: url("{address}/d.ttf"), url("yixiang-font:../../etc/passwd") }}</style>'
        f'<img src="{secret.as_uri()}"><img src="file:///etc/passwd"><object data="{secret.as_uri()}"></object>'
        f'<link rel=attachment href="{secret.as_uri()}"><iframe src="{secret.as_uri()}"></iframe>'
        '<img src="data:image/svg+xml,<svg xmlns=%27http://www.w3.org/2000/svg%27>'
        f'<image href=%27{address}/e.png%27/></svg>">'
        f'<p style="background: url({address}/f.png); font-family: x">text stays</p>'
    )

    content = pdf.render(page(body))

    assert asked == []
    assert "text stays" in text_of(content)
    assert "TOP-SECRET" not in text_of(content)
    assert PdfReader(io.BytesIO(content)).attachments == {}


def test_missing_fonts_name_the_command(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path

    with pytest.raises(pdf.PdfUnavailable) as raised:
        pdf.render(page("x"))

    assert "manage.py vendor" in str(raised.value.detail)
    assert isinstance(raised.value, Busy)


def test_memory_has_a_limit() -> None:
    with pytest.raises(pdf.PdfUnavailable):
        pdf.render(page("x"), memory_bytes=60 * 1024 * 1024)


def rows(number: int) -> str:
    return "<table>" + "".join(f"<tr><td>{n}<td>行" for n in range(number)) + "</table>"


def test_what_one_renderer_may_hold_stays_under_400_mib() -> None:
    """The limit is on addresses: what is resident can only be less."""
    pdf._idle.close()
    pdf.render(page(rows(300)))

    [renderer] = pdf._idle.renderers()
    limits = Path(f"/proc/{renderer.process.pid}/limits").read_text().splitlines()
    [space] = [line.split()[3:5] for line in limits if line.startswith("Max address space")]
    assert space == [str(400 * 2**20)] * 2


def test_time_has_a_limit() -> None:
    with pytest.raises(pdf.PdfUnavailable):
        pdf.render(page(rows(20_000)), seconds=2)


def test_each_document_has_the_time_for_itself() -> None:
    """The kernel counts what a process has used altogether, also for the documents before."""
    pdf._idle.close()
    for _ in range(6):
        pdf.render(page(rows(150)), seconds=1)

    [renderer] = pdf._idle.renderers()
    used = Path(f"/proc/{renderer.process.pid}/stat").read_text().split()
    assert renderer.documents == 6
    assert (int(used[13]) + int(used[14])) / os.sysconf("SC_CLK_TCK") > 1


def test_one_process_makes_many_documents() -> None:
    pdf._idle.close()
    pdf.render(page("一"))
    [first] = pdf._idle.renderers()
    alone = pdf.render(page("同样 <b>粗体</b>"))
    pdf.render(page("别的 <b>其他</b>" * 50))

    assert [renderer.process.pid for renderer in pdf._idle.renderers()] == [first.process.pid]
    assert pdf.render(page("同样 <b>粗体</b>")) == alone
    pdf._idle.close()
    assert pdf.render(page("同样 <b>粗体</b>")) == alone
    assert first.process.poll() is not None


def test_a_bad_document_does_not_stop_the_next() -> None:
    pdf.render(page("一"))
    with pytest.raises(pdf.PdfUnavailable):
        pdf.render(page(rows(20_000)), seconds=1)

    assert "二" in text_of(pdf.render(page("二")))


def test_a_renderer_that_was_killed_meanwhile_is_replaced() -> None:
    pdf.render(page("一"))
    for renderer in pdf._idle.renderers():
        renderer.process.kill()
        renderer.process.wait()

    assert "二" in text_of(pdf.render(page("二")))


def test_a_renderer_is_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    pdf._idle.close()
    monkeypatch.setattr(pdf, "DOCUMENTS", 2)
    pdf.render(page("一"))
    [first] = pdf._idle.renderers()
    pdf.render(page("二"))

    assert pdf._idle.renderers() == []
    assert first.process.poll() is not None
    monkeypatch.setattr(pdf, "_IDLE_SECONDS", 0.05)
    pdf.render(page("三"))
    for _ in range(100):
        if not pdf._idle.renderers():
            break
        time.sleep(0.05)
    assert pdf._idle.renderers() == []


def test_a_renderer_ends_with_who_started_it() -> None:
    program = (
        "import os, django; django.setup()\n"
        "from backend.core import pdf\n"
        "pdf.render('x'); print(pdf._idle.renderers()[0].process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    told = subprocess.run([sys.executable, "-c", program], env={**os.environ}, capture_output=True, text=True)

    pid = int(told.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


def test_the_renderer_does_not_know_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    pdf._idle.close()
    pdf.render(page("x"))

    [renderer] = pdf._idle.renderers()
    known = Path(f"/proc/{renderer.process.pid}/environ").read_bytes().split(b"\0")
    assert {each.split(b"=")[0] for each in known if each} == {b"PATH", b"HOME", b"TMPDIR", b"LANG"}
    assert b"do-not-tell" not in b" ".join(known)


def test_too_many_at_once_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_slots", threading.BoundedSemaphore(1))
    monkeypatch.setattr(pdf, "_PATIENCE_SECONDS", 0.01)
    with pdf._slots, pytest.raises(pdf.PdfUnavailable) as raised:
        pdf.render(page("x"))

    assert raised.value.retry_after == 30
