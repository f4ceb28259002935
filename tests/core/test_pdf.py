"""The renderer: right glyphs, no way out, limits that hold."""

from __future__ import annotations

import http.server
import io
import threading
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


def test_time_has_a_limit() -> None:
    rows = "".join(f"<tr><td>{n}<td>行" for n in range(20_000))

    with pytest.raises(pdf.PdfUnavailable):
        pdf.render(page(f"<table>{rows}</table>"), seconds=2)


def test_the_renderer_does_not_know_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> Any:
        seen.update(options, command=command)
        raise pdf.subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(pdf.subprocess, "run", run)

    with pytest.raises(pdf.PdfUnavailable):
        pdf.render(page("x"))
    assert "do-not-tell" not in str(seen)
    assert set(seen["env"]) == {"PATH", "HOME", "TMPDIR", "LANG"}


def test_too_many_at_once_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_slots", threading.BoundedSemaphore(1))
    monkeypatch.setattr(pdf, "_PATIENCE_SECONDS", 0.01)
    with pdf._slots, pytest.raises(pdf.PdfUnavailable) as raised:
        pdf.render(page("x"))

    assert raised.value.retry_after == 30
