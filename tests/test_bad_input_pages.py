"""What people type wrong on the pages: words in their language, nothing changed, nothing that they typed lost."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from html import unescape
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from backend.core.errors import Invalid, Refused
from instruments.actions.importing import import_instruments
from instruments.models import Instrument
from tests.access.world import World, undone
from tests.factories import make_instrument, make_price_list
from tests.test_bad_input_api import CHINESE, LANGUAGES, state

pytestmark = pytest.mark.django_db

LONG = "长" * 3000


@dataclass(frozen=True)
class Case:
    """``who`` sends ``data`` to ``path``. ``field``: the form comes again with its error there and what was typed."""

    name: str
    path: str
    data: dict[str, Any]
    field: str = ""
    who: str = "member"
    status: int = 422


REGISTER, PROFILE, TOKEN = "/register/", "/account/profile/", "/account/tokens/new/"
INVITE = "/organisation/{enterprise}/invitations/"
NEW, BOOK, RULES = (
    "/manage/instruments/new/",
    "/instruments/{instrument}/book/",
    "/manage/instruments/{instrument}/rules/",
)
ENTERPRISE, ABROAD = "/organisation/{enterprise}/edit/", "/instruments/{abroad}/book/"
NAME = {"name": "SEM", "local_no": "7", "category": "0101", "units": "1", "timezone": "Asia/Shanghai"}
ANSWERS = {"who": "everybody", "approval": "nobody", "self_operation": "everybody"}
SLOT = {"start": "2026-12-08T09:00", "end": "2026-12-08T10:00", "mode": "self", "purpose": "Test"}


def slot(start: str, end: str, **more: str) -> dict[str, str]:
    return {**SLOT, "start": start, "end": end, **more}


FORMS = [
    Case(
        "a credit code with a slip", REGISTER, {"enterprise-uscc": "91350100M000100Y4Z"}, "enterprise-uscc", "visitor"
    ),
    Case("a credit code too short", REGISTER, {"enterprise-uscc": "123"}, "enterprise-uscc", "visitor"),
    Case(
        "a credit code that does not add up",
        REGISTER,
        {"enterprise-uscc": "91350100M000100Y44"},
        "enterprise-uscc",
        "visitor",
    ),
    Case("an over-long name", REGISTER, {"enterprise-name": "长" * 101}, "enterprise-name", "visitor"),
    Case("a header in a name", REGISTER, {"enterprise-name": "Acme\r\nBcc: x@y.z"}, "enterprise-name", "visitor"),
    Case("a bell in a name", REGISTER, {"enterprise-name": "Acme\x07"}, "enterprise-name", "visitor"),
    Case("a name that turns around", REGISTER, {"enterprise-name": "Acme\u202egpj.exe"}, "enterprise-name", "visitor"),
    Case("no address", REGISTER, {"person-email": "nobody"}, "person-email", "visitor"),
    Case(
        "two passwords",
        REGISTER,
        {"person-password1": "quiet river 27", "person-password2": "x"},
        "person-password2",
        "visitor",
    ),
    Case(
        "a common password",
        REGISTER,
        {"person-password1": "password12", "person-password2": "password12"},
        "person-password1",
        "visitor",
    ),
    Case("a language of elsewhere", PROFILE, {"name": "Ann", "language": "tlh"}, "language"),
    Case("NUL in one's name", PROFILE, {"name": "A\0nn", "language": "en"}, "name"),
    Case("a token for no days", TOKEN, {"name": "x", "days": "0"}, "days"),
    Case("a token for ever", TOKEN, {"name": "x", "days": str(10**30)}, "days"),
    Case("a token for not a number of days", TOKEN, {"name": "x", "days": "NaN"}, "days"),
    Case("an enterprise without a name", ENTERPRISE, {"name": " "}, "name", "eadmin"),
    Case("an enterprise without a mailbox", ENTERPRISE, {"name": "Acme", "email": "a@b@c"}, "email", "eadmin"),
    Case("no units", NEW, {**NAME, "units": "0"}, "units", "manager"),
    Case("units that are a word", NEW, {**NAME, "units": "zwei"}, "units", "manager"),
    Case("a name over-long", NEW, {**NAME, "name": LONG}, "name", "manager"),
    Case("NUL in an instrument's name", NEW, {**NAME, "name": "S\0EM"}, "name", "manager"),
    Case("a control in an instrument's name", NEW, {**NAME, "name": "S\x07EM"}, "name", "manager"),
    Case("a header in an instrument's name", NEW, {**NAME, "name": "SEM\r\nBcc: x@y.z"}, "name", "manager"),
    Case("an unknown category", NEW, {**NAME, "category": "zz"}, "category", "manager"),
    Case("rules the wrong way round", RULES, {**ANSWERS, "shortest": "90", "longest": "60"}, "longest", "manager"),
    Case("a step without an end", RULES, {**ANSWERS, "step": str(10**30)}, "step", "manager"),
    Case("rules from no day", RULES, {**ANSWERS, "valid_from": "2026-02-30"}, "valid_from", "manager"),
]
PROBLEMS = [
    Case("the end before the start", BOOK, slot("2026-12-08T10:00", "2026-12-08T09:00")),
    Case("in the past", BOOK, slot("2026-11-20T09:00", "2026-11-20T10:00"), status=409),
    Case("where the clock skips", ABROAD, slot("2027-03-28T02:30", "2027-03-28T04:00")),
    Case("where the clock shows it twice", ABROAD, slot("2027-10-31T02:30", "2027-10-31T04:00")),
    Case("the year 9999", BOOK, slot("9999-12-31T09:00", "9999-12-31T10:00")),
    Case("the year 1", BOOK, slot("0001-01-01T09:00", "0001-01-01T10:00")),
    Case("junk for a time", BOOK, slot("FREQ=DAILY", "soon")),
    Case("no purpose", BOOK, {**SLOT, "purpose": " "}),
    Case("NUL in a purpose", BOOK, {**SLOT, "purpose": "a\0b"}),
    Case("a control in a purpose", BOOK, {**SLOT, "purpose": "a\x07b"}),
    Case("a header in a purpose", BOOK, {**SLOT, "purpose": "a\r\nBcc: b"}),
    Case("an over-long purpose", BOOK, {**SLOT, "purpose": LONG}),
    Case("samples below nothing", BOOK, {**SLOT, "samples": "-1"}),
    Case("samples without an end", BOOK, {**SLOT, "samples": str(10**30)}),
    Case("samples to infinity", BOOK, {**SLOT, "samples": "1e400"}),
    Case("an unknown mode", BOOK, {**SLOT, "mode": "telepathy"}),
    Case("somebody's project", BOOK, {**SLOT, "project": str(10**30)}),
    Case("no version", "/bookings/{confirmed}/cancel/", {"version": "x"}),
    Case("an old version", "/bookings/{confirmed}/cancel/", {"version": "0"}, status=412),
    Case("a reason over-long", "/bookings/{confirmed}/cancel/", {"version": "1", "reason": LONG}),
    Case("a control in a reason", "/bookings/{confirmed}/cancel/", {"version": "1", "reason": "a\x07b"}),
    Case("no reason to reject", "/desk/{requested}/reject/", {"version": "1", "reason": ""}, who="manager"),
    Case(
        "a thirteenth month",
        "/finance/draft/",
        {"institution": "1", "customer": "1", "period": "2026-13"},
        who="finance",
    ),
    Case(
        "a customer without an end",
        "/finance/draft/",
        {"institution": "1", "customer": str(10**30), "period": "2026-11"},
        who="finance",
    ),
    Case("a wrong fapiao number", "/invoices/{issued}/fapiao/", {"number": "12"}, who="finance"),
    Case("letters as a fapiao number", "/invoices/{issued}/fapiao/", {"number": "O" * 20}, who="finance"),
    Case("an invitation to nowhere", INVITE, {"email": "x", "roles": ["member"]}, who="eadmin"),
    Case("an invitation with a header", INVITE, {"email": "a@b.cn\r\nBcc: x@y.z", "roles": ["member"]}, who="eadmin"),
    Case("an invitation to no role", INVITE, {"email": "a@b.cn", "roles": ["king"]}, who="eadmin"),
    Case("a group with a control", "/organisation/{enterprise}/groups/", {"group-name": "a\x07b"}, who="eadmin"),
    Case("a subscription to nothing", "/account/feeds/new/", {"scope": "everything", "detail": "full"}),
    Case(
        "a control in a subscription's name",
        "/account/feeds/new/",
        {"scope": "mine", "detail": "full", "name": "a\x07"},
    ),
    Case("rules that are no file", RULES + "upload/", {}, who="manager"),
    Case("rules that are no JSON", RULES + "upload/", {"file": b"{'rules': []}"}, who="manager"),
    Case("rules that are no text", RULES + "upload/", {"file": b"\xff\xfe\x00"}, who="manager"),
    Case("rules without a bottom", RULES + "upload/", {"file": b"[" * 100_000}, who="manager"),
    Case("rules that are a list", RULES + "upload/", {"file": b"[]"}, who="manager"),
    Case("a page far away", f"/bookings/{10**30}/withdraw/", {"version": "1"}, status=404),
]


@pytest.fixture(scope="module")
def abroad(world: World) -> None:
    """An instrument of the lab where clocks are set forward and back."""
    instrument = Instrument.objects.get(pk=world.ids["instrument"])
    there = make_instrument(instrument.institution, timezone="Europe/Berlin")
    make_price_list(there, valid_from=date(2026, 1, 1))
    world.ids["abroad"] = there.pk


@pytest.fixture(scope="module")
def clients(world: World) -> dict[str, Client]:
    made = {role: Client() for role in {case.who for case in (*FORMS, *PROBLEMS)}}
    for role, client in made.items():
        if role in world.people:
            client.force_login(world.people[role])
    return made


def send(world: World, client: Client, case: Case, language: str) -> tuple[Any, bool]:
    """The answer, and whether anything was written."""
    data = {
        name: SimpleUploadedFile("x.json", value) if isinstance(value, bytes) else value
        for name, value in case.data.items()
    }
    with undone():
        before = state()
        answer = client.post(case.path.format(**world.ids), data, headers={"accept-language": language})
        return answer, state() != before


def words(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html))).strip()


def is_of(language: str, text: str) -> bool:
    """English has no Chinese signs, a Chinese sentence no three English words in a row."""
    if language == "en":
        return bool(text) and not CHINESE.search(text)
    return bool(CHINESE.search(text)) and not re.search(r"[a-z]+ [a-z]+ [a-z]+", text, re.IGNORECASE)


@pytest.mark.usefixtures("abroad")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", FORMS, ids=lambda case: case.name)
def test_the_form_comes_again_with_the_error_by_its_field(
    world: World, clients: dict[str, Client], case: Case, language: str
) -> None:
    answer, changed = send(world, clients[case.who], case, language)
    page = answer.content.decode()

    assert answer.status_code == case.status
    assert not changed
    error = re.search(rf'id="[\w-]*{re.escape(case.field)}_error">(.*?)</div>\s*</div>', page, re.DOTALL)
    assert error, f"no error by {case.field}"
    assert is_of(language, words(error[1]).replace(str(case.data[case.field]).strip(), "")), words(error[1])
    kept = {name: value for name, value in case.data.items() if "password" not in name and isinstance(value, str)}
    typed = re.sub(r"\s+", " ", unescape(page))
    for name, value in kept.items():
        chosen = name in ("category", "language", *ANSWERS)
        assert chosen or re.sub(r"\s+", " ", value.replace("\0", "\ufffd").strip()) in typed.replace("\0", "\ufffd"), (
            name
        )


@pytest.mark.usefixtures("abroad")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", PROBLEMS, ids=lambda case: case.name)
def test_the_problem_is_told(world: World, clients: dict[str, Client], case: Case, language: str) -> None:
    answer, changed = send(world, clients[case.who], case, language)
    page = answer.content.decode()

    assert answer.status_code == case.status, page[:2000]
    assert not changed
    part = page[page.index('class="problem-page"') :]
    reasons = [words(one) for one in re.findall(r"<li data-code.*?</li>", part, re.DOTALL)]
    told = reasons or [words(part[: part.index("btn-list")]).partition(">")[2]]
    assert all(is_of(language, one) for one in told), told


def test_there_are_enough_of_them() -> None:
    names = [case.name for case in (*FORMS, *PROBLEMS)]

    assert len(set(names)) == len(names) >= 40


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("get", "/nowhere/", 404), ("get", "/bookings/987654321/", 404), ("post", "/bookings/", 405),
     ("put", "/instruments/", 405), ("post", "/desk/1/approve/", 404)],
)  # fmt: skip
def test_errors_are_pages(clients: dict[str, Client], method: str, path: str, status: int, language: str) -> None:
    answer = getattr(clients["member"], method)(path, headers={"accept-language": language})

    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    page = answer.content.decode()
    assert f'lang="{"en" if language == "en" else "zh-Hans"}"' in page
    assert is_of(language, words(re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]))  # type: ignore[index]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/money/", "/api/v1/me"])
def test_a_failure_of_the_program_is_an_answer_too(
    world: World, monkeypatch: pytest.MonkeyPatch, path: str, language: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the program failed")

    for where in ("backend.accounts.auth.access_of", "backend.accounts.api.access"):
        monkeypatch.setattr(where, fail)
    client = Client(raise_request_exception=False)
    client.force_login(world.people["member"])
    answer = client.get(path, headers={"accept-language": language})

    assert answer.status_code == 500
    assert "the program failed" not in answer.content.decode()
    if path.startswith("/api/"):
        assert answer["Content-Type"] == "application/problem+json"
        assert is_of(language, answer.json()["title"])
    else:
        assert answer["Content-Type"].startswith("text/html")


def test_a_second_tap_on_the_form_books_nothing_twice(world: World, clients: dict[str, Client]) -> None:
    with undone():
        path = BOOK.format(**world.ids)
        answers = [clients["member"].post(path, SLOT, headers={"accept-language": "en"}) for _ in "ab"]

    assert [answer.status_code for answer in answers] == [302, 409]


# Files, filters that ignore what they cannot read, and passwords, which nobody sees.
OTHER_TEXTS = {"PriceDocumentForm.text", "AnnouncementForm.text", "CatalogueForm.q", "LogFilterForm.kind"}


def our_forms(kind: type[forms.BaseForm] = forms.BaseForm) -> Iterator[type[forms.BaseForm]]:
    for form in kind.__subclasses__():
        if form.__module__.split(".")[0] in ("backend", "booking", "instruments", "invoices"):
            yield form
        yield from our_forms(form)


def test_every_text_of_a_form_refuses_what_nobody_can_read() -> None:
    plain = {
        f"{form.__name__}.{name}"
        for form in our_forms()
        for name, field in form.base_fields.items()  # type: ignore[attr-defined]
        if type(field) is forms.CharField and not isinstance(field.widget, forms.PasswordInput | forms.HiddenInput)
    }

    assert plain - OTHER_TEXTS == set(), "use backend.core.fields.Text"


# --- tables of instruments ----------------------------------------------------------------------------------------

HEAD = "local_no,name_zh\n"


def workbook(*, bomb: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", b"0" * (8_000_000 if bomb else 10))
        file.writestr("xl/externalLinks/externalLink1.xml", "<externalLink/>")
    return out.getvalue()


TABLES: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("empty lines only", b"\n\n\r\n"),
    ("an unknown column", b"local_no,name_zh,colour\n1,SEM,red\n"),
    ("a missing column", b"local_no\n1\n"),
    ("a column twice", b"local_no,name_zh,name_zh\n1,a,b\n"),
    ("quotes unbalanced", HEAD.encode() + b'1,"SEM\n2,TEM\n'),
    ("NUL", HEAD.encode() + b"1,S\0EM\n"),
    ("a control character", HEAD.encode() + b"1,S\x07EM\n"),
    ("more cells than columns", HEAD.encode() + b"1,SEM,x,y\n"),
    ("no number", HEAD.encode() + b",SEM\n"),
    ("the same number twice", HEAD.encode() + b"1,SEM\n1,TEM\n"),
    ("an over-long name", HEAD.encode() + b"1," + b"x" * 500 + b"\n"),
    ("units that are a word", b"local_no,name_zh,units\n1,SEM,two\n"),
    ("units without an end", b"local_no,name_zh,units\n1,SEM,1" + b"0" * 30 + b"\n"),
    ("a worth to infinity", b"local_no,name_zh,worth\n1,SEM,1e400\n"),
    ("a worth that is no number", b"local_no,name_zh,worth\n1,SEM,NaN\n"),
    ("a day that is none", b"local_no,name_zh,begin_date\n1,SEM,2026-02-30\n"),
    ("bytes of no encoding", HEAD.encode() + b"1,\xff\xff\xff\n"),
    ("a workbook", workbook()),
    ("a workbook that unpacks to much", workbook(bomb=True)),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0"),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "content"), TABLES, ids=[name for name, _ in TABLES])
def test_a_bad_table_imports_nothing(world: World, name: str, content: bytes, language: str) -> None:
    instrument = Instrument.objects.get(pk=world.ids["instrument"])
    with undone(), translation.override(language):
        before = state()
        with pytest.raises((Invalid, Refused)) as caught:
            import_instruments(institution=instrument.institution, by=world.people["manager"], content=content)
        assert state() == before
        assert all(is_of(language, str(refusal.detail)) for refusal in caught.value.refusals), name


GOOD = "local_no,name_zh,name_en\n7,扫描电镜,=SUM(1)\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.encode("gbk"),
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", "\t").encode(),
        GOOD.replace("\n", "\r\n\r\n").encode(),
        ("\n\n" + GOOD + "\n\n").encode(),
    ],
    ids=["BOM", "GBK", "semicolons", "tabs", "empty lines", "empty lines around"],
)
def test_an_odd_table_says_the_same(world: World, content: bytes) -> None:
    instrument = Instrument.objects.get(pk=world.ids["instrument"])
    with undone():
        import_instruments(institution=instrument.institution, by=world.people["manager"], content=content)
        made = Instrument.objects.get(institution=instrument.institution, local_no="7")

    assert (made.name, made.name_en) == ("扫描电镜", "=SUM(1)")
