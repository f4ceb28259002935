"""Joining the waitlist, as people type it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy

from backend.core.fields import Text
from booking.forms import WishForm


class WaitForm(WishForm):
    """The window is ``start`` to ``end``; ``minutes`` is how long the wanted time is."""

    minutes = forms.IntegerField(
        label=gettext_lazy("Length in minutes"),
        validators=[MinValueValidator(5), MaxValueValidator(92 * 24 * 60)],
        widget=forms.NumberInput(attrs={"min": 5, "step": 5, "inputmode": "numeric"}),
    )
    purpose = Text(label=gettext_lazy("Purpose"), max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start"].label = gettext_lazy("At the earliest from")
        self.fields["end"].label = gettext_lazy("At the latest until")
