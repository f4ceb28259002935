"""The append-only record of who did what: one hash chain per organisation."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from backend.core import constraints


class Head(models.Model):
    """The end of an organisation's chain. Its row lock is the last one that an action takes."""

    organisation = models.OneToOneField(
        "accounts.Organisation", models.PROTECT, primary_key=True, related_name="audit_head"
    )
    sequence = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="")

    def __str__(self) -> str:
        return f"{self.organisation_id}#{self.sequence}"


class Entry(models.Model):
    """One act. ``digest`` = SHA-256 over the previous digest and the canonical JSON of the row."""

    organisation = models.ForeignKey("accounts.Organisation", models.PROTECT, related_name="+")
    sequence = models.PositiveBigIntegerField()
    at = models.DateTimeField(_("time"))
    actor = models.ForeignKey("accounts.User", models.PROTECT, null=True, related_name="+")
    action = models.CharField(_("action"), max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(_("reason"), blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "sequence"], name="audit_one_chain")]
        indexes = [models.Index(fields=["object_type", "object_id", "at"], name="audit_by_object")]

    def __str__(self) -> str:
        return f"{self.organisation_id}#{self.sequence} {self.action}"


constraints.register(
    constraints.Immutable(
        "audit_entry",
        ("organisation_id", "sequence", "at", "actor_id", "action", "object_type", "object_id", "before", "after")
        + ("reason", "request_id", "previous", "digest"),
    )
)
