"""What the national network wants to know of an instrument; names of its interface: docs/data.md."""

from __future__ import annotations

from django.core.validators import MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

# A leap year has so many hours; several units run side by side.
HOURS_A_YEAR = 8784


class Source(models.TextChoices):
    PURCHASED = "purchased", _("Purchased")
    DEVELOPED = "developed", _("Developed")
    DONATED = "donated", _("Donated")
    OTHER = "other", _("Other")


class Kind(models.TextChoices):
    """类别."""

    GENERAL = "general", _("General purpose")
    SPECIAL = "special", _("Special purpose")


class BelongsType(models.TextChoices):
    """附属类型: what an instrument is part of."""

    FACILITY = "facility", _("Large research facility")
    CENTRE = "centre", _("Instrument centre")
    INSTRUMENT = "instrument", _("Another instrument")
    OTHER = "other", _("Other")


class NationalRecord(models.Model):
    """The descriptive half of an instrument. ``worth`` in 10,000 CNY; hours are those of the last full year."""

    local_no = models.CharField(_("number at the institution"), max_length=40)
    name = models.CharField(_("name"), max_length=120)
    name_en = models.CharField(_("English name"), max_length=160, blank=True)
    belongs_type = models.CharField(_("part of"), max_length=10, choices=BelongsType.choices, blank=True)
    belongs_name = models.CharField(_("name of what it is part of"), max_length=120, blank=True)
    kind = models.CharField(_("general or special purpose"), max_length=10, choices=Kind.choices, default=Kind.GENERAL)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices, default=Source.PURCHASED)
    worth = models.DecimalField(
        _("value, 10,000 CNY"),
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
    )
    manufacturer = models.CharField(_("manufacturer"), max_length=80, blank=True)
    model = models.CharField(_("model"), max_length=80, blank=True)
    nation = models.CharField(_("country of origin"), max_length=40, blank=True)
    begin_date = models.DateField(_("in service since"), null=True, blank=True)
    subjects = models.JSONField(_("fields of science"), default=list, blank=True)

    technical = models.TextField(_("specifications"), blank=True)
    function = models.TextField(_("functions"), blank=True)
    service_content = models.TextField(_("services"), blank=True)
    requirement = models.TextField(_("sample requirements"), blank=True)
    regulations = models.TextField(_("opening regulations"), blank=True)
    fee = models.TextField(_("charges in words"), blank=True)
    service_url = models.CharField(
        _("own booking address"), max_length=300, blank=True, validators=[URLValidator(["http", "https"])]
    )
    run_hours = models.DecimalField(
        _("hours run a year"), max_digits=8, decimal_places=1, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    service_hours = models.DecimalField(
        _("hours of service a year"), max_digits=8, decimal_places=1, null=True, blank=True,
        validators=[MinValueValidator(0)],
    )  # fmt: skip

    department = models.CharField(_("department"), max_length=80, blank=True)
    region = models.CharField(_("region"), max_length=30, blank=True)
    province = models.CharField(_("province"), max_length=30, blank=True)
    city = models.CharField(_("city"), max_length=30, blank=True)
    county = models.CharField(_("county or district"), max_length=30, blank=True)
    street = models.CharField(_("street"), max_length=80, blank=True)
    address = models.CharField(_("building and room"), max_length=200, blank=True)
    postcode = models.CharField(
        _("postcode"), max_length=6, blank=True,
        validators=[RegexValidator(r"^[0-9]{6}\Z", _("A postcode has six digits."))],
    )  # fmt: skip
    contact_name = models.CharField(_("contact"), max_length=40, blank=True)
    contact_phone = models.CharField(_("phone"), max_length=30, blank=True)
    contact_email = models.EmailField(_("e-mail"), blank=True)

    funds = models.CharField(_("source of funds"), max_length=200, blank=True)
    customs_supervised = models.BooleanField(_("under customs supervision"), default=False)
    declaration_no = models.CharField(_("customs declaration number"), max_length=40, blank=True)
    declaration_date = models.DateField(_("date of the customs declaration"), null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def place(self) -> str:
        """The whole address in one line, from the large to the small, without what ``address`` says again."""
        larger = [self.province, self.city, self.county, self.street]
        named = [part for part in dict.fromkeys(larger) if part and part not in self.address]
        return "".join([*named, self.address])
