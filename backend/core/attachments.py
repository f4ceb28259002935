"""Which files may be attached to a message, told by their content; the name only helps where content says nothing."""

from __future__ import annotations

import re
import unicodedata
import zipfile
from pathlib import PurePosixPath
from typing import IO

MOST_FILES = 5
MOST_BYTES = 20 * 1024 * 1024
# Of all messages of one booking.
MOST_BYTES_ALTOGETHER = 200 * 1024 * 1024
LONGEST_NAME = 150
_HEAD = 4096

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
)
_OFFICE = "application/vnd.openxmlformats-officedocument"
_PACKAGES = {
    "word/document.xml": f"{_OFFICE}.wordprocessingml.document",
    "xl/workbook.xml": f"{_OFFICE}.spreadsheetml.sheet",
    "ppt/presentation.xml": f"{_OFFICE}.presentationml.presentation",
}
# Programs of Windows, Linux, macOS and Java, and the old Office documents, which may hold macros.
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xd0\xcf\x11\xe0")
# What a double click runs, or a browser shows as a page.
_DANGEROUS = frozenset(
    "bat cmd com cpl exe hta htm html jar js jse lnk mht mhtml msi ps1 py reg scr sh svg url vbe vbs wsf xhtml "
    "application command desktop diagcab iqy psm1 rdp sct settingcontent-ms shtml slk vb ws wsc wsh xht "
    # Documents with macros, under whatever name these lie inside.
    "docm dotm pptm potm ppam ppsm xlam xlsb xlsm xltm".split()
)
# What instruments write: microscopy, diffraction, spectroscopy, chromatography, thermal analysis, magnetic resonance.
INSTRUMENT_DATA = frozenset(
    "dm3 dm4 ser emd mrc hdf5 h5 nxs nc mat tif tiff raw brml xrdml ras rasx spc spa 0 sp wdf opj opju jdx dx cdf "
    "mzml mzxml ngb ngd tri fid 1r czi lif nd2 oir ibw gwy spm wsp fcs vms pxp dat bin npy npz rar 7z gz".split()
)

TYPES_IN_WORDS = "PDF, PNG, JPEG, GIF, WebP, TIFF, TXT, CSV, DOCX, XLSX, PPTX, ZIP"


def media_type_of(content: IO[bytes], name: str) -> str | None:
    """The type under which a file is kept and served; None where it is not accepted."""
    content.seek(0)
    head = content.read(_HEAD)
    ending = PurePosixPath(name).suffix.lower().lstrip(".")
    if ending in _DANGEROUS or head.startswith(b"#!"):
        return None
    known = next((media_type for signature, media_type in _SIGNATURES if head.startswith(signature)), None)
    if known:
        return known
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"PK"):
        return _package(content)
    # Before the programs: a table of masses may begin with MZ.
    if _is_text(head):
        return "text/csv" if ending == "csv" else "text/plain"
    if head.startswith(_PROGRAMS):
        return None
    return "application/octet-stream" if ending in INSTRUMENT_DATA else None


def _package(content: IO[bytes]) -> str | None:
    """A document of Office or a plain archive; None for what is damaged or holds macros."""
    try:
        with zipfile.ZipFile(content) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return None
    if any(member.endswith("vbaProject.bin") for member in members):
        return None
    found = [media_type for member, media_type in _PACKAGES.items() if member in members]
    return found[0] if found and "[Content_Types].xml" in members else "application/zip"


def _is_text(head: bytes) -> bool:
    """Text as editors here write it; a sign that the end of the piece cut in two does not count."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return False
    return any(_decodes(head[: len(head) - cut], code) for code in ("utf-8", "gb18030") for cut in range(4))


def _decodes(piece: bytes, code: str) -> bool:
    try:
        piece.decode(code)
    except UnicodeDecodeError:
        return False
    return True


def safe_name(name: str) -> str:
    """A file's name as it is shown and downloaded: without folders, control signs and signs that turn the reading."""
    plain = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(sign for sign in plain if unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    plain = re.sub(r'[<>:"|?*]', "_", " ".join(plain.split())).strip(". ")
    stem, dot, ending = plain.rpartition(".")
    if not stem or len(ending) > 12:
        stem, dot, ending = plain, "", ""
    return f"{stem[: LONGEST_NAME - len(dot + ending)]}{dot}{ending}" or "file"
