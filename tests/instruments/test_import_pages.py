"""Importing from a page: upload, preview, confirm; and the same by the API."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http.response import HttpResponseBase
from django.utils import timezone
from openpyxl import Workbook, load_workbook

from backend.accounts.models import Role
from backend.audit.models import Entry
from instruments.actions.import_columns import COLUMNS, TEMPLATE, Known, chinese_name, columns_of
from instruments.actions.importing import import_instruments, preview_import
from instruments.models import Instrument, InstrumentTable
from tests.factories import make_enterprise, make_institution, make_instrument, make_manager, make_member
from tests.instruments.clients import client_of, text

PATH = "/manage/instruments/import/"
TABLE = "local_no,name_zh,worth,category\n1,new name,12.50,0101\n2,second,,0101\n"


def upload(content: str | bytes, name: str = "table.csv") -> dict[str, SimpleUploadedFile]:
    return {"file": SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)}


def workbook(*rows: list[Any]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(out)
    return out.getvalue()


def body(answer: HttpResponseBase) -> bytes:
    return b"".join(answer)  # type: ignore[arg-type]  # a streamed answer


def test_preview_tells_and_confirming_imports_exactly_that(db: None) -> None:
    institution = make_institution()
    old = make_instrument(institution, local_no="1", name="old name")
    client = client_of(make_manager(institution))

    preview = client.post(PATH, upload(TABLE), follow=True)

    assert "table.csv" in text(preview)
    assert "old name" in text(preview)
    assert "new name" in text(preview)
    assert [figure["value"] for figure in preview.context["figures"]] == [1, 1, 0, 0]
    assert Instrument.objects.count() == 1
    path = preview.redirect_chain[-1][0]
    done = client.post(path, {"seen": preview.context["seen"], "do": "import"}, follow=True)
    old.refresh_from_db()
    assert (old.name, old.version, Instrument.objects.count()) == ("new name", 2, 2)
    assert "table.csv is imported: 1 instrument added, 1 changed." in text(done)
    assert not InstrumentTable.objects.exists()
    assert Entry.objects.get().action == "instrument.import"
    assert client.get(path).status_code == 404


def test_a_catalogue_that_moved_on_is_shown_again(db: None) -> None:
    institution = make_institution()
    old = make_instrument(institution, local_no="1", name="old name")
    client = client_of(make_manager(institution))
    preview = client.post(PATH, upload(TABLE), follow=True)
    path = preview.redirect_chain[-1][0]
    Instrument.objects.filter(pk=old.pk).update(name="somebody else's")

    again = client.post(path, {"seen": preview.context["seen"], "do": "import"})

    assert again.status_code == 412
    assert "The catalogue changed meanwhile" in text(again)
    assert Instrument.objects.count() == 1
    assert client.post(path, {"seen": again.context["seen"], "do": "import"}).status_code == 302
    assert Instrument.objects.count() == 2


def test_wrong_rows_are_named_and_downloaded_and_nothing_can_be_imported(db: None) -> None:
    institution = make_institution()
    client = client_of(make_manager(institution))

    preview = client.post(PATH, upload("local_no,name_zh,worth\n1,a,viel\n2,,3\n3,c,1\n"), follow=True)
    path = preview.redirect_chain[-1][0]
    report = client.get(f"{path}problems.csv")
    refused = client.post(path, {"seen": preview.context["seen"], "do": "import"})

    assert [figure["value"] for figure in preview.context["figures"]] == [1, 0, 0, 2]
    assert 'value="import"' not in text(preview)
    lines = body(report).decode("utf-8-sig").splitlines()
    assert lines[0] == "Line,Column,Reason"
    assert [line.split(",")[:2] for line in lines[1:]] == [["2", "worth"], ["3", "name_zh"]]
    assert refused.status_code == 412
    assert not Instrument.objects.exists()
    assert client.post(path, {"do": "cancel"})["Location"] == PATH
    assert not InstrumentTable.objects.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "Choose a file."),
        ("\n", "The file is empty."),
        ("colour\nred\n", "This column is not known."),
        (b"PK\x03\x04broken", "This workbook cannot be read."),
        (b"\xd0\xcf\x11\xe0old", "old Excel file"),
        (b"x" * (5 * 1024 * 1024 + 1), "larger than 5 MB"),
        ("local_no,name_zh\n" + "1,a\n" * 20_001, "At most 20000 rows"),
        ("local_no,name_zh\n1,a\x00b\n", "Line 2: Text may not contain the character NUL."),
    ],
)
def test_what_is_no_table_is_refused_at_once(db: None, content: str | bytes, sentence: str) -> None:
    client = client_of(make_manager(make_institution()))

    answer = client.post(PATH, upload(content) if content else {})

    assert answer.status_code == 422
    assert sentence in text(answer)
    assert not InstrumentTable.objects.exists()


def test_workbooks_with_numbers_dates_and_formulas(db: None) -> None:
    institution = make_institution()
    header = ["单位内编号", "仪器名称", "原值（万元）", "启用日期", "技术指标", "海关监管", "备用"]
    rows = [17, "显微镜", 12.5, timezone.now().replace(tzinfo=None, year=2020, month=5, day=31), "=1+1", True]
    client = client_of(make_manager(institution))

    refused = client.post(PATH, upload(workbook(header, rows), "a.xlsx"))
    preview = client.post(PATH, upload(workbook([], header[:-1], [], rows), "a.xlsx"), follow=True)
    client.post(preview.redirect_chain[-1][0], {"seen": preview.context["seen"], "do": "import"})

    assert "备用" in text(refused)
    made = Instrument.objects.get()
    assert (made.local_no, made.name, str(made.worth), str(made.begin_date)) == ("17", "显微镜", "12.50", "2020-05-31")
    assert (made.technical, made.customs_supervised) == ("=1+1", True)


def test_national_names_mean_what_the_interface_means(db: None) -> None:
    institution = make_institution(region="呼和浩特")
    table = (
        "insCode;innerId;cname;ename;instrBelongsType;instrBelongsName;instrCategory;instrSource;worth;type;nation;"
        "manufacturer;instrVersion;beginDate;subject;technical;function;serviceContent;requirement;fee;serviceUrl;"
        "runMachine;serviceMachine;funds;insideDepart;province;city;county;street;contact;phone;email;instrSupervise;image\n"
        "X;1;电镜;SEM;科学仪器中心;分析中心;0101;购置;120.50;专用;日本;JEOL;7900;20200531;化学、物理;"
        "1 nm;看;测;须签协议;面议;https://lab.example;1600.5;800;专项;平台;内蒙古自治区;包头市;昆区;钢铁大街;王;0472;w@example.org;是;a.jpg\n"
    )

    import_instruments(institution=institution, by=None, content=table.encode())

    made = Instrument.objects.get()
    assert (made.regulations, made.requirement, made.fee) == ("须签协议", "", "面议")
    assert (made.belongs_type, made.belongs_name, made.kind, made.source) == (
        "centre",
        "分析中心",
        "special",
        "purchased",
    )
    assert (made.subjects, str(made.run_hours), str(made.service_hours)) == (["化学", "物理"], "1600.5", "800.0")
    assert (made.region, made.city, made.county, made.customs_supervised) == ("包头", "包头市", "昆区", True)
    assert (made.contact_name, made.department, made.model) == ("王", "平台", "7900")


def test_every_column_has_a_chinese_name_that_is_read_back() -> None:
    assert set(TEMPLATE) == set(COLUMNS)
    for column in COLUMNS:
        assert columns_of([f" {chinese_name(column)} * "]) == [column]
    assert columns_of(["requirement"]) == ["requirement"]
    assert columns_of(["innerId", "requirement"])[1] == "regulations"
    assert columns_of(["图片", "nonsense"]) == [Known.IGNORED, Known.UNKNOWN]


@pytest.mark.parametrize(("language", "first"), [("en", "local_no"), ("zh-hans", "单位内编号")])
def test_the_template_is_read_back(db: None, language: str, first: str) -> None:
    client = client_of(make_manager(make_institution()), **{"accept-language": language})

    sheet = body(client.get(f"{PATH}template.xlsx"))
    lines = body(client.get(f"{PATH}template.csv")).decode("utf-8-sig")

    header = [cell.value for cell in load_workbook(io.BytesIO(sheet)).worksheets[0][1]]
    assert header[0] == first
    assert columns_of([str(cell) for cell in header]) == list(TEMPLATE)
    assert lines.startswith(first)
    assert client.get(f"{PATH}template.pdf").status_code == 404


def test_importing_is_for_those_who_manage_everything(db: None, api: Any) -> None:
    institution = make_institution()
    table = InstrumentTable.objects.create(
        institution=institution, by=make_manager(institution), name="x", content=TABLE.encode(), digest="x"
    )
    narrow = make_member(institution, Role.MANAGER, all_instruments=False)
    others = [make_member(institution), narrow, make_member(make_enterprise(), Role.ADMIN)]

    for person in others:
        assert client_of(person).get(PATH).status_code == 403
        assert client_of(person).post(PATH, upload(TABLE)).status_code == 403
        assert client_of(person).get(f"{PATH}template.csv").status_code == 403
        assert client_of(person).get(f"{PATH}{table.pk}/").status_code == 404
        assert client_of(person).post("/api/v1/instruments/import", upload(TABLE)).status_code == 403
    for person in (make_manager(institution), make_manager(make_institution())):
        for path in (f"{PATH}{table.pk}/", f"{PATH}{table.pk}/problems.csv"):
            assert client_of(person).get(path).status_code == 404
    foreign = client_of(make_manager(make_institution()))
    assert foreign.post(PATH, upload(TABLE) | {"institution": str(institution.pk)}).status_code == 404
    assert foreign.post(f"/api/v1/instruments/import?institution={institution.pk}", upload(TABLE)).status_code == 404
    assert client_of().get(PATH).status_code == 302
    assert client_of().post("/api/v1/instruments/import", upload(TABLE)).status_code == 401


def test_forgotten_tables_go(db: None) -> None:
    institution = make_institution()
    person = make_manager(institution)
    client_of(person).post(PATH, upload(TABLE))
    InstrumentTable.objects.update(created_at=timezone.now() - timedelta(days=2))

    client_of(make_manager(institution)).post(PATH, upload(TABLE))

    assert InstrumentTable.objects.exclude(by=person).count() == InstrumentTable.objects.count() == 1


def test_the_api_imports_the_same_table(db: None) -> None:
    institution = make_institution()
    client = client_of(make_manager(institution))
    path = "/api/v1/instruments/import"

    tried = client.post(f"{path}?dry_run=true", upload(TABLE))
    assert not Instrument.objects.exists()
    done = client.post(path, upload(TABLE))
    wrong = client.post(path, upload("local_no,name_zh,worth\n1,a,viel\n"))

    assert tried.json() == {"created": ["1", "2"], "updated": [], "unchanged": [], "notes": [], "dry_run": True}
    assert done.json() == {**tried.json(), "dry_run": False}
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["params"] == {
        "line": 2, "column": "worth", "reason": "“viel” is not understood; write for example: 123.45.",
    }  # fmt: skip
    assert client.post(path, {}).status_code == 422


def test_preview_needs_equally_many_queries_for_1_and_30(db: None, django_assert_num_queries: Any) -> None:
    institution = make_institution()
    for count in (1, 30):
        rows = "".join(f"{n},name {n},SEM\n" for n in range(count))
        with django_assert_num_queries(14):
            report = preview_import(institution=institution, content=f"local_no,name_zh,technique\n{rows}".encode())
        assert len(report.created) == count


def test_readers_of_chinese_see_their_own_headings(db: None) -> None:
    institution = make_institution()
    make_instrument(institution, local_no="1", name="旧")
    client = client_of(make_manager(institution))
    client.cookies["django_language"] = "zh-hans"

    preview = client.post(PATH, upload("单位内编号,中文名称,原值\n1,新,\n2,二,多\n"), follow=True)
    report = client.get(f"{preview.redirect_chain[-1][0]}problems.csv")

    assert "<code>中文名称</code>" in text(preview)
    assert "<td>原值</td>" in text(preview)
    assert body(report).decode("utf-8-sig").splitlines()[1].startswith("3,原值,")
