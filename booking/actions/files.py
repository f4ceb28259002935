"""How much the files of one booking may take up."""

from __future__ import annotations

from collections.abc import Sequence

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from backend.core.attachments import MOST_BYTES_ALTOGETHER
from backend.core.errors import refuse
from booking.models import Attachment, ResultFile


def require_room(kept: int, files: Sequence[Attachment] | Sequence[ResultFile]) -> None:
    """``kept`` bytes lie there already; `Refused` where the new files would be too many."""
    if files and kept + sum(one.size for one in files) > MOST_BYTES_ALTOGETHER:
        words = _("The files of one booking take up %(most)s at most; %(left)s are left.")
        left = max(0, MOST_BYTES_ALTOGETHER - kept)
        raise refuse(
            "files_quota",
            words % {"most": filesizeformat(MOST_BYTES_ALTOGETHER), "left": filesizeformat(left)},
            params={"most": MOST_BYTES_ALTOGETHER, "left": left},
            fix_text=_("Send large data by other means, and its address here."),
        )
