"""The pack of evidence for the authority: one ZIP with a manifest of SHA-256 digests."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from django.http import FileResponse
from django.utils import timezone

from backend.core.attachments import safe_name
from backend.core.export import attachment, csv_stream, xlsx_file
from backend.core.money import format_amount
from invoices.exports.tables import line_table
from invoices.models import Invoice, InvoicePdf
from invoices.queries.evidence import Pack, Papers

# Archives carry a time for each entry; equal content shall give equal bytes.
_STAMP = (1980, 1, 1, 0, 0, 0)


def pack_response(pack: Pack) -> FileResponse:
    response = FileResponse(write_pack(pack), content_type="application/zip")
    response["Content-Disposition"] = attachment(f"{pack.name}.zip")
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def write_pack(pack: Pack) -> IO[bytes]:
    """A folder for each invoice; ``manifest.json`` says what is inside and missing, ``SHA256SUMS`` checks it."""
    out: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (the response closes it)
    digests: dict[str, str] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for papers in pack.papers:
            for name, content in _contents(papers):
                _add(archive, name, content, digests)
        manifest = json.dumps(_manifest(pack, digests), ensure_ascii=False, indent=2).encode()
        _add(archive, "manifest.json", manifest, digests)
        sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
        _add(archive, "SHA256SUMS", sums, {})
    out.seek(0)
    return out


def _contents(papers: Papers) -> Iterator[tuple[str, bytes]]:
    invoice, folder = papers.invoice, str(papers.invoice.number)
    document = InvoicePdf.objects.filter(invoice=invoice).first() if papers.has_pdf else None
    if document is not None:
        yield f"{folder}/{invoice.number}.pdf", bytes(document.content)
    header, rows = line_table(Invoice.objects.filter(pk=invoice.pk))
    lines = list(rows)
    yield f"{folder}/lines.csv", b"".join(csv_stream(header, lines))
    with xlsx_file(header, lines, title=str(invoice.number)) as book:
        yield f"{folder}/lines.xlsx", book.read()
    taken: set[str] = set()
    for file in papers.files:
        name = f"{folder}/{file.kind}/{safe_name(file.name)}"
        if name in taken:
            name = f"{folder}/{file.kind}/{file.pk}-{safe_name(file.name)}"
        taken.add(name)
        with file.content.open("rb") as content:
            yield name, content.read()


def _add(archive: zipfile.ZipFile, name: str, content: bytes, digests: dict[str, str]) -> None:
    entry = zipfile.ZipInfo(name, _STAMP)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
    digests[name] = hashlib.sha256(content).hexdigest()


def _manifest(pack: Pack, digests: dict[str, str]) -> dict[str, Any]:
    return {
        "name": pack.name,
        "made_at": timezone.now().isoformat(timespec="seconds"),
        "invoices": [_described(papers) for papers in pack.papers],
        "missing": [{"invoice": number, "what": word} for number, word in pack.missing],
        "files": [{"name": name, "sha256": digest} for name, digest in digests.items()],
    }


def _described(papers: Papers) -> dict[str, Any]:
    invoice = papers.invoice
    return {
        "number": invoice.number,
        "kind": invoice.kind,
        "sha256": invoice.snapshot_sha256,
        "institution": invoice.snapshot["institution"]["name"],
        "enterprise": invoice.snapshot["customer"]["name"],
        "uscc": invoice.snapshot["customer"]["uscc"],
        "currency": invoice.currency,
        "total": format_amount(invoice.total),
        "fapiao_number": invoice.fapiao_number,
        "vouchers": [
            {
                "number": use.grant.number,
                "scheme": use.grant.scheme.name,
                "subject": use.charge.subject,
                "service_date": use.charge.service_date.isoformat(),
                "charged": format_amount(use.charge.total),
                "covered": format_amount(use.amount),
                "for_institution": format_amount(use.bonus),
            }
            for use in papers.uses
        ],
        "payments": [
            {"date": row.date.isoformat(), "amount": format_amount(row.amount), "reference": row.reference}
            for row in papers.payments
        ],
        "contracts": [row.number for row in papers.contracts],
    }
