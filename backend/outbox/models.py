"""Messages written in the business transaction and delivered later."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Channel(models.TextChoices):
    MAIL = "mail", _("Mail")
    IN_APP = "in_app", _("In the application")


class Topic(models.TextChoices):
    """What people choose by; `backend.outbox.rules` says which kinds of messages belong to each."""

    REQUESTS = "requests", _("Work of the laboratory")
    BOOKINGS = "bookings", _("My bookings")
    CHANGES = "changes", _("Changes of bookings")
    REMINDERS = "reminders", _("Reminders")
    MONEY = "money", _("Invoices and payments")
    ACCOUNT = "account", _("Account and organisation")


class State(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENT = "sent", _("Sent")
    PARKED = "parked", _("Given up")


class Message(models.Model):
    """One message to one person. ``key`` names the event: the same event never makes a second message.

    Those in the application are there as soon as they are written; only mail is delivered.
    """

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
            # Every page counts these.
            models.Index(fields=["recipient"], condition=Q(channel="in_app", read_at=None), name="outbox_unread"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} → {self.recipient_id}"


class Preference(models.Model):
    """Whether a person wants a topic by a channel. Without a row: yes."""

    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="+")
    topic = models.CharField(_("topic"), max_length=12, choices=Topic.choices)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel.choices)
    on = models.BooleanField(_("on"))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "topic", "channel"], name="outbox_preference_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.topic} {self.channel} {self.on}"
