"""The announcement of holidays, pasted or as a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backend.core.fields import Text
from instruments.actions.calendar import LONGEST_TEXT
from instruments.actions.import_table import decoded

EXAMPLE = "2027-01-01 元旦 休\n2027-02-05..2027-02-11 春节 休\n2027-02-14 春节 班"


class AnnouncementForm(forms.Form):
    year = forms.IntegerField(label=_("Announcement for the year"), min_value=2000, max_value=2100)
    source = Text(
        label=_("Source"), required=False, max_length=200, help_text=_("For example the number of the notice.")
    )
    text = forms.CharField(
        label=_("Days"),
        required=False,
        max_length=LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=_("One day or range a line: the date, the name, and 休 (holiday) or 班 (workday)."),
    )
    file = forms.FileField(label=_("Or a text or CSV file"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["year"].initial = timezone.localdate().year + 1
        self.fields["text"].widget.attrs["placeholder"] = EXAMPLE

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file = values.get("file")
        if file is not None:
            if file.size > 4 * LONGEST_TEXT:
                self.add_error("file", _("The file is too large for an announcement."))
            else:
                values["text"] = decoded(file.read()).replace("\r\n", "\n")
        elif not values.get("text") and "text" not in self.errors:
            self.add_error("text", _("Paste the days, or choose a file."))
        return values
