"""Who may do what: one line for each page and each operation. This table is meant to be read.

``only(who, sees=…)``: these get in; those in ``sees`` know that the object is there, so they are told 403;
to everybody else it does not exist: 404. Visitors are sent to sign in (401 from the API).
A token acts as its person, a read-only one is told 403 for whatever could write, a revoked one 401.
"""

from __future__ import annotations

from tests.access.api_rights import API
from tests.access.page_rights import PAGES
from tests.access.roles import Rights, only, public, signed_in

# django-allauth's pages decide themselves what they do; the table says whom they are for.
_OPEN = """
login logout inactive signup confirm-email confirm-email/{key} login/code/confirm password/reset password/reset/done
password/reset/key/{uidb36}-{key} password/reset/key/done 2fa/authenticate 2fa/webauthn/login
"""
_OWN = """
reauthenticate email password/change password/set sessions 2fa 2fa/reauthenticate 2fa/totp/activate
2fa/totp/deactivate 2fa/recovery-codes 2fa/recovery-codes/generate 2fa/recovery-codes/download 2fa/webauthn
2fa/webauthn/add 2fa/webauthn/reauthenticate 2fa/webauthn/keys/{pk}/remove 2fa/webauthn/keys/{pk}/edit
"""
ALLAUTH: dict[str, Rights] = {
    f"{method} /account/{path}/": rights
    for paths, rights in ((_OPEN, public), (_OWN, signed_in))
    for path in paths.split()
    for method in ("GET", "POST")
}

TABLE = PAGES | API | ALLAUTH
# Django's admin makes its pages itself, so one line stands for all of them.
ADMIN = "/operator/admin/"
OPERATORS = only("operator")
