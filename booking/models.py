"""Policies, bookings and their decisions, the usage log and calendar feeds."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Group, Organisation, Project, User
from backend.core import constraints
from instruments.models import Instrument, InstrumentGroup, Mode, Occupancy, PriceList


class PolicyQuerySet(models.QuerySet["Policy"]):
    def for_instrument(self, instrument: Instrument, day: date) -> PolicyQuerySet:
        """Every version that might apply on a date, from the widest layer to the narrowest, newest first."""
        mine = Q(layer=Layer.NETWORK) | Q(organisation=instrument.institution_id) | Q(instrument=instrument.pk)
        if instrument.group_id:
            mine |= Q(group=instrument.group_id)
        return self.filter(mine, valid_from__lte=day).order_by("layer", "-valid_from", "-version")


class Layer(models.IntegerChoices):
    NETWORK = 1, _("Network")
    INSTITUTION = 2, _("Institution")
    GROUP = 3, _("Instrument group")
    INSTRUMENT = 4, _("Instrument")


class Policy(models.Model):
    """A dated version of the rules of one layer; ``document`` is the JSON of docs/policy.md. Never edited."""

    layer = models.PositiveSmallIntegerField(_("layer"), choices=Layer.choices)
    organisation = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="policies")
    group = models.ForeignKey(InstrumentGroup, models.PROTECT, null=True, blank=True, related_name="policies")
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="policies")
    version = models.PositiveIntegerField()
    valid_from = models.DateField(_("valid from"))
    document = models.JSONField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PolicyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["layer", "organisation", "group", "instrument", "version"],
                name="policy_version_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(layer=1, organisation=None, group=None, instrument=None)
                | Q(layer=2, organisation__isnull=False, group=None, instrument=None)
                | Q(layer=3, organisation=None, group__isnull=False, instrument=None)
                | Q(layer=4, organisation=None, group=None, instrument__isnull=False),
                name="policy_of_one_layer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_layer_display()} v{self.version}"


class Status(models.TextChoices):
    REQUESTED = "requested", _("Waiting for approval")
    CONFIRMED = "confirmed", _("Confirmed")
    IN_USE = "in_use", _("In use")
    COMPLETED = "completed", _("Completed")
    REJECTED = "rejected", _("Rejected")
    WITHDRAWN = "withdrawn", _("Withdrawn")
    EXPIRED = "expired", _("Expired")
    CANCELLED = "cancelled", _("Cancelled")
    NO_SHOW = "no_show", _("No-show")
    DISPLACED = "displaced", _("Displaced by an outage")


# Those that take time on the instrument.
OCCUPYING = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE)


# No booking is longer (`booking.queries.assess.check_shape`).
LONGEST = timedelta(days=92)


class BookingQuerySet(models.QuerySet["Booking"]):
    def overlapping(self, start: datetime, end: datetime) -> BookingQuerySet:
        """The bound on the start is implied; with it an index finds them without reading all that is past."""
        return self.filter(start__lt=end, end__gt=start, start__gt=start - LONGEST - timedelta(days=1))


class Booking(models.Model):
    """A customer's time on one unit of an instrument; ``[start, end)`` without set-up and cleaning.

    ``version`` counts every change (compare-and-swap); ``sequence`` and ``uid`` are those of the calendar
    event. ``policy``, ``price_list``, ``quote`` and ``audience`` are what held when it was requested.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(default=1)
    sequence = models.PositiveIntegerField(default=0)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="bookings", verbose_name=_("instrument"))
    unit = models.PositiveSmallIntegerField(_("unit"))
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    occupancy = models.OneToOneField(Occupancy, models.SET_NULL, null=True, related_name="booking")
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="bookings")
    user = models.ForeignKey(User, models.PROTECT, related_name="bookings")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="bookings")
    project = models.ForeignKey(Project, models.PROTECT, null=True, blank=True, related_name="bookings")
    purpose = models.CharField(_("purpose"), max_length=200)
    notes = models.TextField(_("notes"), blank=True)
    samples = models.PositiveIntegerField(_("samples"), null=True, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    audience = models.CharField(max_length=30)
    price_list = models.ForeignKey(PriceList, models.PROTECT, null=True, related_name="bookings")
    quote = models.JSONField(default=dict)
    policy = models.JSONField(default=list)
    # Roles that must approve, in the policy's words, and what silence until the hold's end means.
    approval_roles = models.JSONField(default=list)
    silence = models.CharField(max_length=10, blank=True)
    requested_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    hold_expires_at = models.DateTimeField(null=True, blank=True)
    # When the customer was reminded of this time; empty again after a move.
    reminded_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField(_("reason"), blank=True)

    objects = BookingQuerySet.as_manager()

    class Meta:
        ordering = ["start", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="booking_end_after_start"),
            models.CheckConstraint(
                condition=Q(status__in=OCCUPYING, occupancy__isnull=False)
                | ~Q(status__in=OCCUPYING) & Q(occupancy=None),
                name="booking_occupies_while_live",
            ),
        ]
        indexes = [
            models.Index(fields=["instrument", "start"], name="booking_by_instrument"),
            models.Index(fields=["organisation", "start"], name="booking_by_organisation"),
            models.Index(fields=["user", "start"], name="booking_by_user"),
            models.Index(fields=["status", "hold_expires_at"], name="booking_by_hold"),
            models.Index(fields=["status", "start"], name="booking_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.start:%F %R}"


class Decision(models.TextChoices):
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")


class Approval(models.Model):
    """One decision about a request, for one of the roles that must approve."""

    booking = models.ForeignKey(Booking, models.CASCADE, related_name="approvals")
    role = models.CharField(_("role"), max_length=30)
    decision = models.CharField(_("decision"), max_length=10, choices=Decision.choices)
    by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["booking", "role"], name="approval_once_per_role")]

    def __str__(self) -> str:
        return f"{self.role}: {self.get_decision_display()}"


class Side(models.TextChoices):
    CUSTOMER = "customer", _("Customer")
    LAB = "lab", _("Laboratory")


class Note(models.Model):
    """One message between the customer and the laboratory about a booking. Never edited."""

    booking = models.ForeignKey(Booking, models.PROTECT, related_name="conversation")
    side = models.CharField(max_length=10, choices=Side.choices)
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    text = models.TextField(_("message"), blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["booking", "at"], name="note_by_booking")]

    def __str__(self) -> str:
        return self.text[:60]


class Attachment(models.Model):
    """A file of a message; ``content`` lies under MEDIA_ROOT and is only ever served as a download."""

    note = models.ForeignKey(Note, models.PROTECT, related_name="attachments")
    name = models.CharField(_("name"), max_length=150)
    content = models.FileField(upload_to="bookings/%Y/%m/")
    media_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class UsageState(models.TextChoices):
    RECORDED = "recorded", _("Running")
    SUBMITTED = "submitted", _("To be verified")
    VERIFIED = "verified", _("Verified")


class Usage(models.Model):
    """What really happened on an instrument. Immutable once verified; a correction is a new linked record."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    source_ref = models.CharField(_("reference"), max_length=80)
    instrument = models.ForeignKey(Instrument, models.PROTECT, related_name="usages")
    booking = models.ForeignKey(Booking, models.PROTECT, null=True, blank=True, related_name="usages")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="usages")
    user = models.ForeignKey(User, models.PROTECT, related_name="usages")
    state = models.CharField(_("status"), max_length=10, choices=UsageState.choices)
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"), null=True, blank=True)
    samples = models.PositiveIntegerField(_("samples"), null=True, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    comment = models.TextField(_("comment"), blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    verified_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    verified_at = models.DateTimeField(null=True, blank=True)
    corrects = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="corrected_by")
    # Why it corrects the other record.
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        ordering = ["-start", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["instrument", "source_ref"], name="usage_reference_once"),
            models.CheckConstraint(condition=Q(end=None) | Q(end__gt=F("start")), name="usage_end_after_start"),
            models.CheckConstraint(
                condition=Q(state="recorded") | Q(end__isnull=False), name="usage_end_when_submitted"
            ),
        ]
        indexes = [
            models.Index(fields=["instrument", "start"], name="usage_by_instrument"),
            models.Index(fields=["organisation", "start"], name="usage_by_organisation"),
            models.Index(fields=["state", "start"], name="usage_by_state"),
        ]

    def __str__(self) -> str:
        return self.source_ref


class FeedScope(models.TextChoices):
    MINE = "mine", _("My bookings")
    ORGANISATION = "organisation", _("My organisation's bookings")
    INSTRUMENT = "instrument", _("An instrument")


class FeedDetail(models.TextChoices):
    BUSY = "busy", _("Only when it is taken")
    FULL = "full", _("All details")


class Feed(models.Model):
    """A subscription address of one person; its token is stored as a digest and shown once."""

    user = models.ForeignKey(User, models.CASCADE, related_name="feeds")
    name = models.CharField(_("name"), max_length=80)
    scope = models.CharField(_("content"), max_length=15, choices=FeedScope.choices)
    organisation = models.ForeignKey(Organisation, models.CASCADE, null=True, blank=True, related_name="+")
    instrument = models.ForeignKey(Instrument, models.CASCADE, null=True, blank=True, related_name="+")
    detail = models.CharField(_("detail"), max_length=5, choices=FeedDetail.choices, default=FeedDetail.FULL)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(scope="instrument") | Q(instrument__isnull=False), name="feed_names_instrument"
            )
        ]
        indexes = [models.Index(fields=["user", "revoked_at"], name="feed_by_user")]

    def __str__(self) -> str:
        return self.name


constraints.register(
    constraints.Immutable(
        "booking_policy", ("layer", "organisation_id", "group_id", "instrument_id", "version", "valid_from", "document")
    ),
    constraints.Immutable(
        "booking_usage",
        ("uid", "source_ref", "instrument_id", "booking_id", "organisation_id", "user_id", "start", "end")
        + ("samples", "parameters", "verified_by_id", "verified_at", "corrects_id", "reason", "state"),
        when="OLD.state = 'verified'",
    ),
    constraints.Immutable("booking_note", ("booking_id", "side", "author_id", "text", "at")),
    constraints.Immutable("booking_attachment", ("note_id", "name", "content", "media_type", "size", "sha256")),
)
