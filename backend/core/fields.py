"""Form fields that refuse what no database stores or no reader sees."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from backend.core.text import has_control_characters


class Text(forms.CharField):
    """What people write: on one line, unless its widget has several."""

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if has_control_characters(text):
            raise ValidationError(_("Control characters are not allowed."), code="control_characters")
        if len(text.splitlines()) > 1 and not isinstance(self.widget, forms.Textarea):
            raise ValidationError(_("Please write this on one line."), code="line_break")
        return text
