"""``python -m tests.bench.invoicing [--invoices 2000] [--lines 20]``: a monthly run from charges to PDFs, as Markdown.

Drafts, issues and renders in a scratch database through the same actions as the worker, and compares the time per
PDF with that of WeasyPrint alone on the same documents. Fails if a number is missing or the renderer needs more
memory than it may.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import django

from tests.bench.__main__ import ENGINES, ROOT, scratch_database

MONTH, DAY = "2026-12", date(2026, 12, 1)
MOST_MIB = 400
# So many documents tell what WeasyPrint alone needs.
SAMPLE = 100


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.invoicing", description=__doc__)
    parser.add_argument("--invoices", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=20)
    parser.add_argument("--engine", choices=ENGINES, default="sqlite")
    options = parser.parse_args(arguments)
    with scratch_database(options.engine) as url:
        environment = {**os.environ, "DATABASE_URL": url, "LOG_LEVEL": "ERROR", "ALLOWED_HOSTS": "testserver"}
        prepare = [sys.executable, "manage.py", "prepare"]
        subprocess.run(prepare, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
        command = [sys.executable, "-m", "tests.bench.invoicing", "measure", str(options.invoices), str(options.lines)]
        return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def measure(invoices: int, lines: int) -> int:
    django.setup()
    from django.db import connection

    from invoices.actions.running import start_run
    from invoices.models import Invoice, InvoicePdf, RunStep

    institution, by = make_ledger(invoices, lines)
    took, peak = {}, 0
    for step in RunStep:
        began = time.perf_counter()
        run = start_run(institution=institution, period=MONTH, step=step, by=by)
        work_off(run.pk)
        took[step] = time.perf_counter() - began
    began = time.perf_counter()
    peak = make_documents(run.pk)
    documents = time.perf_counter() - began
    floor = bare_weasyprint(min(SAMPLE, invoices))

    rows = [
        ("drafting", f"{took[RunStep.DRAFT]:.0f} s", f"{1000 * took[RunStep.DRAFT] / invoices:.0f} ms"),
        ("issuing", f"{took[RunStep.ISSUE]:.0f} s", f"{1000 * took[RunStep.ISSUE] / invoices:.0f} ms"),
        ("PDFs", f"{documents:.0f} s", f"{1000 * documents / invoices:.0f} ms"),
        ("altogether", f"{sum(took.values()) + documents:.0f} s", ""),
        ("WeasyPrint alone", "", f"{1000 * floor:.0f} ms"),
        ("most memory of a renderer", f"{peak / 2**20:.0f} MiB", ""),
    ]
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{invoices} invoices of {lines} lines, {connection.vendor}, {os.cpu_count()} processors, load {load}\n")
    print("| | in all | each |\n| --- | ---: | ---: |")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows))
    numbers = list(Invoice.objects.order_by("sequence").values_list("sequence", flat=True))
    whole = numbers == list(range(1, invoices + 1)) and InvoicePdf.objects.count() == invoices
    if not whole:
        print("Numbers or documents are missing.", file=sys.stderr)
    if peak >= MOST_MIB * 2**20:
        print(f"A renderer needs more than {MOST_MIB} MiB.", file=sys.stderr)
    return 0 if whole and peak < MOST_MIB * 2**20 else 1


def make_ledger(invoices: int, lines: int) -> tuple[Any, Any]:
    """An institution and so many customers with one final charge each."""
    from backend.accounts.models import Membership, Organisation, OrganisationKind, Role, User
    from invoices.models import Charge, ChargeLine, ChargeState, Stage, TaxRate

    facts = {"address": "福建省福州市大学路1号", "phone": "0591-0000", "bank": "示例银行", "bank_account": "0602"}
    institution = Organisation.objects.create(
        kind=OrganisationKind.INSTITUTION, code="bench", name="示例研究所", name_en="Example Institute", **facts
    )
    by = User.objects.create(email="finance@example.org", name="财务", language="zh-hans")
    Membership.objects.create(user=by, organisation=institution, role=Role.FINANCE)
    TaxRate.objects.create(name="研发和技术服务", code="3040105", percent=Decimal(6), valid_from=date(2020, 1, 1))
    customers = Organisation.objects.bulk_create(
        Organisation(kind=OrganisationKind.ENTERPRISE, code=f"c{n}", name=f"示例企业{n}有限公司", **facts)
        for n in range(invoices)
    )
    total = sum((Decimal(f"{n + 1}0.25") for n in range(lines)), Decimal(0))
    charges = Charge.objects.bulk_create(
        Charge(
            institution=institution, customer=customer, user=by, source="booking", source_uid=uuid.uuid4(),
            subject="场发射扫描电子显微镜", service_date=DAY, price_list="v1", currency="CNY", state=ChargeState.FINAL,
            reserved_total=total, total=total,
        )
        for customer in customers
    )  # fmt: skip
    ChargeLine.objects.bulk_create(
        (
            ChargeLine(
                charge=charge, stage=Stage.FINAL, position=n + 1, code="time", name=f"机时费 第{n + 1}项",
                quantity=Decimal(1), unit="hour", unit_price=Decimal(f"{n + 1}0.25"), amount=Decimal(f"{n + 1}0.25"),
            )
            for charge in charges
            for n in range(lines)
        ),
        batch_size=5000,
    )  # fmt: skip
    return institution, by


def work_off(run_id: int) -> None:
    """All items; the documents are measured for themselves."""
    from invoices.actions import running
    from invoices.models import InvoiceRun, RunStep

    while running._next_item(run_id):
        pass
    if InvoiceRun.objects.get(pk=run_id).step == RunStep.DRAFT:
        running.end_run(run_id=run_id)


def make_documents(run_id: int) -> int:
    """Bytes that the renderers have held at most: each is looked at after each of its documents."""
    from backend.core import pdf
    from invoices.actions import running

    peak = 0
    put = pdf._idle.put

    def look_and_put(renderer: pdf.Renderer) -> None:
        nonlocal peak
        peak = max(peak, resident(renderer.process.pid))
        put(renderer)

    pdf._idle.put = look_and_put  # type: ignore[method-assign]
    while running._next_document(run_id):
        pass
    running.end_run(run_id=run_id)
    return peak


def resident(pid: int) -> int:
    """The most that the process has held so far."""
    told = Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()
    return int(told[0]) * 1024


def bare_weasyprint(number: int) -> float:
    """Seconds for each of so many documents, in this process and one after the other, once it is warm."""
    from django.template.loader import render_to_string

    from backend.core import pdf
    from backend.core.pdf_worker import converter
    from invoices import rules
    from invoices.models import Invoice

    pages = [
        render_to_string(
            "invoices/statement.html",
            {"paper": rules.paper(one.snapshot), "sha256": one.snapshot_sha256, "family": pdf.FAMILY},
        )
        for one in Invoice.objects.order_by("sequence")[:number]
    ]
    convert = converter(*pdf._fonts())
    convert(pages[0])
    began = time.perf_counter()
    for html in pages:
        convert(html)
    return (time.perf_counter() - began) / number


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    if sys.argv[1:2] == ["measure"]:
        sys.exit(measure(*map(int, sys.argv[2:])))
    sys.exit(main(sys.argv[1:]))
