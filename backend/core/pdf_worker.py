"""HTML on standard input, PDF on standard output: run by `backend.core.pdf` in a process of its own.

Imports nothing of ours, knows no settings and no database. Arguments: regular font, bold font, seconds of
CPU, bytes of memory. The document may load ``data:`` URLs only; the two fonts come through a stylesheet
and a fetcher of their own.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

FAMILY = "Yixiang Sans"


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def convert(html: str, regular: str, bold: str) -> bytes:
    # After `limit`, so that loading the libraries counts too.
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher, URLFetcherResponse

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
    # The default fetcher would read any file of this machine into the document.
    fetcher = URLFetcher(allowed_protocols=("data",), allow_redirects=False)
    document = HTML(string=html, url_fetcher=fetcher)
    pdf: bytes = document.write_pdf(stylesheets=[styles], font_config=configuration)
    return pdf


def main() -> int:
    regular, bold, cpu_seconds, memory_bytes = sys.argv[1:]
    limit(int(cpu_seconds), int(memory_bytes))
    try:
        pdf = convert(sys.stdin.buffer.read().decode(), regular, bold)
    # FatalURLFetchingError is a BaseException: whatever goes wrong here becomes one line and an exit code.
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.buffer.write(pdf)
    return 0


if __name__ == "__main__":
    sys.exit(main())
