"""Pure decisions of accounts: credit codes, which roles there are, what an invitation is still good for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import cache

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from stdnum.cn import uscc as stdnum_uscc

from backend.accounts.models import Invitation, OrganisationKind, OrganisationStatus, Role
from backend.core.errors import Refusal

# GB 32100-2015: registering authority and kind of entity, six digits of the region, nine signs of the entity, check.
_SIGNS = "0-9A-HJ-NP-RTUWXY"
# In the tables of names, but no countries.
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
_VAT_ID = re.compile(r"[A-Z0-9]{2,20}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_USCC = re.compile(rf"[{_SIGNS}]{{2}}[0-9]{{6}}[{_SIGNS}]{{10}}")

ROLES: dict[str, tuple[Role, ...]] = {
    OrganisationKind.ENTERPRISE: (Role.MEMBER, Role.FINANCE, Role.ADMIN),
    OrganisationKind.INSTITUTION: (Role.MEMBER, Role.MANAGER, Role.FINANCE, Role.ADMIN),
    OrganisationKind.NETWORK: (Role.MEMBER, Role.OPERATOR, Role.ADMIN),
}
# Who runs an organisation's own affairs; operators exist in the network only.
ADMINISTRATORS = (Role.ADMIN, Role.OPERATOR)


def normalise_uscc(text: str) -> str:
    """Upper case, plain width, without the blanks and hyphens that people put between groups."""
    return re.sub(r"[\s\-‐-―]", "", unicodedata.normalize("NFKC", text)).upper()


def uscc_refusals(code: str) -> list[Refusal]:
    """Why a normalised text is no unified social credit code; empty if it is one."""
    if len(code) != 18:
        return [Refusal("uscc_length", _("A unified social credit code has 18 signs."), field="uscc")]
    if not _USCC.fullmatch(code):
        sentence = _(
            "The code has digits and capital letters without I, O, S, V and Z; its third to eighth are digits."
        )
        return [Refusal("uscc_format", sentence, field="uscc")]
    if code[-1] != stdnum_uscc.calc_check_digit(code):
        sentence = _("The last sign does not fit the others. Please compare the code with the business licence.")
        return [Refusal("uscc_check", sentence, field="uscc")]
    return []


@cache
def countries() -> frozenset[str]:
    """The two letters of ISO 3166."""
    from babel import Locale  # reads its tables when it is first asked

    return (
        frozenset(code for code in map(str, Locale("en").territories) if len(code) == 2 and code.isalpha())
        - _NO_COUNTRIES
    )


def normalise_vat_id(text: str) -> str:
    """Without blanks, points and hyphens, in capitals."""
    return re.sub(r"[\s.\-]", "", unicodedata.normalize("NFKC", text)).upper()


def abroad_refusals(country: str, vat_id: str, currency: str) -> list[Refusal]:
    """What is wrong with the data of somebody abroad. Numbers of the European Union are checked by their digits."""
    from stdnum.eu import vat  # many modules, and only this asks

    refusals = []
    if country not in countries():
        refusals.append(Refusal("country", _("Choose a country."), field="country"))
    if vat_id and not _VAT_ID.fullmatch(vat_id):
        refusals.append(Refusal("vat_id", _("A tax number has 2 to 20 letters and digits."), field="vat_id"))
    elif vat_id and country.lower() in vat.MEMBER_STATES:
        prefix = "EL" if country == "GR" else country
        if not (vat_id.startswith(prefix) and vat.is_valid(vat_id)):
            sentence = _("This is no VAT number of that country; it begins with %(prefix)s.") % {"prefix": prefix}
            refusals.append(Refusal("vat_id", sentence, field="vat_id"))
    if not _CURRENCY.fullmatch(currency):
        refusals.append(Refusal("currency", _("Three capital letters, for example EUR."), field="currency"))
    return refusals


def uscc_needs_review(code: str) -> bool:
    """A right code that begins with letters: rare, so a person compares it with the licence before it counts."""
    return not stdnum_uscc.is_valid(code)


class LongEnough(MinimumLengthValidator):
    """Django's own, whose sentence has no Chinese."""

    def get_error_message(self) -> str:
        return _("This password is too short: it needs at least %(number)d characters.") % {"number": self.min_length}

    def get_help_text(self) -> str:
        return _("At least %(number)d characters.") % {"number": self.min_length}


def role_refusals(kind: str, roles: Collection[str]) -> list[Refusal]:
    """Why an organisation of this kind cannot give these roles."""
    if not roles:
        return [Refusal("no_role", _("Choose at least one role."), field="roles")]
    if set(roles) - set(ROLES[kind]):
        return [Refusal("wrong_role", _("This organisation does not have such a role."), field="roles")]
    return []


def invitation_refusals(invitation: Invitation, *, now: datetime) -> list[Refusal]:
    """Why an invitation can no longer be accepted."""
    return list(_spent(invitation, now))


def _spent(invitation: Invitation, now: datetime) -> Iterator[Refusal]:
    ask = _("Ask the administrator who invited you for a new invitation.")
    if invitation.accepted_at:
        yield Refusal("invitation_used", _("This invitation has been used already."), fix_text=_("Simply sign in."))
    elif invitation.revoked_at:
        yield Refusal("invitation_revoked", _("This invitation was withdrawn."), fix_text=ask)
    elif invitation.expires_at <= now:
        yield Refusal("invitation_expired", _("This invitation is too old."), fix_text=ask)
    elif invitation.organisation.status != OrganisationStatus.ACTIVE:
        yield Refusal("organisation_closed", _("This organisation takes nobody in at the moment."))


# The first that is found names it: each browser also claims to be those that come after it.
_BROWSERS = {
    "MicroMessenger": gettext_lazy("WeChat"),
    "Edg": "Edge",
    "OPR": "Opera",
    "Firefox": "Firefox",
    "Chrome": "Chrome",
    "Safari": "Safari",
}
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Harmony": "HarmonyOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def device_words(user_agent: str) -> str:
    """What a person calls the thing that they signed in with: ``Chrome · Windows``."""
    browser = next((name for sign, name in _BROWSERS.items() if sign in user_agent), "")
    system = next((name for sign, name in _SYSTEMS.items() if sign in user_agent), "")
    return " · ".join(str(word) for word in (browser, system) if word) or _("Unknown browser")


def same_mailbox(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()
