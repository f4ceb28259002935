"""How an institution bills and a customer is billed: settings, logo, the words of a draft. Locks: the organisation."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, invalid, refuse
from backend.core.text import has_control_characters
from backend.outbox.actions import post
from invoices import rules
from invoices.actions.papers import lock_invoice, record_invoice
from invoices.models import BillingSettings, Invoice, InvoiceStatus, Logo, MissingData
from invoices.queries.billing import billing_of
from invoices.queries.preview import missing_words, party_word

# Words of a draft and how long they may be; only these can be edited, no amount.
WORDING = {"period": 60, "remark": 500, "contact": 120, "order_number": 60}

LARGEST_LOGO = 2 * 1024 * 1024
MOST_POINTS = 16_000_000
# Twice what a printer makes of the place that the document has for it.
LOGO_SIZE = (900, 300)


@atomic_action
def word_draft(*, invoice: Invoice, wording: Mapping[str, str], by: User) -> Invoice:
    """Set the words that stand on the document; what is not named stays. `Refused` once a number was given."""
    draft = lock_invoice(invoice.pk, no_key=True)
    if draft.status != InvoiceStatus.DRAFT:
        detail = _("This was issued as %(number)s and does not change any more.") % {"number": draft.number}
        raise refuse("already_issued", detail, params={"number": draft.number})
    before = dict(draft.wording)
    words = {**before, **{name: _checked(name, text) for name, text in wording.items()}}
    draft.wording = {name: text for name, text in words.items() if text}
    if draft.wording != before:
        draft.save(update_fields=["wording"])
        record_invoice(draft, "invoice.worded", by, before=before, after=draft.wording)
    return draft


def _checked(name: str, text: str) -> str:
    if name not in WORDING:
        raise invalid(name, _("Only the words of a draft can be changed."), code="unknown_field")
    text = text.strip()
    if len(text) > WORDING[name] or has_control_characters(text):
        raise invalid(name, _("At most %(most)s plain characters.") % {"most": WORDING[name]})
    return text


def refuse_incomplete(draft: Invoice, snapshot: Mapping[str, Any]) -> None:
    """`Refused` if a party's tax data is missing and the institution wants none issued without."""
    missing = rules.gaps(snapshot)
    if not missing or billing_of(draft.institution_id).missing_data != MissingData.BLOCK:
        return
    words = [f"{snapshot[side]['name']}: {party_word(name)}" for side, name in missing]
    raise refuse(
        "tax_data_missing",
        _("Tax data is missing: %(fields)s.") % {"fields": "; ".join(words)},
        params={"fields": [f"{side}.{name}" for side, name in missing]},
        fix_text=_("Their administrators enter it on the page of their organisation."),
    )


@atomic_action
def choose_billing(
    *, organisation: Organisation, by: User, missing_data: str | None = None, attach_pdf: bool | None = None
) -> BillingSettings:
    """Only what is given is changed."""
    chosen = _lock_settings(organisation)
    before = {"missing_data": chosen.missing_data, "attach_pdf": chosen.attach_pdf}
    if missing_data is not None:
        chosen.missing_data = MissingData(missing_data)
    if attach_pdf is not None:
        chosen.attach_pdf = attach_pdf
    after = {"missing_data": str(chosen.missing_data), "attach_pdf": chosen.attach_pdf}
    if before != after:
        chosen.save(update_fields=["missing_data", "attach_pdf"])
        _record(organisation, "billing.chosen", by, before, after)
    return chosen


def set_logo(*, institution: Organisation, file: UploadedFile[Any], by: User) -> Logo:
    """The picture at the head of documents from now on; `Invalid` for what is no picture. Issued ones keep theirs."""
    return _keep_logo(institution, _as_png(file), by)


@atomic_action
def _keep_logo(institution: Organisation, content: bytes, by: User) -> Logo:
    chosen = _lock_settings(institution)
    digest = hashlib.sha256(content).hexdigest()
    logo, _created = Logo.objects.get_or_create(institution=institution, sha256=digest, defaults={"content": content})
    if chosen.logo_id != logo.pk:
        chosen.logo = logo
        chosen.save(update_fields=["logo"])
        _record(institution, "billing.logo_set", by, {}, {"sha256": digest})
    return logo


@atomic_action
def remove_logo(*, institution: Organisation, by: User) -> None:
    """From documents to come."""
    chosen = _lock_settings(institution)
    if chosen.logo is not None:
        before = {"sha256": chosen.logo.sha256}
        chosen.logo = None
        chosen.save(update_fields=["logo"])
        _record(institution, "billing.logo_removed", by, before, {})


@atomic_action
def ask_for_tax_data(*, institution: Organisation, customer: Organisation, by: User) -> None:
    """Write to the customer's administrators and finance what their invoices lack; once a day."""
    missing = missing_words(customer)
    if not missing:
        raise refuse("nothing_missing", _("Nothing is missing any more."))
    recipients = people_with(customer.pk, (Role.ADMIN, Role.FINANCE))
    if not recipients:
        raise refuse("nobody_to_ask", _("Nobody of this customer could enter it."))
    post(
        key=f"tax-data-{institution.pk}-{customer.pk}-{timezone.localdate()}",
        kind="tax_data_missing",
        recipients=recipients,
        context={"institution": institution.name, "customer": customer.name, "missing": missing},
        path="/account/organisation/",
    )
    _record(institution, "billing.tax_data_asked", by, {}, {"customer": customer.pk})


def _lock_settings(organisation: Organisation) -> BillingSettings:
    Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    return BillingSettings.objects.select_related("logo").get_or_create(organisation=organisation)[0]


def _record(
    organisation: Organisation, action: str, by: User, before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    record(
        organisation_id=organisation.pk,
        actor_id=by.pk,
        action=action,
        object_type="organisation",
        object_id=organisation.pk,
        before=dict(before),
        after=dict(after),
    )


def _as_png(file: UploadedFile[Any]) -> bytes:
    """Made anew from its points, so that nothing else that the file held gets into a document."""
    from PIL import Image, UnidentifiedImageError  # a large library that few requests need

    if (file.size or 0) > LARGEST_LOGO:
        raise invalid("logo", _("The picture is larger than 2 MB."), code="too_large")
    try:
        with Image.open(file, formats=("PNG", "JPEG", "WEBP")) as opened:
            if opened.width * opened.height > MOST_POINTS:
                raise _too_many_points()
            picture = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        refused = invalid("logo", _("This is not a picture in JPEG, PNG or WebP."), code="not_a_picture")
        raise refused from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_points() from error
    picture.thumbnail(LOGO_SIZE)
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True)
    return written.getvalue()


def _too_many_points() -> Invalid:
    return invalid("logo", _("The picture has too many points. Make it smaller."), code="too_large")
