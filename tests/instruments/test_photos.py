"""Photos: made anew, in order, seen by whoever may see the instrument."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from backend.accounts.models import Role
from backend.audit.models import Entry
from backend.core.errors import Invalid
from instruments.actions import photos as actions
from instruments.actions.photos import add_photo
from instruments.models import Instrument, InstrumentPhoto
from instruments.queries.photos import path_of
from tests.factories import make_enterprise, make_institution, make_instrument, make_manager, make_member
from tests.instruments.clients import client_of, text


def picture(form: str = "PNG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **save: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 0).save(out, form, **save)
    return out.getvalue()


def file(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("../../etc/photo.png", content)


def stored(photo: InstrumentPhoto, size: str) -> bytes:
    with default_storage.open(path_of(photo.uid, size)) as found:
        return bytes(found.read())


def add(instrument: Instrument, alt: str = "") -> InstrumentPhoto:
    return add_photo(instrument=instrument, by=make_manager(instrument.institution), file=file(picture()), alt=alt)


@pytest.mark.parametrize(
    ("form", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")]
)
def test_every_usual_picture_becomes_a_jpeg(db: None, form: str, mode: str) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))

    answer = client.post(
        f"/manage/instruments/{instrument.pk}/photos/", {"file": file(picture(form, mode=mode)), "alt": "镜筒"}
    )

    assert answer["Location"] == f"/manage/instruments/{instrument.pk}/#photos"
    photo = instrument.photos.get()
    shown = client_of().get(f"/instruments/photos/{photo.uid}/large.jpg")
    assert (shown.status_code, shown["Content-Type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(b"".join(shown))).format == "JPEG"
    assert (photo.alt, photo.width, photo.height) == ("镜筒", 64, 48)
    assert Entry.objects.get().action == "instrument.photo_add"


def test_large_pictures_shrink_turn_upright_and_forget_the_camera(db: None) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "Secret camera"
    instrument = make_instrument()

    content = file(picture("JPEG", (3000, 1000), exif=exif))
    photo = add_photo(instrument=instrument, by=make_manager(instrument.institution), file=content)

    assert (photo.width, photo.height) == (667, 2000)
    large, small = stored(photo, "large"), stored(photo, "small")
    assert b"Secret camera" not in large + small
    assert not Image.open(io.BytesIO(large)).getexif()
    assert Image.open(io.BytesIO(small)).size == (160, 480)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Choose a picture."),
        (b"GIF89a" + bytes(20), "not a picture in JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "not a picture in JPEG"),
        (picture()[:40], "not a picture in JPEG"),
        (picture("GIF"), "not a picture in JPEG"),
        (picture("PNG", (9000, 7000), mode="1"), "too many points"),
        (b"x" * (10 * 1024 * 1024 + 1), "larger than 10 MB"),
    ],
)
def test_what_is_no_picture_is_refused(db: None, content: bytes, sentence: str) -> None:
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))

    sent = {"file": file(content)} if content else {}
    answer = client.post(f"/manage/instruments/{instrument.pk}/photos/", sent)

    assert answer.status_code == 422
    assert sentence in text(answer)
    assert not InstrumentPhoto.objects.exists()


def test_there_is_a_limit_and_words_are_checked(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MOST_PHOTOS", 1)
    instrument = make_instrument()
    client = client_of(make_manager(instrument.institution))
    path = f"/manage/instruments/{instrument.pk}/photos/"

    wrong = client.post(path, {"file": file(picture()), "alt": "x" * 121})
    first = client.post(path, {"file": file(picture())})
    second = client.post(path, {"file": file(picture())})

    assert (wrong.status_code, first.status_code, second.status_code) == (422, 302, 422)
    assert "at most 1 photos" in text(second)


def test_photos_are_moved_described_and_deleted_with_their_files(
    db: None, django_capture_on_commit_callbacks: Any
) -> None:
    instrument = make_instrument()
    one, two = add(instrument, "one"), add(instrument, "two")
    client = client_of(make_manager(instrument.institution), **{"hx-request": "true"})
    path = f"/manage/instruments/{instrument.pk}/photos/"

    client.post(f"{path}{two.pk}/", {"do": "earlier"})
    assert list(instrument.photos.values_list("alt", flat=True)) == ["two", "one"]
    client.post(f"{path}{two.pk}/", {"do": "later"})
    assert list(instrument.photos.values_list("alt", flat=True)) == ["one", "two"]
    client.post(f"{path}{two.pk}/", {"alt": "the second"})
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(f"{path}{one.pk}/", {"do": "delete"})

    assert list(instrument.photos.values_list("alt", flat=True)) == ["the second"]
    assert "<html" not in text(answer)
    assert "The photo is deleted." in text(answer)
    kept = [default_storage.exists(path_of(photo.uid, "large")) for photo in (one, two)]
    assert kept == [False, True]
    assert Entry.objects.filter(action="instrument.photo_delete", before__alt="one").exists()


def test_photos_are_seen_by_those_who_see_the_instrument(db: None) -> None:
    institution = make_institution()
    paths = {}
    for sharing in ("external", "internal", "none"):
        photo = add(make_instrument(institution, sharing=sharing))
        paths[sharing] = f"/instruments/photos/{photo.uid}/small.jpg"
    people = [None, make_member(make_enterprise()), make_member(institution), make_manager(institution)]

    seen = [[client_of(person).get(path).status_code for path in paths.values()] for person in people]

    assert seen == [[200, 404, 404], [200, 404, 404], [200, 200, 404], [200, 200, 200]]
    public = client_of().get(paths["external"])
    inside = client_of(people[2]).get(paths["internal"])
    assert public["Cache-Control"] == "public, max-age=2592000, immutable"
    assert inside["Cache-Control"].startswith("private")
    assert public["X-Content-Type-Options"] == "nosniff"
    assert client_of().get(paths["external"].replace("small", "huge")).status_code == 404
    assert client_of().get("/instruments/photos/00000000-0000-4000-8000-000000000000/small.jpg").status_code == 404


def test_only_managers_keep_photos(db: None) -> None:
    instrument = make_instrument()
    photo = add(instrument)
    foreign = add(make_instrument())
    path = f"/manage/instruments/{instrument.pk}/photos/"
    strangers = [
        make_member(instrument.institution),
        make_manager(make_institution()),
        make_member(make_enterprise(), Role.ADMIN),
    ]

    for person in strangers:
        assert client_of(person).post(path, {"file": file(picture())}).status_code == 403
        assert client_of(person).post(f"{path}{photo.pk}/", {"do": "delete"}).status_code == 403
    mine = client_of(make_manager(instrument.institution))
    assert mine.post(f"{path}{foreign.pk}/", {"do": "delete"}).status_code == 404
    assert mine.get(path)["Location"].endswith("#photos")
    assert InstrumentPhoto.objects.count() == 2


def test_first_photo_stands_in_the_catalogue_and_all_in_the_detail(
    db: None, api: Any, django_assert_num_queries: Any
) -> None:
    instrument = make_instrument()
    one, two = add(instrument, "one"), add(instrument, "two")

    item = api().get_api("/instruments").json()["items"][0]
    told = api().get_api(f"/instruments/{instrument.pk}").json()["photos"]

    assert item["photo"].endswith(f"/instruments/photos/{one.uid}/small.jpg")
    assert [photo["alt"] for photo in told] == ["one", "two"]
    assert told[1]["url"].endswith(f"/instruments/photos/{two.uid}/large.jpg")
    assert f'src="/instruments/photos/{one.uid}/small.jpg"' in text(client_of().get("/instruments/"))
    assert f'src="/instruments/photos/{two.uid}/small.jpg" alt="two"' in text(
        client_of().get(f"/instruments/{instrument.pk}/")
    )


def test_no_file_stays_of_a_photo_that_is_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    instrument = make_instrument()
    written: list[str] = []
    save = default_storage.save
    monkeypatch.setattr(default_storage, "save", lambda name, *rest: written.append(save(name, *rest)))
    monkeypatch.setattr(actions, "MOST_PHOTOS", 0)

    with pytest.raises(Invalid):
        add(instrument)

    assert len(written) == 2
    assert not any(default_storage.exists(name) for name in written)
