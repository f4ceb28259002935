"""Reasons that a lab gives often."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from backend.accounts.models import Organisation


class ReasonTemplate(models.Model):
    """A sentence that the managers of an institution send with one click, and may change before."""

    institution = models.ForeignKey(Organisation, models.CASCADE, related_name="reason_templates")
    position = models.PositiveSmallIntegerField()
    text = models.CharField(_("reason"), max_length=300)
    text_en = models.CharField(_("reason in English"), max_length=300, blank=True)

    class Meta:
        ordering = ["position", "id"]
        indexes = [models.Index(fields=["institution", "position"], name="reason_by_institution")]

    def __str__(self) -> str:
        return self.text

    def label(self, language: str) -> str:
        """In the reader's language, as far as it was written."""
        return self.text_en if language.startswith("en") and self.text_en else self.text
