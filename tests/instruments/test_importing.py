"""Importing a table: all or nothing, in whatever form it comes."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from backend.accounts.models import Organisation
from backend.audit.models import Entry
from backend.core.errors import Invalid
from instruments.actions.import_columns import TEMPLATE
from instruments.actions.import_rows import Report
from instruments.actions.importing import import_instruments
from instruments.models import Category, Instrument, Occupancy, Technique
from tests.factories import make_enterprise, make_institution, make_instrument

SAMPLE = Path(__file__).resolve().parents[2] / "instruments" / "data" / "instruments.csv"
HEADER = "local_no,name_zh,category,technique,units,modes\n"


def load(institution: Organisation, text: str | bytes, **more: Any) -> Report:
    content = text.encode() if isinstance(text, str) else text
    return import_instruments(institution=institution, by=None, content=content, **more)


def problems(institution: Organisation, text: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(Invalid) as error:
        load(institution, text)
    assert not Instrument.objects.filter(institution=institution).exists()
    return [(r.params.get("line", 0), r.params.get("column", r.field)) for r in error.value.refusals]


def test_the_47_real_instruments(db: None) -> None:
    institution = make_institution(region="呼和浩特")

    report = load(institution, SAMPLE.read_bytes())

    assert (len(report.created), report.updated, report.unchanged, report.notes) == (47, [], [], [])
    channels = Instrument.objects.get(local_no="53")
    assert (channels.units, channels.modes, channels.region) == (8, ["self"], "呼和浩特")
    thermal = Instrument.objects.get(local_no="20")
    assert sorted(thermal.techniques.values_list("key", flat=True)) == ["DSC", "DTA", "TGA"]
    assert Entry.objects.get().action == "instrument.import"


def test_again_changes_nothing_and_what_differs_is_updated(db: None) -> None:
    institution = make_institution()
    load(institution, SAMPLE.read_bytes())
    first = Instrument.objects.get(local_no="17")

    again = load(institution, SAMPLE.read_bytes())
    changed = load(institution, HEADER + "17,新扫描电镜,0101,SEM;EDS,1,self;sample\n")

    assert (len(again.unchanged), again.created, again.updated) == (47, [], [])
    assert (changed.updated, changed.created) == (["17"], [])
    now = Instrument.objects.get(local_no="17")
    assert (now.pk, now.name, now.name_en, now.modes) == (first.pk, "新扫描电镜", first.name_en, ["self", "sample"])
    assert sorted(now.techniques.values_list("key", flat=True)) == ["EDS", "SEM"]


def test_columns_that_are_absent_stay_as_they_are(db: None) -> None:
    institution = make_institution()
    instrument = make_instrument(institution, local_no="1", name="old", manufacturer="JEOL", units=3)

    load(
        institution, "local_no,name_zh,worth,begin_date,sharing,condition\n1,new,123.45,2020/05/31,internal,偶有故障\n"
    )

    instrument.refresh_from_db()
    assert (instrument.name, instrument.manufacturer, instrument.units) == ("new", "JEOL", 3)
    assert (instrument.worth, instrument.begin_date) == (Decimal("123.45"), date(2020, 5, 31))
    assert (instrument.sharing, instrument.condition) == ("internal", "occasional")


def test_empty_cells_leave_what_is_there(db: None) -> None:
    """A template with every column, filled in for one of them, wipes out nothing."""
    institution = make_institution()
    instrument = make_instrument(
        institution, local_no="1", name="old", manufacturer="JEOL", subjects=["化学"], mode_sample=True
    )
    instrument.techniques.add(Technique.objects.create(key="XYZ", name="某法"))
    category = instrument.category_id

    report = load(institution, f"{','.join(TEMPLATE)}\n1,new{',' * (len(TEMPLATE) - 2)}\n")

    instrument.refresh_from_db()
    assert (report.updated, report.notes) == (["1"], [])
    assert [change.fields for change in report.changes] == [[("name_zh", "old", "new")]]
    assert (instrument.name, instrument.manufacturer, instrument.subjects) == ("new", "JEOL", ["化学"])
    assert (instrument.category_id, instrument.techniques.count()) == (category, 1)
    assert instrument.modes == ["self", "operator", "sample"]


@pytest.mark.parametrize(
    "cell", ["自主上机；委托测试；送样检测", "self; Operator-assisted; SAMPLE", "自主、协助、送样"]
)
def test_modes_are_read_as_pages_name_them(db: None, cell: str) -> None:
    load(make_institution(), f"local_no,name_zh,modes\n1,a,{cell}\n")

    assert Instrument.objects.get(local_no="1").modes == ["self", "operator", "sample"]


def test_same_numbers_of_another_institution_are_not_touched(db: None) -> None:
    other = make_instrument(local_no="17", name="theirs")

    load(make_institution(), HEADER + "17,ours,0101,,1,self\n")

    other.refresh_from_db()
    assert other.name == "theirs"


def test_dry_run_reports_and_changes_nothing(db: None) -> None:
    institution = make_institution()

    report = load(institution, SAMPLE.read_bytes(), dry_run=True)

    assert len(report.created) == 47
    assert not Instrument.objects.exists()
    assert not Category.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    "content",
    [
        (HEADER + "1,显微镜,0101,SEM,1,self\n").encode(),
        (HEADER + "1,显微镜,0101,SEM,1,self\n").encode("utf-8-sig"),
        (HEADER + "1,显微镜,0101,SEM,1,self\n").encode("gbk"),
        (HEADER + "\n\n1,显微镜,0101,SEM,1,self\n,,,,,\n").encode(),
        (HEADER + "1,显微镜,0101,SEM,1,self").replace("\n", "\r\n").encode(),
        (HEADER + "1,显微镜,0101,SEM,1,self\n").replace(",", ";").encode(),
        (HEADER + "1,显微镜,0101,SEM,1,self\n").replace(",", "\t").encode("gbk"),
        (HEADER.upper() + '" 1 ","显微镜",0101, sem ,1,self\n').encode(),
    ],
)
def test_every_usual_form_of_csv(db: None, content: bytes) -> None:
    institution = make_institution()

    load(institution, content)

    instrument = Instrument.objects.get()
    assert (instrument.local_no, instrument.name, instrument.category_id) == ("1", "显微镜", "0101")
    assert [technique.key for technique in instrument.techniques.all()] == ["SEM"]


def test_unknown_category_becomes_unclassified_with_a_note(db: None) -> None:
    report = load(make_institution(), HEADER + "1,a,7777,,1,self\n2,b,,,1,self\n")

    assert set(Instrument.objects.values_list("category", flat=True)) == {"990000"}
    assert report.notes == ["Line 2: category 7777 is not known; stored as 990000."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(0, "file")]),
        ("\n\n", [(0, "file")]),
        ("name_zh\nx\n", [(1, "local_no")]),
        ("local_no,name_zh,colour\n1,a,red\n", [(1, "colour")]),
        ("local_no,name_zh,name_zh\n1,a,b\n", [(1, "name_zh")]),
        (HEADER + ",a,0101,,1,self\n", [(2, "local_no")]),
        (HEADER + "1,,0101,,1,self\n", [(2, "name_zh")]),
        (HEADER + "1,a,0101,,1,self\n1,b,0101,,1,self\n", [(3, "local_no")]),
        (HEADER + "1,a,0101,warp,1,self\n", [(2, "technique")]),
        (HEADER + "1,a,0101,,many,self\n", [(2, "units")]),
        (HEADER + "1,a,0101,,0,self\n", [(2, "units")]),
        (HEADER + "1,a,0101,,1,teleport\n", [(2, "modes")]),
        (HEADER + "1,a,0101,,1,self,extra\n", [(2, "")]),
        (HEADER + f"1,{'x' * 121},0101,,1,self\n", [(2, "name_zh")]),
        (HEADER + "1,a\x1b,0101,,1,self\n", [(2, "name_zh")]),
        (HEADER + "1,a\x00,0101,,1,self\n", [(2, "")]),
        ("local_no,name_zh,worth\n1,a,1e400\n2,b,99999999999\n", [(2, "worth"), (3, "worth")]),
        ("local_no,name_zh,run_hours,service_hours\n1,a,10,20\n", [(2, "service_hours")]),
        ("local_no,name_zh,kind,postcode\n1,a,odd,01\n", [(2, "kind"), (2, "postcode")]),
        ("local_no,name_zh,customs_supervised\n1,a,perhaps\n", [(2, "customs_supervised")]),
        ("local_no,name_zh,subject\n1,a," + "x" * 61 + "\n", [(2, "subject")]),
        (",".join(["local_no", "name_zh", *"abc"]) + "\n", [(1, "a"), (1, "b"), (1, "c")]),
        (b"\xd0\xcf\x11\xe0old excel", [(0, "file")]),
        (b"PK\x03\x04no workbook", [(0, "file")]),
        ("local_no,name_zh,worth\n1,a,much\n2,b,NaN\n3,c,-1\n", [(2, "worth"), (3, "worth"), (4, "worth")]),
        ("local_no,name_zh,begin_date\n1,a,2024-02-30\n", [(2, "begin_date")]),
        ("local_no,name_zh,sharing\n1,a,maybe\n", [(2, "sharing")]),
        ("local_no,name_zh,contact_email\n1,a,nobody\n", [(2, "contact_email")]),
        (HEADER + '1,"a\n', []),
        (b"\xff\xfe\x00\x01", [(0, "file")]),
        (b"x" * (5 * 1024 * 1024 + 1), [(0, "file")]),
        ("local_no,name_zh\n" + "1,a\n" * 20_001, [(0, "file")]),
    ],
)
def test_bad_rows_are_named_and_nothing_is_imported(
    db: None, text: str | bytes, expected: list[tuple[int, str]]
) -> None:
    found = problems(make_institution(), text)

    assert found == expected or (not expected and found)


def test_good_rows_beside_a_bad_one_are_not_imported_either(db: None) -> None:
    institution = make_institution()
    before = make_instrument(institution, local_no="1", name="old")

    with pytest.raises(Invalid) as error:
        load(institution, HEADER + "1,new,0101,,1,self\n2,b,0101,,x,self\n3,c,0101,,1,y\n")

    before.refresh_from_db()
    assert before.name == "old"
    assert Instrument.objects.count() == 1
    assert [str(r.detail) for r in error.value.refusals] == [
        "Line 3, column units: “x” is not understood; write for example: 1–100.",
        "Line 4, column modes: “y” is not understood; write for example: "
        "Self-operated; Operator-assisted; Sample submission.",
    ]


def test_units_in_use_cannot_go_away(db: None) -> None:
    institution = make_institution()
    instrument = make_instrument(institution, local_no="1", units=8)
    start = timezone.now() + timedelta(days=1)
    Occupancy.objects.create(instrument=instrument, unit=6, start=start, end=start + timedelta(hours=1), kind="booking")

    with pytest.raises(Invalid) as error:
        load(institution, HEADER + "1,a,0101,,5,self\n")

    assert error.value.refusals[0].params["column"] == "units"
    assert load(institution, HEADER + "1,a,0101,,6,self\n").updated == ["1"]


def test_command_loads_says_what_it_did_and_refuses_with_lines(db: None, tmp_path: Path) -> None:
    make_institution(code="lab")
    bad = tmp_path / "bad.csv"
    bad.write_text(HEADER + "1,a,0101,,x,self\n")
    out, err = StringIO(), StringIO()

    call_command("import_instruments", SAMPLE, "--institution", "lab", "--dry-run", stdout=out)
    call_command("import_instruments", SAMPLE, "--institution", "lab", stdout=out)
    with pytest.raises(CommandError):
        call_command("import_instruments", bad, "--institution", "lab", stdout=out, stderr=err)

    assert out.getvalue().splitlines() == [
        "47 would be created, 0 would be updated, 0 unchanged.",
        "47 created, 0 updated, 0 unchanged.",
    ]
    assert err.getvalue().startswith("Line 2, column units:")


def test_command_knows_institutions_and_files_only(db: None, tmp_path: Path) -> None:
    make_enterprise(code="firm")
    make_institution(code="lab")

    for code, path in (("firm", SAMPLE), ("nobody", SAMPLE), ("lab", tmp_path / "absent.csv")):
        with pytest.raises(CommandError):
            call_command("import_instruments", path, "--institution", code)


def test_load_reference_data_command(db: None) -> None:
    out = StringIO()

    call_command("load_reference_data", stdout=out)

    assert out.getvalue() == "90 categories, 52 techniques.\n"
