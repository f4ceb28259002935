"""Trainings that a lab gives, who asked for them, and what people may do on its instruments because of them."""

from __future__ import annotations

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.accounts.models import Organisation, User
from instruments.models import Instrument, InstrumentGroup


class HoursAllowed(models.TextChoices):
    """When somebody may work alone; a rule of the policy asks for it as ``person.hours_allowed``."""

    ANY = "any", _("At any time")
    BUSINESS = "business", _("On working days during the day")


class Course(models.Model):
    """A training that an institution gives for some instruments or for a whole group of them.

    ``level`` is the institution's own word, ``rank`` orders the words: of several levels that somebody has, the
    highest rank counts. What passing gives is copied to the qualification and stays as it was.
    """

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="courses")
    name = models.CharField(_("name"), max_length=80)
    name_en = models.CharField(_("English name"), max_length=120, blank=True)
    description = models.TextField(_("what it teaches"), blank=True)
    instruments = models.ManyToManyField(
        Instrument, related_name="courses", blank=True, verbose_name=_("instruments that it covers")
    )
    group = models.ForeignKey(
        InstrumentGroup, models.PROTECT, null=True, blank=True, related_name="courses",
        verbose_name=_("instrument group that it covers"),
    )  # fmt: skip
    level = models.CharField(_("level that it gives"), max_length=20)
    rank = models.PositiveSmallIntegerField(_("rank of the level"), default=1)
    exam = models.BooleanField(_("exam"), default=False)
    pass_mark = models.PositiveSmallIntegerField(_("points needed to pass"), null=True, blank=True)
    validity_months = models.PositiveSmallIntegerField(_("months of validity"), null=True, blank=True)
    disuse_months = models.PositiveSmallIntegerField(_("months without use until it lapses"), null=True, blank=True)
    hours = models.CharField(_("hours"), max_length=10, choices=HoursAllowed.choices, default=HoursAllowed.ANY)
    # Whoever asks for a session with free places has one at once.
    open = models.BooleanField(_("places are given at once"), default=False)
    active = models.BooleanField(pgettext_lazy("training", "offered"), default=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["institution", "name"], name="course_name_once"),
            models.CheckConstraint(condition=Q(pass_mark=None) | Q(pass_mark__lte=100), name="course_pass_mark"),
        ]

    def __str__(self) -> str:
        return self.name

    def label(self, language: str) -> str:
        return self.name_en if language == "en" and self.name_en else self.name


class TrainingSession(models.Model):
    """One date of a training, on the institution's clock. Cancelled ones stay."""

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    course = models.ForeignKey(Course, models.PROTECT, related_name="sessions")
    start = models.DateTimeField(_("from"))
    end = models.DateTimeField(_("to"))
    place = models.CharField(_("place"), max_length=100, blank=True)
    trainer = models.CharField(_("trainer"), max_length=80, blank=True)
    places = models.PositiveSmallIntegerField(_("places"))
    cancelled_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["start", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="training_end_after_start"),
            models.CheckConstraint(condition=Q(places__gte=1, places__lte=500), name="training_has_places"),
        ]
        indexes = [models.Index(fields=["course", "start"], name="training_session_by_course")]

    def __str__(self) -> str:
        return f"{self.course} {self.start:%F %R}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.course.institution.timezone)

    @property
    def status(self) -> str:
        return "cancelled" if self.cancelled_at else "open"


class RequestState(models.TextChoices):
    REQUESTED = "requested", pgettext_lazy("training", "Waiting for a place")
    ENROLLED = "enrolled", pgettext_lazy("training", "Has a place")
    ATTENDED = "attended", pgettext_lazy("training", "Attended, result to come")
    PASSED = "passed", pgettext_lazy("training", "Passed")
    FAILED = "failed", pgettext_lazy("training", "Not passed")
    ABSENT = "absent", pgettext_lazy("training", "Did not come")
    REJECTED = "rejected", pgettext_lazy("training", "Rejected")
    WITHDRAWN = "withdrawn", pgettext_lazy("training", "Withdrawn")
    CANCELLED = "cancelled", pgettext_lazy("training", "Session cancelled")


# Those that still wait for something.
OPEN_REQUESTS = (RequestState.REQUESTED, RequestState.ENROLLED, RequestState.ATTENDED)
# Those whose place nobody else can have.
SEATED = (
    RequestState.ENROLLED, RequestState.ATTENDED, RequestState.PASSED, RequestState.FAILED, RequestState.ABSENT,
)  # fmt: skip


class TrainingRequest(models.Model):
    """A person's way through a training, from the wish to the result.

    ``seat`` numbers the places of a session from 1 on: the database gives each of them to one person only.
    """

    course = models.ForeignKey(Course, models.PROTECT, related_name="requests")
    session = models.ForeignKey(TrainingSession, models.PROTECT, null=True, blank=True, related_name="requests")
    seat = models.PositiveSmallIntegerField(null=True, blank=True)
    user = models.ForeignKey(User, models.PROTECT, related_name="training_requests")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="training_requests")
    state = models.CharField(
        _("status"), max_length=10, choices=RequestState.choices, default=RequestState.REQUESTED
    )  # fmt: skip
    note = models.CharField(_("note"), max_length=200, blank=True)
    requested_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    score = models.PositiveSmallIntegerField(_("points"), null=True, blank=True)
    # Why it was rejected, or what the trainer notes with the result.
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["requested_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["course", "user"], condition=Q(state__in=OPEN_REQUESTS), name="training_asked_once"
            ),
            models.UniqueConstraint(
                fields=["session", "seat"], condition=Q(seat__isnull=False), name="training_seat_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=SEATED, seat__isnull=False, session__isnull=False)
                | ~Q(state__in=SEATED) & Q(seat=None),
                name="training_seated_while_enrolled",
            ),
            models.CheckConstraint(condition=Q(score=None) | Q(score__lte=100), name="training_score"),
        ]
        indexes = [
            models.Index(fields=["user", "-requested_at"], name="training_request_by_user"),
            models.Index(fields=["state", "requested_at"], name="training_request_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.course_id} {self.state}"


class Qualification(models.Model):
    """What a person may do on the instruments of a training, or on a single instrument.

    ``version`` counts changes. History stays: a newer one of the same training or instrument ends the older
    (``replaced_at``), and one that is taken away keeps its reason.
    """

    institution = models.ForeignKey(Organisation, models.PROTECT, related_name="qualifications_given")
    user = models.ForeignKey(User, models.PROTECT, related_name="qualifications")
    course = models.ForeignKey(Course, models.PROTECT, null=True, blank=True, related_name="qualifications")
    instrument = models.ForeignKey(Instrument, models.PROTECT, null=True, blank=True, related_name="qualifications")
    request = models.OneToOneField(
        TrainingRequest, models.PROTECT, null=True, blank=True, related_name="qualification"
    )  # fmt: skip
    level = models.CharField(_("level"), max_length=20)
    rank = models.PositiveSmallIntegerField(default=1)
    hours = models.CharField(_("hours"), max_length=10, choices=HoursAllowed.choices, default=HoursAllowed.ANY)
    granted_at = models.DateTimeField(_("since"))
    granted_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    disuse_months = models.PositiveSmallIntegerField(null=True, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    # Why it was given without a training, or taken away.
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    # How many days before its end the person was told last, and when of the coming lapse.
    reminded_days = models.PositiveSmallIntegerField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["-granted_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(course=None, instrument__isnull=False) | Q(course__isnull=False, instrument=None),
                name="qualification_of_one_thing",
            ),
            models.UniqueConstraint(
                fields=["user", "course", "instrument"],
                condition=Q(revoked_at=None, replaced_at=None),
                name="qualification_current_once",
                nulls_distinct=False,
            ),
        ]
        indexes = [
            models.Index(fields=["user"], name="qualification_by_user"),
            models.Index(fields=["institution", "valid_until"], name="qualification_by_end"),
            # SQLite counts nulls as one value and would not use the unique index.
            models.Index(fields=["request"], condition=Q(request__isnull=False), name="qualification_by_request"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.level}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.institution.timezone)

    def holds_until(self, instant: datetime) -> bool:
        """Neither taken away nor replaced, and not at its end yet; disuse apart."""
        ended = self.revoked_at is not None or self.replaced_at is not None
        return not ended and (self.valid_until is None or self.valid_until > instant)
