"""What an institution has set about disputes, reminders and its bank's statements."""

from __future__ import annotations

from invoices.models import MoneyTerms


def terms_of(institution_id: int) -> MoneyTerms:
    """The settings, or those that hold without any; not saved then."""
    found = MoneyTerms.objects.filter(institution=institution_id).first()
    return found or MoneyTerms(institution_id=institution_id)
