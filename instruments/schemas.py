"""Shapes of the instruments API. Money is text with two decimals; instants carry their offset."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import Field, model_validator

from backend.core.api import LINE, PLAIN, Day, Id, In, Instant, Page, plain_throughout
from instruments.queries.catalogue import Filters
from instruments.search_schemas import HighlightOut

ModeName = Literal["self", "operator", "sample"]
ConditionName = Literal["normal", "occasional", "frequent", "repair", "scrap"]
SharingName = Literal["external", "internal", "none"]
SourceName = Literal["purchased", "developed", "donated", "other"]
KindName = Literal["general", "special"]
BelongsName = Literal["", "facility", "centre", "instrument", "other"]
Hours = Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=1)]

Short = Annotated[str, Field(max_length=200), LINE]
Place = Annotated[str, Field(max_length=30), LINE]
Long = Annotated[str, Field(max_length=20_000), PLAIN]


class CatalogueFilters(Page):
    q: Short = Field("", description="Words: names, techniques and their synonyms, pinyin, initials")
    category: list[Annotated[str, Field(max_length=6), LINE]] = Field(
        [], description="Codes; an upper one includes the lower"
    )
    technique: list[Annotated[str, Field(max_length=40), LINE]] = Field([], description="Keys, such as SEM")
    institution: list[Id] = Field([])
    region: list[Annotated[str, Field(max_length=30), LINE]] = Field([])
    mode: list[ModeName] = Field([])
    status: list[ConditionName] = Field([])
    sharing: list[SharingName] = Field([], description="For members of institutions, who see more than the public")
    price_max: Decimal | None = Field(None, ge=0, le=10**9, description="At most this starting price")
    free_from: Instant | None = Field(None, description="Only with a free time from here on")
    free_to: Instant | None = None
    free_within_days: int | None = Field(
        None, ge=1, le=31, description="Only with a free time in as many days from now"
    )
    duration_minutes: int = Field(60, ge=5, le=7 * 24 * 60, description="How long the free time must be")
    near: Annotated[str, Field(max_length=30), LINE] = Field("", description="Region from which `sort=near` counts")
    sort: Literal["relevance", "earliest", "price", "near", "name"] = "relevance"

    def as_filters(self) -> Filters:
        return Filters(
            q=self.q,
            category=tuple(self.category),
            technique=tuple(self.technique),
            institution=tuple(self.institution),
            region=tuple(self.region),
            mode=tuple(self.mode),
            status=tuple(self.status),
            sharing=tuple(self.sharing),
            price_max=self.price_max,
            free_from=self.free_from,
            free_to=self.free_to,
            within=self.free_within_days,
            near=self.near,
            length=timedelta(minutes=self.duration_minutes),
            sort=self.sort,
        )


class Window(Schema):
    from_: Instant = Field(alias="from")
    to: Instant


class Windows(Window):
    instruments: str = Field(pattern=r"^\d{1,18}(,\d{1,18})*$", max_length=4000, description="Ids, up to 200: 1,2,3")


class CategoryOut(Schema):
    code: str
    name: str


class InstitutionOut(Schema):
    id: int
    name: str


class PriceFrom(Schema):
    amount: str
    currency: str
    unit: str = Field(description="hour, sample or use")


class InstrumentOut(Schema):
    id: int
    local_no: str
    name: str
    name_en: str
    manufacturer: str
    model: str
    category: CategoryOut
    techniques: list[str]
    institution: InstitutionOut
    region: str
    modes: list[ModeName]
    units: int
    status: ConditionName
    timezone: str
    photo: str | None = Field(description="Address of a small picture")
    price_from: PriceFrom | None = Field(description="For your audience; a visitor sees the enterprises' price")
    next_free: datetime | None = Field(description="First free hour of the coming two weeks")
    highlights: list[HighlightOut] = Field([], description="With `q`: what the words meant")


class InstrumentPage(Schema):
    items: list[InstrumentOut]
    count: int
    how: Literal["all", "near", "any"] = Field(
        description="Found by all words, by words that are spelled or sound alike, or by any of them"
    )


class HoursOut(Schema):
    weekday: int = Field(description="1 Monday to 7 Sunday")
    opens: str
    closes: str = Field(description="At or before opens: on the next day")
    valid_from: date | None
    valid_to: date | None


class SpecialDayOut(Schema):
    day: date
    opens: str | None = Field(description="null: closed")
    closes: str | None
    note: str


class PriceRow(Schema):
    item: str
    audience: str
    price: str | None
    unit: str
    note: str


class PriceListOut(Schema):
    version: int
    valid_from: date
    name: str
    currency: str
    rows: list[PriceRow]


class ContactOut(Schema):
    name: str
    phone: str
    email: str


class PhotoOut(Schema):
    url: str
    thumbnail: str
    alt: str
    width: int
    height: int


class ForManagers(Schema):
    """What an institution tells the network, not its users."""

    funds: str
    customs_supervised: bool
    declaration_no: str
    declaration_date: date | None


class InstrumentDetail(InstrumentOut):
    description: str
    specifications: str
    services: str
    sample_requirements: str
    opening_hours: list[HoursOut]
    special_days: list[SpecialDayOut]
    policy: list[str] = Field(description="The rules as sentences")
    price_list: PriceListOut | None
    photos: list[PhotoOut]
    contact: ContactOut
    sharing: SharingName
    setup_minutes: int
    cleaning_minutes: int
    version: int = Field(description="Grows with every change; send it with a change to be told if somebody was faster")
    kind: KindName
    source: SourceName
    worth: str | None = Field(description="10,000 CNY")
    nation: str
    begin_date: date | None
    belongs_type: BelongsName = Field(description="What it is part of; empty: it stands for itself")
    belongs_name: str
    subjects: list[str] = Field(description="Fields of science")
    regulations: str = Field(description="Opening regulations")
    fee: str = Field(description="Charges in words, beside the price list")
    service_url: str = Field(description="The institution's own booking page")
    run_hours: str | None = Field(description="Of the last full year")
    service_hours: str | None
    department: str
    province: str
    city: str
    county: str
    street: str
    address: str
    postcode: str
    for_managers: ForManagers | None = Field(description="null for everybody else")


class CalendarDayOut(Schema):
    day: date
    kind: Literal["holiday", "workday"] = Field(description="A day off, or a weekend that is worked instead")
    name: str


class HolidaysOut(Schema):
    year: int
    known: bool = Field(description="false: not announced yet, every week is taken as an ordinary one")
    days: list[CalendarDayOut]


class HolidaysAsked(Schema):
    year: int = Field(ge=2000, le=2100)


class FreeOut(Schema):
    start: datetime
    end: datetime
    units: int


class BusyOut(Schema):
    start: datetime
    end: datetime
    kind: Literal["booking", "hold", "offer", "outage"]


class AvailabilityOut(Schema):
    instrument: int
    timezone: str
    from_: datetime = Field(alias="from")
    to: datetime
    free: list[FreeOut]
    busy: list[BusyOut]


MAY_BE_UNKNOWN = {"worth", "begin_date", "run_hours", "service_hours", "declaration_date"}


class InstrumentChange(In):
    """Only what is named is changed. Techniques by key, managers by id. ``version``: refused (412) if it is older."""

    version: int | None = Field(None, ge=1, le=2**31 - 1)

    local_no: Annotated[str, Field(min_length=1, max_length=40), LINE] | None = None
    name: Annotated[str, Field(min_length=1, max_length=120), LINE] | None = None
    name_en: Annotated[str, Field(max_length=160), LINE] | None = None
    category: Annotated[str, Field(max_length=6), LINE] | None = None
    techniques: list[Annotated[str, Field(max_length=40), LINE]] | None = Field(None, max_length=40)
    manufacturer: Annotated[str, Field(max_length=80), LINE] | None = None
    model: Annotated[str, Field(max_length=80), LINE] | None = None
    nation: Annotated[str, Field(max_length=40), LINE] | None = None
    source: SourceName | None = None
    worth: Decimal | None = Field(None, ge=0, max_digits=12, decimal_places=2, description="10,000 CNY")
    begin_date: Day | None = None
    kind: KindName | None = None
    belongs_type: BelongsName | None = None
    belongs_name: Annotated[str, Field(max_length=120), LINE] | None = None
    subjects: list[Annotated[str, Field(min_length=1, max_length=60), LINE]] | None = Field(None, max_length=10)
    regulations: Long | None = None
    fee: Long | None = None
    service_url: Annotated[str, Field(max_length=300), LINE] | None = None
    run_hours: Hours | None = None
    service_hours: Hours | None = None
    funds: Short | None = None
    customs_supervised: bool | None = None
    declaration_no: Annotated[str, Field(max_length=40), LINE] | None = None
    declaration_date: Day | None = None
    province: Place | None = None
    city: Place | None = None
    county: Place | None = None
    street: Annotated[str, Field(max_length=80), LINE] | None = None
    postcode: Annotated[str, Field(max_length=6), LINE] | None = None
    technical: Long | None = None
    function: Long | None = None
    service_content: Long | None = None
    requirement: Long | None = None
    department: Annotated[str, Field(max_length=80), LINE] | None = None
    region: Annotated[str, Field(max_length=30), LINE] | None = None
    address: Short | None = None
    contact_name: Annotated[str, Field(max_length=40), LINE] | None = None
    contact_phone: Annotated[str, Field(max_length=30), LINE] | None = None
    contact_email: Annotated[str, Field(max_length=254), LINE] | None = None
    status: ConditionName | None = None
    sharing: SharingName | None = None
    modes: list[ModeName] | None = None
    units: int | None = Field(None, ge=1, le=100)
    timezone: Annotated[str, Field(max_length=40), LINE] | None = None
    open_on_holidays: bool | None = None
    setup_minutes: int | None = Field(None, ge=0, le=1440)
    cleaning_minutes: int | None = Field(None, ge=0, le=1440)
    hold_hours: int | None = Field(None, ge=1, le=1000)
    offer_minutes: int | None = Field(None, ge=5, le=2880)
    check_in: bool | None = None
    no_show_grace: int | None = Field(None, ge=0, le=1440)
    managers: list[Id] | None = Field(None, max_length=100)

    def values(self) -> dict[str, Any]:
        """The named fields under the model's names; null is only a value where a field may be unknown."""
        aside = {"techniques", "managers", "institution", "modes", "version"}
        given = self.model_dump(exclude_unset=True, exclude=aside)
        out = {name: value for name, value in given.items() if value is not None or name in MAY_BE_UNKNOWN}
        for ours, models in (("category", "category_id"), ("status", "condition")):
            if ours in out:
                out[models] = out.pop(ours)
        if self.modes is not None:
            out |= {f"mode_{mode}": mode in self.modes for mode in ("self", "operator", "sample")}
        return out


class NewInstrument(InstrumentChange):
    local_no: Annotated[str, Field(min_length=1, max_length=40), LINE]
    name: Annotated[str, Field(min_length=1, max_length=120), LINE]
    category: Annotated[str, Field(max_length=6), LINE]
    institution: Id | None = Field(None, description="Needed when you manage instruments of several")


class ImportAsked(Schema):
    institution: Id | None = Field(None, description="Needed when you manage instruments of several")
    dry_run: bool = False


class ImportOut(Schema):
    """Numbers at the institution."""

    created: list[str]
    updated: list[str]
    unchanged: list[str]
    notes: list[str]
    dry_run: bool


class PriceDocument(Schema):
    """A price list; its form is described in docs/pricing.md. ``version`` is ignored when it is sent."""

    model_config = {"extra": "allow"}

    version: int | None = None
    valid_from: Day | None = Field(None, description="Default: today")
    name: str | None = None
    currency: str | None = None
    rules: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _plain(self) -> PriceDocument:
        plain_throughout(self.model_dump())
        return self


class GroupChange(In):
    """Only what is named is changed; ``instruments`` are then all that belong to the group."""

    name: Annotated[str, Field(min_length=1, max_length=80), LINE] | None = None
    instruments: list[Id] | None = Field(None, max_length=1000)


class NewGroup(In):
    institution: Id
    name: Annotated[str, Field(min_length=1, max_length=80), LINE]
    instruments: list[Id] = Field(default_factory=list, max_length=1000)


class GroupOut(Schema):
    id: int
    name: str
    institution: int
    instruments: list[int]


class GroupPage(Schema):
    items: list[GroupOut]
    count: int
