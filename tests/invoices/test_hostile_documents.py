"""Whatever stands in the fields of a document: nothing is loaded, nothing is run, and the page holds."""

from __future__ import annotations

import csv
import http.server
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from backend.accounts.models import Organisation, Project, Role
from backend.core import pdf
from invoices.actions.credits import credit_invoice
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import issue_invoice
from invoices.models import Invoice
from tests.booking.lab import browser
from tests.factories import make_charge, make_line, make_member
from tests.invoices.ledger import Ledger

pytestmark = pytest.mark.django_db

TEXTS = {
    "html": '<script>alert(1)</script><img src="{address}/a.png"><img src="file:///etc/passwd"><b>'
    "<svg xmlns='http://www.w3.org/2000/svg'><image href='{address}/d.png'/></svg><link rel=attachment href=/e>",
    "css": "</style><style>*{{display:none;background:url({address}/b.png)}}</style>\";}}@import '{address}/c.css'",
    "formula": '=HYPERLINK("{address}/f","x")',
    "long": "W" * 100 + "长" * 100 + "x" * 100,
    # One in 320 of CJK Extension B: all of its rows.
    "extension_b": "".join(chr(code) for code in range(0x20000, 0x2A6E0, 320)),
    "right_to_left": "שלום עולם مرحبا بالعالم \u202eabc\u202c\u2066def 123",
    "zero_width": "a\u200b\u200c\u200d\u2060\ufeff\u00ad" * 40,
    "emoji": "😀👩‍🔬🇨🇳🏳️‍🌈" * 15,
}
# pypdf cannot read a font in which letters without a shape occur; others can (`pdftotext`).
UNREADABLE = ("extension_b", "emoji")
WORDS = {"period": 60, "remark": 500, "contact": 120, "order_number": 60}


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


def hostile_invoice(text: str) -> Invoice:
    """The text in every field that gets onto the document, as much of it as the field takes."""
    ledger = Ledger()
    for number, party in enumerate((ledger.institution, ledger.customer)):
        fields = {"name": 100, "name_en": 150, "address": 200, "phone": 30, "bank": 100, "bank_account": 40}
        Organisation.objects.filter(pk=party.pk).update(
            **{name: text[:length] for name, length in fields.items()}, uscc=f"{number}{text[:17]}"
        )
    user = make_member(ledger.customer, Role.ADMIN)
    type(user).objects.filter(pk=user.pk).update(name=text[:80])
    user.refresh_from_db()
    project = Project.objects.create(organisation=ledger.customer, code=text[:40], name="x")
    line = make_line("99999999.99", name=text, unit=text, why=text)
    for _ in range(2):
        make_charge(
            ledger.customer,
            line,
            line,
            institution=ledger.institution,
            subject=text[:200],
            user=user,
            project_id=project.pk,
        )
    draft = ledger.draft()
    # Past the action, which would refuse some of it.
    Invoice.objects.filter(pk=draft.pk).update(wording={name: text[:length] for name, length in WORDS.items()})
    return issue_invoice(invoice=draft, by=ledger.finance)


def read(content: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(content))


def lines_beyond_the_page(reader: PdfReader) -> list[str]:
    """Runs of text that begin or, at half the width of their letters, end outside the paper."""
    out: list[str] = []
    for page in reader.pages:

        def look(text: str, cm: Any, tm: Any, font: Any, size: float) -> None:
            x, scale = tm[4] * cm[0] + cm[4], abs(tm[0] * cm[0]) * size
            if text.strip() and not 0 <= x + len(text.strip()) * scale * 0.45 <= 596:
                out.append(text)

        page.extract_text(visitor_text=look)
    return out


@pytest.mark.parametrize("kind", TEXTS)
def test_a_document_holds_whatever_is_written(kind: str, server: tuple[str, list[str]]) -> None:
    address, asked = server
    text = TEXTS[kind].format(address=address)
    invoice = hostile_invoice(text)

    papers = [ensure_pdf(invoice=invoice)]
    papers.append(ensure_pdf(invoice=credit_invoice(invoice=invoice, reason=text[:500], by=invoice.issued_by)))  # type: ignore[arg-type]

    assert asked == []
    for paper in papers:
        reader = read(bytes(paper.content))
        words = "\n".join(page.extract_text() for page in reader.pages)
        assert "root:" not in words
        assert len(reader.pages) <= 6
        assert reader.attachments == {}
        assert b"/JavaScript" not in bytes(paper.content)
        assert b"/URI" not in bytes(paper.content)
        if kind not in UNREADABLE:
            assert "399,999,999.96" in words  # the total, below everything else
            assert lines_beyond_the_page(reader) == []


def test_what_does_not_wrap_would_be_noticed() -> None:
    """The negative control of `lines_beyond_the_page`."""
    content = pdf.render(f'<meta charset=utf-8><p style="white-space: nowrap">{"W" * 300}')

    assert lines_beyond_the_page(read(content)) != []


@pytest.mark.parametrize("kind", ["formula", "extension_b"])
def test_tables_keep_what_is_written_as_text(kind: str) -> None:
    text = TEXTS[kind].format(address="http://x")
    invoice = hostile_invoice(text)
    client = browser(invoice.issued_by)

    sheet = load_workbook(
        io.BytesIO(b"".join(client.get(f"/invoices/{invoice.pk}/lines.xlsx").streaming_content))
    ).active  # type: ignore[attr-defined]
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row]
    table = b"".join(client.get(f"/invoices/{invoice.pk}/lines.csv").streaming_content)  # type: ignore[attr-defined]
    rows = list(csv.reader(io.StringIO(table.decode("utf-8-sig"))))

    assert {cell.data_type for cell in cells if isinstance(cell.value, str)} == {"s"}
    assert any(str(cell.value).startswith(text[:40]) for cell in cells)
    assert not [cell for row in rows[1:] for cell in row if cell[:1] in ("=", "+", "@")]
