"""Messages written in the business transaction and delivered later."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Channel(models.TextChoices):
    MAIL = "mail", _("Mail")
    IN_APP = "in_app", _("In the application")


class State(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENT = "sent", _("Sent")
    PARKED = "parked", _("Given up")


class Message(models.Model):
    """One message to one person. ``key`` names the event: the same event never makes a second message."""

    key = models.CharField(max_length=120)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    recipient = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=40)
    # What the templates messages/<kind>.subject.txt and .body.txt need: texts and ids, no objects.
    context = models.JSONField(default=dict)
    path = models.CharField(max_length=200, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "channel", "recipient"], name="outbox_once_per_event")]
        indexes = [
            models.Index(fields=["state", "due_at"], name="outbox_due"),
            models.Index(fields=["recipient", "channel", "-created_at"], name="outbox_inbox"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} → {self.recipient_id}"
