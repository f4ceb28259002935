"""Which files are accepted: content decides, the name only where content says nothing."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from backend.core.attachments import LONGEST_NAME, media_type_of, safe_name


def archive(*members: str) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for member in members:
            packed.writestr(member, "x")
    return out.getvalue()


TYPES = "[Content_Types].xml"
OFFICE = "application/vnd.openxmlformats-officedocument"
BINARY = bytes(range(256)) * 20


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.pdf", b"%PDF-1.7 ...", "application/pdf"),
        ("a.txt", b"%PDF-1.7 ...", "application/pdf"),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0\0", "image/jpeg"),
        ("a.gif", b"GIF87a\0", "image/gif"),
        ("a.gif", b"GIF89a\0", "image/gif"),
        ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        ("a.tif", b"II*\x00\x08\0", "image/tiff"),
        ("a.tif", b"MM\x00*\x08\0", "image/tiff"),
        ("a.docx", archive(TYPES, "word/document.xml"), f"{OFFICE}.wordprocessingml.document"),
        ("a.xlsx", archive(TYPES, "xl/workbook.xml"), f"{OFFICE}.spreadsheetml.sheet"),
        ("a.pptx", archive(TYPES, "ppt/presentation.xml"), f"{OFFICE}.presentationml.presentation"),
        ("a.docx", archive("word/document.xml"), "application/zip"),
        ("a.zip", archive("a.txt"), "application/zip"),
        ("a.csv", "编号,名称\n1,粉末".encode(), "text/csv"),
        ("a.csv", "编号,名称\n1,粉末".encode("gb18030"), "text/csv"),
        ("spectrum.xy", b"10.0 1.5\n10.1 1.6\n", "text/plain"),
        ("long.txt", "粉".encode() * 3000, "text/plain"),
        ("u16.txt", "粉末".encode("utf-16"), "text/plain"),
        ("masses.csv", b"MZ,intensity\n1,2\n", "text/csv"),
        ("scan.DM3", BINARY, "application/octet-stream"),
        ("data.h5", b"\x89HDF\r\n\x1a\n" + BINARY, "application/octet-stream"),
        ("a.exe", b"MZ\x90\0\x03" + BINARY, None),
        ("scan.dm3", b"MZ\x90\0\x03" + BINARY, None),
        ("scan.raw", b"\x7fELF\x02\x01\x01\0" + BINARY, None),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1" + BINARY, None),
        ("a.txt", b"#!/bin/sh\nrm -rf /", None),
        ("a.html", b"<script>alert(1)</script>", None),
        ("a.svg", b"<svg onload=alert(1)>", None),
        ("a.docm", archive(TYPES, "word/document.xml", "word/vbaProject.bin"), None),
        ("a.zip", b"PK\x03\x04 cut off", None),
        ("a.riff", b"RIFF\x10\0\0\0WAVEfmt ", None),
        ("unknown.xyzzy", BINARY, None),
        ("noending", BINARY, None),
    ],
)
def test_the_content_decides(name: str, content: bytes, expected: str | None) -> None:
    assert media_type_of(BytesIO(content), name) == expected


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.zip"])
def test_macros_inside_are_found_whatever_the_name(name: str) -> None:
    content = archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin")

    assert media_type_of(BytesIO(content), name) is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("样品清单.csv", "样品清单.csv"),
        ("😀 photo.png", "😀 photo.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\li\\a.txt", "a.txt"),
        ("a\0b\nc.txt", "abc.txt"),
        ("invoice\u202efdp.txt", "invoicefdp.txt"),
        ("شهادة.pdf", "شهادة.pdf"),
        ('a<b>"c".txt', "a_b__c_.txt"),
        ("  many   spaces .txt ", "many spaces .txt"),
        ("...", "file"),
        ("", "file"),
        ("\ud800.txt", "txt"),
        (".hidden", "hidden"),
        ("a" * 300 + ".txt", "a" * (LONGEST_NAME - 4) + ".txt"),
        ("a." + "b" * 300, ("a." + "b" * 300)[:LONGEST_NAME]),
    ],
)
def test_a_name_is_safe_to_show_and_to_save(given: str, kept: str) -> None:
    assert safe_name(given) == kept
