"""What follows from violations: steps of ladders that were reached, appeals, and how credit is counted."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation, User
from backend.core import constraints
from booking.models.policies import Layer
from booking.models.violations import Violation


class Reached(models.Model):
    """A step of a ladder that a violation reached; one row however often that is noticed.

    ``consequences`` are what the step did, as JSON: code, from, until. What stands *now* is worked out anew from the
    events, so that an upheld appeal ends it. ``done_at`` is empty while future bookings are still to be cancelled.
    """

    violation = models.ForeignKey(Violation, models.PROTECT, related_name="reached")
    institution = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="+")
    rule = models.CharField(max_length=120)
    layer = models.PositiveSmallIntegerField(choices=Layer.choices)
    step = models.PositiveSmallIntegerField()
    party = models.JSONField(default=dict)
    consequences = models.JSONField(default=list)
    at = models.DateTimeField()
    # Until when the longest suspension lasts; empty with ``bars``: until it is lifted.
    bars = models.BooleanField(default=False)
    until = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["violation", "rule", "step"], name="ladder_step_once")]
        indexes = [
            models.Index(fields=["institution", "at"], condition=Q(bars=True), name="barred_by_institution"),
            models.Index(fields=["at"], condition=Q(done_at=None), name="step_to_carry_out"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.step}"


class AppealState(models.TextChoices):
    OPEN = "open", _("Being looked at")
    UPHELD = "upheld", _("Upheld: the entry counts no more")
    DISMISSED = "dismissed", _("Dismissed: the entry stays")


class Appeal(models.Model):
    """Somebody says that a violation is wrong; once for each, and the lab answers with a reason."""

    violation = models.OneToOneField(Violation, models.PROTECT, related_name="appeal")
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    reason = models.TextField(_("reason"))
    state = models.CharField(_("status"), max_length=10, choices=AppealState.choices, default=AppealState.OPEN)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(_("answer"), blank=True)

    class Meta:
        ordering = ["made_at", "pk"]
        indexes = [models.Index(fields=["made_at"], condition=Q(state="open"), name="appeal_open")]

    def __str__(self) -> str:
        return f"{self.violation_id} {self.state}"


class CreditRules(models.Model):
    """A dated version of how credit is counted, of the network (without institution) or of an institution.

    ``points`` gives for each violation's name what it takes away, and under ``*`` for any other. Never edited.
    ``appeal_days`` after a violation it can still be contested. ``recovery_days`` without a violation give
    ``recovery`` points; what is older than ``months`` is forgotten (empty: never).
    """

    institution = models.ForeignKey(Organisation, models.PROTECT, null=True, blank=True, related_name="credit_rules")
    version = models.PositiveIntegerField()
    valid_from = models.DateField(_("valid from"))
    start = models.SmallIntegerField(default=100)
    floor = models.SmallIntegerField(default=0)
    ceiling = models.SmallIntegerField(default=120)
    points = models.JSONField(default=dict)
    completed = models.PositiveSmallIntegerField(default=1)
    recovery = models.PositiveSmallIntegerField(default=5)
    recovery_days = models.PositiveSmallIntegerField(default=30)
    months = models.PositiveSmallIntegerField(null=True, blank=True)
    appeal_days = models.PositiveSmallIntegerField(default=14)
    created_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-valid_from", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["institution", "version"], name="credit_version_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(floor__lte=models.F("start")), name="credit_starts_above_floor"),
            models.CheckConstraint(condition=Q(start__lte=models.F("ceiling")), name="credit_starts_below_ceiling"),
        ]

    def __str__(self) -> str:
        return f"{self.institution_id or 'network'} v{self.version}"


constraints.register(
    constraints.Immutable(
        "booking_creditrules",
        (
            "institution_id", "version", "valid_from", "start", "floor", "ceiling", "points", "completed",
            "recovery", "recovery_days", "months", "appeal_days",
        ),
    )
)  # fmt: skip
