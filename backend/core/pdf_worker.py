"""HTML on standard input, PDF on standard output, one after the other: the process that `backend.core.pdf` runs.

Imports nothing of ours, knows no settings and no database. Arguments: regular font, bold font, bytes of memory.
Each request is ``seconds of CPU, length`` (two unsigned 64-bit numbers, big-endian) and the document; each answer a
byte, ``+`` or ``-``, a length, and the PDF or one line that says what went wrong. After ``-`` the process ends, as it
does when nobody asks any more. A document may load ``data:`` URLs only; the two fonts come through a stylesheet and a
fetcher of their own.
"""

from __future__ import annotations

import logging
import resource
import struct
import sys
from collections.abc import Callable
from typing import Any

FAMILY = "Yixiang Sans"
REQUEST = struct.Struct(">QQ")
LENGTH = struct.Struct(">Q")


def limit_memory(memory_bytes: int) -> None:
    """Of addresses, so what is resident can never be more."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def limit_time(cpu_seconds: int) -> None:
    """For the next document: the kernel counts what the process has used altogether, and ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime) + 1 + cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def converter(regular: str, bold: str) -> Callable[[str], bytes]:
    """Loads the libraries and the fonts once."""
    # After `limit_memory`, so that loading them counts too.
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    # It would tell every address that it refuses, and nobody reads that.
    logging.getLogger("weasyprint").addHandler(logging.NullHandler())
    logging.getLogger("weasyprint").propagate = False
    files = {"yixiang-font:400": regular, "yixiang-font:700": bold}

    class Fonts(URLFetcher):  # type: ignore[misc]  # WeasyPrint ships no types
        """Serves the two font files and nothing else."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            return URLFetcherResponse(url, open(files[url], "rb"))

    faces = "".join(
        f'@font-face {{ font-family: "{FAMILY}"; font-weight: {weight}; src: url("yixiang-font:{weight}") }}'
        for weight in (400, 700)
    )
    configuration = FontConfiguration()
    styles = CSS(string=faces, font_config=configuration, url_fetcher=Fonts())

    def convert(html: str) -> bytes:
        # The default fetcher would read any file of this machine into the document.
        fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False)
        document = HTML(string=html, url_fetcher=fetcher)
        pdf: bytes = document.write_pdf(stylesheets=[styles], font_config=configuration)
        return pdf

    return convert


def serve(convert: Callable[[str], bytes]) -> int:
    asked, answered = sys.stdin.buffer, sys.stdout.buffer
    while len(head := asked.read(REQUEST.size)) == REQUEST.size:
        cpu_seconds, length = REQUEST.unpack(head)
        limit_time(cpu_seconds)
        try:
            good, answer = b"+", convert(asked.read(length).decode())
        # FatalURLFetchingError is a BaseException: whatever goes wrong here becomes one line.
        except BaseException as error:
            good, answer = b"-", f"{type(error).__name__}: {error}"[:2000].encode()
        answered.write(good + LENGTH.pack(len(answer)) + answer)
        answered.flush()
        if good == b"-":
            return 1
    return 0


def main() -> int:
    regular, bold, memory_bytes = sys.argv[1:]
    limit_memory(int(memory_bytes))
    return serve(converter(regular, bold))


if __name__ == "__main__":
    sys.exit(main())
