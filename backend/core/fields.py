"""What forms share: a field that refuses what no database stores or no reader sees, and errors as `Invalid`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backend.core.errors import Invalid, Refusal
from backend.core.text import has_control_characters, has_line_breaks


class Text(forms.CharField):
    """What people write: on one line, unless its widget has several."""

    default_error_messages = {
        "max_length": gettext_lazy("At most %(limit_value)d characters, please; now there are %(show_value)d."),
    }

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if has_control_characters(text):
            raise ValidationError(_("Control characters are not allowed."), code="control_characters")
        if has_line_breaks(text) and not isinstance(self.widget, forms.Textarea):
            raise ValidationError(_("Please write this on one line."), code="line_break")
        return text


def checked(form: forms.BaseForm) -> dict[str, Any]:
    """The cleaned data; `Invalid` with a sentence for each field otherwise. For forms too small to show errors."""
    if form.is_valid():
        return form.cleaned_data
    raise Invalid(
        *(
            Refusal(error.code or "invalid", named(form, name, message), field=name)
            for name, errors in form.errors.as_data().items()
            for error in errors
            for message in error.messages
        )
    )


def named(form: forms.BaseForm, name: str, message: str) -> str:
    """The message after the label of its field; alone where it is about the whole form."""
    label = form.fields[name].label if name in form.fields else None
    return _("%(field)s: %(problem)s") % {"field": label, "problem": message} if label else message
