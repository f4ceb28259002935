"""Batches for the tax platform: made, discarded, and the numbers that come back written to the invoices.

Locks: the institution, then invoices by id, audit head last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, NotFound, Refusal, Refused, refuse
from backend.core.money import add_up, format_amount
from invoices import rules
from invoices.actions.papers import record_invoice
from invoices.fapiao.papers import Paper, Problem, Wanted, serial_of
from invoices.fapiao.results import Pair
from invoices.models import FapiaoBatch, FapiaoPart, Invoice, InvoiceStatus
from invoices.queries.fapiao import Plan, plan_of, today_of


def refusal_of(problem: Problem) -> Refusal:
    number = str(problem.invoice.number)
    return Refusal(
        problem.code,
        f"{number}: {problem.detail}",
        field=problem.field,
        params={"invoice": number, "field": problem.field},
        fix_text=problem.fix,
    )


@atomic_action
def make_batches(
    *, institution: Organisation, invoices: Collection[int], by: User, again: bool = False
) -> list[FapiaoBatch]:
    """Remember these invoices as exported and return the batches, several where they do not fit into one file.

    `NotFound` for an invoice of another institution; `Refused` for what needs no fapiao (any more), for all that is to
    be mended, and, unless ``again``, for what stands in an earlier batch.
    """
    Organisation.objects.select_for_update(no_key=True).get(pk=institution.pk)
    wanted = set(invoices)
    mine = Invoice.objects.filter(institution=institution, pk__in=wanted).exclude(status=InvoiceStatus.DRAFT)
    numbers = dict(mine.values_list("pk", "number"))
    if set(numbers) != wanted:
        raise NotFound
    plan = plan_of(institution, today_of(institution), only=wanted)
    _refuse_unready(plan, numbers, again=again)
    return [_make(plan, papers, by) for papers in _files(plan)]


def _refuse_unready(plan: Plan, numbers: Mapping[int, str | None], *, again: bool) -> None:
    if not plan.papers:
        raise refuse("nothing_to_export", _("Choose invoices that have no fapiao number yet."))
    here = {invoice.pk for invoice in plan.invoices}
    gone = _("%(number)s needs no fapiao: it has one, was credited, or is not in yuan.")
    refusals = [
        Refusal("needs_none", gone % {"number": number}, params={"invoice": number})
        for pk, number in numbers.items()
        if pk not in here
    ]
    refusals += [refusal_of(problem) for problem in plan.problems]
    if not again:
        refusals += [_exported(plan, invoice) for invoice in plan.invoices if invoice.pk in plan.earlier]
    if refusals:
        raise Refused(*refusals)


def _exported(plan: Plan, invoice: Invoice) -> Refusal:
    batch = plan.earlier[invoice.pk]
    params = {
        "number": invoice.number,
        "batch": batch.number,
        "day": str(rules.day_at(plan.institution, batch.made_at)),
    }
    return Refusal(
        "already_exported",
        _("%(number)s is in batch %(batch)s of %(day)s.") % params,
        params=params,
        fix_text=_("Discard that batch if the platform refused it, or say that you want it again."),
    )


def _files(plan: Plan) -> list[list[Paper]]:
    """Papers in groups of at most as many tax invoices as one file takes; those of one invoice stay together."""
    most = plan.filling.limits(plan.layout).fapiao
    files: list[list[Paper]] = [[]]
    size = 0
    for paper in plan.papers:
        if files[-1] and size + len(paper.parts) > most:
            files.append([])
            size = 0
        files[-1].append(paper)
        size += len(paper.parts)
    return files


def _make(plan: Plan, papers: Sequence[Paper], by: User) -> FapiaoBatch:
    parts: list[tuple[Paper, int, Wanted]] = [
        (paper, index, part) for paper in papers for index, part in enumerate(paper.parts, 1)
    ]
    before = FapiaoBatch.objects.filter(institution=plan.institution).aggregate(Max("number"))["number__max"]
    batch = FapiaoBatch.objects.create(
        institution=plan.institution,
        number=(before or 0) + 1,
        layout=plan.layout["version"],
        content={
            "invoices": [part.head for _paper, _index, part in parts],
            "lines": [row for _paper, _index, part in parts for row in part.lines],
        },
        size=len(parts),
        total=add_up(part.total for _paper, _index, part in parts),
        made_by=by,
    )
    FapiaoPart.objects.bulk_create(
        FapiaoPart(
            batch=batch, institution=plan.institution, invoice=paper.invoice, serial=part.serial, part=index,
            parts=len(paper.parts), total=part.total,
        )
        for paper, index, part in parts
    )  # fmt: skip
    numbers = [paper.invoice.number for paper in papers]
    _note(
        batch, "fapiao_batch.made", by, {"size": batch.size, "total": format_amount(batch.total), "invoices": numbers}
    )
    return batch


@atomic_action
def discard_batch(*, batch: FapiaoBatch, by: User) -> FapiaoBatch:
    """The platform refused the file. `Refused` once a number from it has been written back; again does nothing."""
    Organisation.objects.select_for_update(no_key=True).get(pk=batch.institution_id)
    locked = FapiaoBatch.objects.select_for_update(no_key=True).defer("content").get(pk=batch.pk)
    if locked.discarded_at is not None:
        return locked
    if locked.parts.exclude(number="").exists():
        raise refuse("batch_used", _("Numbers from this batch have been noted, so the platform took it."))
    locked.discarded_at, locked.discarded_by = timezone.now(), by
    locked.save(update_fields=["discarded_at", "discarded_by"])
    _note(locked, "fapiao_batch.discarded", by, {"number": locked.number})
    return locked


def _note(batch: FapiaoBatch, action: str, by: User, after: dict[str, object]) -> None:
    record(
        organisation_id=batch.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="fapiao_batch",
        object_id=batch.uid,
        after={"batch": batch.number, **after},
    )


# --- the numbers that come back ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the result file: what it is about, and why it cannot be noted (``problem``) or need not (``same``)."""

    pair: Pair
    invoice: Invoice | None
    part: FapiaoPart | None
    number: str
    problem: str = ""
    same: bool = False


def judge_results(*, institution: Organisation, pairs: Sequence[Pair]) -> list[Result]:
    """Every row with its fault, if it has one; writes nothing. A constant number of queries."""
    parts = _parts_by_serial(institution, pairs)
    papers = _papers_by_serial(institution, pairs)
    digits = [rules.fapiao_number(pair.number) or "" for pair in pairs]
    owners = _owners(institution, digits)
    seen_serials: set[str] = set()
    seen_numbers: set[str] = set()
    results = []
    for pair, number in zip(pairs, digits, strict=True):
        part = parts.get(pair.serial)
        paper = part.invoice if part else papers.get(pair.serial)
        noted = (part.number if part else "") or (
            paper.fapiao_number if paper and (not part or part.parts == 1) else ""
        )
        problem = _fault(pair, paper, number, noted)
        if not problem and pair.serial in seen_serials:
            problem = _("This serial number stands in an earlier row.")
        elif not problem and number in seen_numbers:
            problem = _("This fapiao number stands in an earlier row.")
        elif not problem and noted != number and number in owners:
            problem = _("This fapiao number is noted on %(number)s.") % {"number": owners[number]}
        seen_serials.add(pair.serial)
        seen_numbers.add(number)
        results.append(Result(pair, paper, part, number, problem, same=not problem and noted == number))
    return results


def _fault(pair: Pair, paper: Invoice | None, number: str, noted: str) -> str:
    if paper is None:
        return _("No invoice of yours has this serial number.")
    if not number:
        return _("The number of a fapiao has exactly 20 digits.")
    if noted and noted != number:
        return _("%(number)s has another fapiao number: %(noted)s.") % {"number": paper.number, "noted": noted}
    return ""


def _parts_by_serial(institution: Organisation, pairs: Sequence[Pair]) -> dict[str, FapiaoPart]:
    """Of the newest standing batch that holds the serial number."""
    serials = [pair.serial for pair in pairs]
    rows = FapiaoPart.objects.filter(institution=institution, serial__in=serials, batch__discarded_at=None)
    rows = rows.select_related("invoice__institution").defer("invoice__snapshot")
    return {part.serial: part for part in rows.order_by("batch__number")}


def _papers_by_serial(institution: Organisation, pairs: Sequence[Pair]) -> dict[str, Invoice]:
    """Invoices and credit notes by the serial number that they would have alone."""
    sequences = {
        int(pair.serial[6:12]) for pair in pairs if pair.serial[6:12].isascii() and pair.serial[6:12].isdigit()
    }
    rows = Invoice.objects.filter(institution=institution, sequence__in=sequences).exclude(status=InvoiceStatus.DRAFT)
    return {serial_of(paper): paper for paper in rows.select_related("institution").defer("snapshot")}


def _owners(institution: Organisation, numbers: Sequence[str]) -> dict[str, str]:
    """The invoices that have these numbers already, by number."""
    known = [number for number in numbers if number]
    papers = Invoice.objects.filter(institution=institution, fapiao_number__in=known)
    found = {fapiao: str(number) for fapiao, number in papers.values_list("fapiao_number", "number")}
    parts = FapiaoPart.objects.filter(institution=institution, number__in=known)
    return found | {fapiao: str(number) for fapiao, number in parts.values_list("number", "invoice__number")}


@atomic_action
def write_results(*, institution: Organisation, pairs: Sequence[Pair], by: User) -> list[Result]:
    """Note the numbers of all rows that have no fault, and return every row as `judge_results` does.

    `Invalid`, with a sentence for each, if all rows have one.
    """
    Organisation.objects.select_for_update(no_key=True).get(pk=institution.pk)
    serials = judge_results(institution=institution, pairs=pairs)
    papers = sorted({result.invoice.pk for result in serials if result.invoice})
    list(Invoice.objects.filter(pk__in=papers).select_for_update(no_key=True).order_by("pk").values_list("pk"))
    results = judge_results(institution=institution, pairs=pairs)
    good = [result for result in results if not result.problem]
    if not good:
        raise Invalid(
            *(Refusal("bad_row", row_sentence(result), params={"line": result.pair.line}) for result in results)
        )
    for result in good:
        if not result.same:
            _write(result, by)
    return results


def row_sentence(result: Result) -> str:
    return _("Line %(line)s: %(reason)s") % {"line": result.pair.line, "reason": result.problem}


def _write(result: Result, by: User) -> None:
    paper, part = result.invoice, result.part
    assert paper is not None  # a row without an invoice has a fault
    if part is not None:
        part.number, part.noted_at = result.number, timezone.now()
        part.save(update_fields=["number", "noted_at"])
    if part is None or part.part == 1:
        paper.fapiao_number = result.number
        Invoice.objects.filter(pk=paper.pk).update(fapiao_number=result.number)
    record_invoice(paper, "invoice.fapiao_noted", by, before={"fapiao": ""}, after={"fapiao": result.number})
