"""The catalogue, opening hours, everything that takes time on an instrument, and price lists."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Expression, F, Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Agreement, Organisation
from backend.core import constraints
from instruments.record import NationalRecord
from instruments.search_models import SearchWord as SearchWord


class Category(models.Model):
    """One code of the classification (data, importable: it exists in versions)."""

    code = models.CharField(_("code"), max_length=6, primary_key=True)
    parent = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="children")
    name = models.CharField(_("name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=80)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name

    def label(self, language: str) -> str:
        return self.name_en if language == "en" else self.name


class Technique(models.Model):
    """A measuring technique with the names that people use for it."""

    key = models.CharField(_("key"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=80)
    name_en = models.CharField(_("English name"), max_length=120)
    aliases = models.JSONField(default=list)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key


class Mode(models.TextChoices):
    """How a customer uses an instrument: 自主上机, 委托/协助, 送样."""

    SELF = "self", _("Self-operated")
    OPERATOR = "operator", _("Operator-assisted")
    SAMPLE = "sample", _("Sample submission")


class Condition(models.TextChoices):
    """运行状态."""

    NORMAL = "normal", _("In order")
    OCCASIONAL = "occasional", _("Occasional faults")
    FREQUENT = "frequent", _("Frequent faults")
    REPAIR = "repair", _("Under repair")
    SCRAP = "scrap", _("To be scrapped")


class Sharing(models.TextChoices):
    """共享模式."""

    EXTERNAL = "external", _("Open to all")
    INTERNAL = "internal", _("Own institution only")
    NONE = "none", _("Not shared")


class InstrumentGroup(models.Model):
    """Instruments that share rules, e.g. a platform's electron microscopes."""

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="instrument_groups")
    name = models.CharField(_("name"), max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["institution", "name"], name="instrument_group_once")]

    def __str__(self) -> str:
        return self.name


class InstrumentQuerySet(models.QuerySet["Instrument"]):
    def public(self) -> InstrumentQuerySet:
        """In the public catalogue."""
        return self.filter(sharing=Sharing.EXTERNAL).exclude(condition=Condition.SCRAP)


class Instrument(NationalRecord):
    """One instrument; ``units`` > 1 means so many equal channels that can be booked side by side.

    ``setup_minutes`` before and ``cleaning_minutes`` after each booking belong to what it occupies;
    the buffers of neighbours add up. ``version`` grows with every change of the fields below and of the record.
    """

    institution = models.ForeignKey(
        Organisation, models.PROTECT, related_name="instruments", verbose_name=_("institution")
    )
    category = models.ForeignKey(Category, models.PROTECT, related_name="instruments", verbose_name=_("category"))
    techniques = models.ManyToManyField(Technique, related_name="instruments", blank=True, verbose_name=_("techniques"))
    group = models.ForeignKey(InstrumentGroup, models.SET_NULL, null=True, blank=True, related_name="instruments")
    condition = models.CharField(_("condition"), max_length=10, choices=Condition.choices, default=Condition.NORMAL)
    sharing = models.CharField(_("sharing"), max_length=10, choices=Sharing.choices, default=Sharing.EXTERNAL)
    mode_self = models.BooleanField(Mode.SELF.label, default=False)
    mode_operator = models.BooleanField(Mode.OPERATOR.label, default=False)
    mode_sample = models.BooleanField(Mode.SAMPLE.label, default=False)

    units = models.PositiveSmallIntegerField(
        _("units"), default=1, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    timezone = models.CharField(_("time zone"), max_length=40, default="Asia/Shanghai")
    open_on_holidays = models.BooleanField(_("open on public holidays"), default=False)
    setup_minutes = models.PositiveSmallIntegerField(_("set-up, minutes"), default=0)
    cleaning_minutes = models.PositiveSmallIntegerField(_("cleaning, minutes"), default=0)
    hold_hours = models.PositiveSmallIntegerField(
        _("hours for which a request holds its time"), default=24, validators=[MinValueValidator(1)]
    )
    offer_minutes = models.PositiveSmallIntegerField(
        _("minutes for which the waitlist is offered free time"),
        default=120,
        validators=[MinValueValidator(5), MaxValueValidator(2880)],
    )
    check_in = models.BooleanField(_("check-in on site"), default=False)
    no_show_grace = models.PositiveSmallIntegerField(_("minutes until a no-show"), default=30)
    managers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="managed_instruments", blank=True, verbose_name=_("lab managers")
    )
    updated_at = models.DateTimeField(auto_now=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = InstrumentQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["institution", "local_no"], name="instrument_local_no_once"),
            models.CheckConstraint(condition=Q(units__gte=1, units__lte=100), name="instrument_has_units"),
        ]
        indexes = [
            models.Index(fields=["sharing", "category"], name="instrument_by_category"),
            models.Index(fields=["sharing", "region"], name="instrument_by_region"),
            models.Index(fields=["sharing", "name", "id"], name="instrument_by_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def label(self, language: str) -> str:
        return self.name_en if language == "en" and self.name_en else self.name

    @property
    def modes(self) -> list[str]:
        offered = ((Mode.SELF, self.mode_self), (Mode.OPERATOR, self.mode_operator), (Mode.SAMPLE, self.mode_sample))
        return [mode.value for mode, on in offered if on]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class InstrumentPhoto(models.Model):
    """A picture, made anew from what was uploaded. ``uid`` names its files, which never change."""

    instrument = models.ForeignKey(Instrument, models.CASCADE, related_name="photos")
    uid = models.UUIDField(unique=True, default=uuid4, editable=False)
    alt = models.CharField(_("what it shows"), max_length=120, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.alt or str(self.uid)


class InstrumentTable(models.Model):
    """A table that somebody uploaded: kept until it is imported, a day at most."""

    institution = models.ForeignKey(Organisation, models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    content = models.BinaryField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class IndexedName(models.Model):
    """Under which name of the institution its instruments stand in the search index."""

    institution = models.OneToOneField(Organisation, models.CASCADE, primary_key=True, related_name="+")
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=160)

    def __str__(self) -> str:
        return self.name


class DayKind(models.TextChoices):
    HOLIDAY = "holiday", _("Holiday")
    WORKDAY = "workday", _("Working day")


class CalendarDay(models.Model):
    """A day of the State Council's announcement for ``year``: a holiday, or a weekend that is worked instead.

    The days of a year that was imported replace those that come with the product.
    """

    day = models.DateField(_("date"), unique=True)
    year = models.PositiveSmallIntegerField(_("year"))
    kind = models.CharField(max_length=10, choices=DayKind.choices)
    name = models.CharField(_("name"), max_length=40, blank=True)
    source = models.CharField(_("source"), max_length=200, blank=True)

    class Meta:
        ordering = ["day"]
        indexes = [models.Index(fields=["year"], name="calendar_day_by_year")]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"


class OpeningHoursQuerySet(models.QuerySet["OpeningHours"]):
    def valid_between(self, first: date, last: date) -> OpeningHoursQuerySet:
        return self.filter(Q(valid_from=None) | Q(valid_from__lte=last)).filter(
            Q(valid_to=None) | Q(valid_to__gte=first)
        )


class OpeningHours(models.Model):
    """Open on a weekday from ``opens`` to ``closes``, local wall time; ``closes`` ≤ ``opens`` is the next day."""

    instrument = models.ForeignKey(Instrument, models.CASCADE, related_name="opening_hours")
    weekday = models.PositiveSmallIntegerField(_("weekday"), validators=[MinValueValidator(1), MaxValueValidator(7)])
    opens = models.TimeField(_("opens"))
    closes = models.TimeField(_("closes"))
    valid_from = models.DateField(_("valid from"), null=True, blank=True)
    valid_to = models.DateField(_("valid to"), null=True, blank=True)

    objects = OpeningHoursQuerySet.as_manager()

    class Meta:
        ordering = ["weekday", "opens"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__gte=1, weekday__lte=7), name="opening_hours_weekday"),
            models.UniqueConstraint(
                fields=["instrument", "weekday", "opens", "valid_from"], name="opening_hours_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.opens:%H:%M}–{self.closes:%H:%M}"


class SpecialDay(models.Model):
    """A date that differs from the weekly hours: closed, or specially open from ``opens`` to ``closes``."""

    instrument = models.ForeignKey(Instrument, models.CASCADE, related_name="special_days")
    day = models.DateField(_("date"))
    opens = models.TimeField(_("opens"), null=True, blank=True)
    closes = models.TimeField(_("closes"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=100, blank=True)

    class Meta:
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(fields=["instrument", "day"], name="special_day_once"),
            models.CheckConstraint(
                condition=Q(opens=None, closes=None) | Q(opens__isnull=False, closes__isnull=False),
                name="special_day_both_times",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day}"


class Outage(models.Model):
    """Time in which an instrument cannot be used; occupies every unit.

    ``uid``, ``sequence`` and ``changed_at`` tell calendar programs which event it is and that it changed (RFC 5545).
    While ``open_ended``, nobody knows the end yet: ``end`` is how far it is shown and moves on by itself; what that
    newly hits is displaced where ``displaces``, else the lab is asked.
    """

    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="outages")
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    open_ended = models.BooleanField(_("the end is not known yet"), default=False)
    displaces = models.BooleanField(_("displaces further bookings by itself"), default=False)
    reason = models.CharField(_("reason"), max_length=200)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    uid = models.UUIDField(unique=True, default=uuid4, editable=False)
    sequence = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["start"]
        constraints = [models.CheckConstraint(condition=Q(end__gt=F("start")), name="outage_end_after_start")]

    def __str__(self) -> str:
        return self.reason


class OccupancyKind(models.TextChoices):
    BOOKING = "booking", _("Booked")
    HOLD = "hold", _("Held for a request")
    OFFER = "offer", _("Held for an offer")
    OUTAGE = "outage", _("Out of service")


class OccupancyQuerySet(models.QuerySet["Occupancy"]):
    def overlapping(self, start: datetime | Expression, end: datetime | Expression) -> OccupancyQuerySet:
        return self.filter(start__lt=end, end__gt=start)


class Occupancy(models.Model):
    """Time ``[start, end)`` taken on one unit of an instrument: the only truth about what is free.

    Set-up and cleaning are included. The database refuses two rows of one unit that overlap.
    """

    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="occupancies")
    unit = models.PositiveSmallIntegerField(validators=[MinValueValidator(1)])
    start = models.DateTimeField()
    end = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=OccupancyKind.choices)
    outage = models.ForeignKey(Outage, models.CASCADE, null=True, blank=True, related_name="occupancies")

    objects = OccupancyQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(end__gt=F("start")), name="occupancy_end_after_start")]
        indexes = [models.Index(fields=["instrument", "start", "end"], name="occupancy_by_time")]

    def __str__(self) -> str:
        return f"{self.instrument_id}/{self.unit} {self.start:%F %R}–{self.end:%R}"


class PriceListQuerySet(models.QuerySet["PriceList"]):
    def in_force(self, day: date | Expression) -> PriceListQuerySet:
        """The version in force on a date comes first."""
        return self.filter(valid_from__lte=day).order_by("-valid_from", "-version")


class PriceList(models.Model):
    """A dated version of the prices of an instrument, or of an agreement for all instruments of its institution.

    ``document`` is the JSON of docs/pricing.md. Versions never change: a correction is a new version. A booking keeps
    the one it was quoted under.
    """

    instrument = models.ForeignKey(
        Instrument, models.PROTECT, null=True, blank=True, related_name="price_lists", verbose_name=_("instrument")
    )
    agreement = models.ForeignKey(
        Agreement, models.PROTECT, null=True, blank=True, related_name="price_lists", verbose_name=_("agreement")
    )
    version = models.PositiveIntegerField()
    valid_from = models.DateField(_("valid from"))
    document = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PriceListQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["instrument", "version"], name="price_list_version_once"),
            models.UniqueConstraint(fields=["agreement", "version"], name="price_list_agreed_version_once"),
            models.CheckConstraint(
                condition=models.Q(instrument=None, agreement__isnull=False)
                | models.Q(instrument__isnull=False, agreement=None),
                name="price_list_of_one",
            ),
        ]
        indexes = [
            models.Index(fields=["instrument", "-valid_from", "-version"], name="price_list_in_force"),
            models.Index(
                fields=["agreement", "-valid_from", "-version"],
                condition=models.Q(agreement__isnull=False),
                name="price_list_agreed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id or self.agreement_id} v{self.version}"

    @property
    def currency(self) -> str:
        document: dict[str, Any] = self.document
        return str(document.get("currency", "CNY"))


class StartingPrice(models.Model):
    """The lowest price of an instrument for an audience, worked out when its price list is saved."""

    instrument = models.ForeignKey(Instrument, models.CASCADE, related_name="starting_prices")
    audience = models.CharField(max_length=30)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    unit = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["instrument", "audience"], name="starting_price_once")]
        indexes = [models.Index(fields=["audience", "amount"], name="starting_price_by_amount")]

    def __str__(self) -> str:
        return f"{self.amount}/{self.unit}"


constraints.register(
    constraints.NoOverlap("instruments_occupancy", ("instrument_id", "unit")),
    constraints.Immutable(
        "instruments_pricelist", ("instrument_id", "agreement_id", "version", "valid_from", "document")
    ),
)
