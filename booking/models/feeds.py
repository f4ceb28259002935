"""Subscription addresses of calendars."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation, User
from instruments.models import Instrument


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
