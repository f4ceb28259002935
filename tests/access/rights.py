"""Who may do what: one line for each page and each operation. This table is meant to be read.

``only(who, sees=…)``: these get in; those in ``sees`` know that the object is there, so they are told 403;
to everybody else it does not exist: 404. Visitors are sent to sign in (401 from the API).
A token acts as its person, a read-only one is told 403 for whatever could write, a revoked one 401.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.access.world import ROLES


@dataclass(frozen=True)
class Rights:
    allowed: frozenset[str]
    forbidden: frozenset[str] = frozenset()

    def answer(self, role: str) -> str:
        """``in``, ``403``, ``404`` or ``sign-in``."""
        if role in self.allowed:
            return "in"
        if role == "visitor":
            return "sign-in"
        return "403" if role in self.forbidden else "404"


def only(who: str, *, sees: str = "") -> Rights:
    unknown = {*who.split(), *sees.split()} - set(ROLES)
    if unknown:
        raise ValueError(f"no such roles: {unknown}")
    return Rights(frozenset(who.split()), frozenset(sees.split()) - set(who.split()))


EVERYBODY = " ".join(ROLES)
SIGNED_IN = EVERYBODY.removeprefix("visitor ")
BELONGING = (
    "member colleague efinance eadmin xadmin imember manager chosen finance iadmin xmanager xfinance xiadmin operator"
)
BOOKERS = BELONGING.removesuffix(" operator")
MEMBERS = "member colleague efinance eadmin"
LAB = "manager iadmin"
DESKS = "manager chosen iadmin xmanager xiadmin"
ADMINISTRATORS = "eadmin xadmin iadmin xiadmin operator"
PARTIES = f"member eadmin {LAB}"
RECEIVERS = "efinance eadmin"
LEDGERS = "finance xfinance"

public, signed_in = only(EVERYBODY), only(SIGNED_IN)
# What belongs to an instrument that everybody can see.
lab = only(LAB, sees=SIGNED_IN)
desks = only(DESKS)
enterprise_admin = only("eadmin", sees=MEMBERS)
ledger = only("finance", sees=RECEIVERS)
ledgers = only(LEDGERS, sees=SIGNED_IN)
# A group of the institution's instruments; the institution's own rules.
group = only(LAB, sees="chosen")
institution_admin = only("iadmin", sees="imember manager chosen finance")
# An entry on the member's record, contested by nobody yet.
entry_of_customer = only("member eadmin", sees=f"{PARTIES} operator")
entry_of_lab = only(LAB, sees=f"{PARTIES} operator")
# Who runs instruments there writes the reasons given often.
reasons = only("manager chosen iadmin", sees="imember finance")
# Those who may change every instrument of an institution.
whole_lab = only("manager iadmin xmanager xiadmin", sees=SIGNED_IN)
# Records of use: who manages instruments, or keeps the books of an institution.
records = only(f"{DESKS} {LEDGERS}", sees=SIGNED_IN)
record = only(f"{PARTIES} finance")
# Orders of samples: finance reads them, because it charges them.
order = only(f"{PARTIES} finance")
order_of_parties = only(PARTIES, sees="finance")
order_of_lab = only(LAB, sees=f"{PARTIES} finance")
record_of_lab = only(LAB, sees=f"{PARTIES} finance")

# Agreements: who administers the institution; the other members of both sides know that there are some.
INSIDE = "imember manager chosen finance iadmin"
SIDES = f"{INSIDE} {MEMBERS}"
contracts = only("iadmin xiadmin", sees=f"{INSIDE} xmanager xfinance")
contract_to_run = only("iadmin", sees=SIDES)
WITHOUT_DESK = " ".join(role for role in SIGNED_IN.split() if role not in DESKS.split())

PAGES: dict[str, Rights] = {
    # The frame
    "GET /": public,
    **{
        f"{method} {path}": public
        for path in ("/healthz", "/readyz", "/favicon.ico", "/api/v1/openapi.json", "/api/v1/docs", "/i18n/setlang/")
        for method in ("GET", "POST")
    },
    # Coming in
    "GET /register/": public,
    "POST /register/": public,
    "GET /register/{pk}/": only("homeless"),
    "POST /register/{pk}/": only("homeless"),
    "GET /invitation/{secret}/": public,
    "POST /invitation/{secret}/accept/": public,
    # Oneself
    "POST /account/organisation/": only(BELONGING),
    "GET /account/profile/": signed_in,
    "POST /account/profile/": signed_in,
    "POST /account/profile/confirm-address/": only(""),
    "GET /account/signed-in/": signed_in,
    "POST /account/signed-in/end/": signed_in,
    "GET /account/tokens/": signed_in,
    "POST /account/tokens/new/": signed_in,
    "POST /account/tokens/{pk}/revoke/": only("member"),
    "GET /account/feeds/": signed_in,
    "POST /account/feeds/new/": signed_in,
    "POST /account/feeds/{pk}/replace/": only("member"),
    "POST /account/feeds/{pk}/revoke/": only("member"),
    "GET /account/notifications/": signed_in,
    "POST /account/notifications/": signed_in,
    "GET /messages/": signed_in,
    "GET /messages/newest/": signed_in,
    "POST /messages/read/": signed_in,
    "GET /messages/{pk}/": only("member"),
    # The organisation one acts for
    "GET /organisation/": signed_in,
    "GET /organisation/members/": only(ADMINISTRATORS, sees=BELONGING),
    "GET /organisation/projects/": only(BELONGING),
    "GET /organisation/log/": only(ADMINISTRATORS, sees=BELONGING),
    # A named organisation: here the enterprise
    "GET /organisation/{organisation}/edit/": enterprise_admin,
    "POST /organisation/{organisation}/edit/": enterprise_admin,
    "POST /organisation/{organisation}/leave/": only(MEMBERS),
    "GET /organisation/{organisation}/members/{user}/": enterprise_admin,
    "POST /organisation/{organisation}/members/{user}/roles/": enterprise_admin,
    "POST /organisation/{organisation}/members/{user}/scope/": enterprise_admin,
    "POST /organisation/{organisation}/members/{user}/end/": enterprise_admin,
    "POST /organisation/{organisation}/invitations/": enterprise_admin,
    "POST /organisation/{organisation}/invitations/{pk}/resend/": enterprise_admin,
    "POST /organisation/{organisation}/invitations/{pk}/revoke/": enterprise_admin,
    "POST /organisation/{organisation}/groups/": enterprise_admin,
    "GET /organisation/{organisation}/groups/{pk}/": enterprise_admin,
    "POST /organisation/{organisation}/groups/{pk}/": enterprise_admin,
    "POST /organisation/{organisation}/projects/": enterprise_admin,
    "GET /organisation/{organisation}/projects/{pk}/": enterprise_admin,
    "POST /organisation/{organisation}/projects/{pk}/": enterprise_admin,
    # The network
    "GET /registrations/": only("operator"),
    "POST /registrations/{pk}/confirm/": only("operator"),
    "POST /registrations/{pk}/refuse/": only("operator"),
    "GET /network/holidays/": only("operator"),
    "POST /network/holidays/": only("operator"),
    "POST /network/holidays/{year}/delete/": only("operator"),
    "GET /network/rules/": only("operator"),
    "POST /network/rules/": only("operator"),
    "GET /network/rules.json": only("operator"),
    "POST /network/rules/upload/": only("operator"),
    "GET /network/rules/edit/": only("operator"),
    "POST /network/rules/edit/": only("operator"),
    "POST /network/rules/change/": only("operator"),
    "POST /network/rules/start/": only("operator"),
    "POST /network/rules/try/": only("operator"),
    "GET /operator/deliveries/": only("operator"),
    "POST /operator/deliveries/{pk}/retry/": only("operator"),
    # They exist on the demo only.
    "GET /operator/mail/": only(""),
    "GET /operator/mail/{key}/": only(""),
    # The catalogue
    "GET /instruments/": public,
    "GET /instruments/{pk}/": public,
    "GET /instruments/{pk}/times/": public,
    "GET /instruments/{pk}/events/": public,
    "POST /instruments/{pk}/check/": public,
    "POST /instruments/{pk}/book/": only(BOOKERS, sees="homeless left operator"),
    "GET /instruments/{pk}/wait/": only(BOOKERS, sees="homeless left operator"),
    "POST /instruments/{pk}/wait/": only(BOOKERS, sees="homeless left operator"),
    "GET /instruments/photos/{uid}/{size}.jpg": public,
    # Running instruments
    "GET /manage/instruments/": desks,
    "GET /manage/instruments/new/": only(DESKS, sees=SIGNED_IN),
    "POST /manage/instruments/new/": only(DESKS, sees=SIGNED_IN),
    "GET /manage/instruments/{pk}/": lab,
    "POST /manage/instruments/{pk}/": lab,
    "GET /manage/instruments/{pk}/hours/": lab,
    "POST /manage/instruments/{pk}/hours/": lab,
    "GET /manage/instruments/{pk}/special-days/": lab,
    "POST /manage/instruments/{pk}/special-days/": lab,
    "GET /manage/instruments/{pk}/prices/": lab,
    "POST /manage/instruments/{pk}/prices/": lab,
    "POST /manage/instruments/{pk}/prices/import/": lab,
    "GET /manage/instruments/{pk}/prices/{version}.json": lab,
    "GET /rules/explain/": signed_in,
    "GET /manage/instruments/{pk}/rules/": lab,
    "POST /manage/instruments/{pk}/rules/": lab,
    "GET /manage/instruments/{pk}/rules.json": lab,
    "POST /manage/instruments/{pk}/rules/upload/": lab,
    "GET /manage/instruments/{pk}/rules/edit/": lab,
    "POST /manage/instruments/{pk}/rules/edit/": lab,
    "POST /manage/instruments/{pk}/rules/change/": lab,
    "POST /manage/instruments/{pk}/rules/start/": lab,
    "POST /manage/instruments/{pk}/rules/try/": lab,
    "POST /manage/instruments/{pk}/prices/example/": lab,
    "GET /manage/instruments/{pk}/photos/": lab,
    "POST /manage/instruments/{pk}/photos/": lab,
    "POST /manage/instruments/{pk}/photos/{photo_pk}/": lab,
    "GET /manage/instruments/{pk}/outages/": lab,
    "POST /manage/instruments/{pk}/outages/": lab,
    "GET /manage/instruments/{pk}/outages/{outage}/": lab,
    "POST /manage/instruments/{pk}/outages/{outage}/": lab,
    "POST /manage/instruments/{pk}/outages/{outage}/delete/": lab,
    "POST /manage/instruments/{pk}/outages/{outage}/end/": lab,
    "POST /manage/instruments/{pk}/outages/{outage}/extend/": lab,
    "GET /manage/instruments/{pk}/waitlist/": lab,
    "GET /manage/instruments/{pk}/usage/new/": lab,
    "POST /manage/instruments/{pk}/usage/new/": lab,
    "GET /manage/instruments/import/": whole_lab,
    "POST /manage/instruments/import/": whole_lab,
    "GET /manage/instruments/import/template.{form}": whole_lab,
    "GET /manage/instruments/import/{pk}/": only("manager"),
    "POST /manage/instruments/import/{pk}/": only("manager"),
    "GET /manage/instruments/import/{pk}/problems.csv": only("manager"),
    "GET /manage/groups/": desks,
    "GET /manage/institutions/{institution}/groups/new/": group,
    "POST /manage/institutions/{institution}/groups/new/": group,
    "GET /manage/groups/{pk}/": group,
    "POST /manage/groups/{pk}/": group,
    "POST /manage/groups/{pk}/delete/": group,
    "GET /manage/groups/{pk}/rules/": group,
    "POST /manage/groups/{pk}/rules/": group,
    "GET /manage/groups/{pk}/rules.json": group,
    "POST /manage/groups/{pk}/rules/upload/": group,
    "GET /manage/groups/{pk}/rules/edit/": group,
    "POST /manage/groups/{pk}/rules/edit/": group,
    "POST /manage/groups/{pk}/rules/change/": group,
    "POST /manage/groups/{pk}/rules/start/": group,
    "POST /manage/groups/{pk}/rules/try/": group,
    "GET /manage/institutions/{pk}/reasons/": reasons,
    "POST /manage/institutions/{pk}/reasons/": reasons,
    "GET /manage/institutions/{pk}/rules/": institution_admin,
    "POST /manage/institutions/{pk}/rules/": institution_admin,
    "GET /manage/institutions/{pk}/rules.json": institution_admin,
    "POST /manage/institutions/{pk}/rules/upload/": institution_admin,
    "GET /manage/institutions/{pk}/rules/edit/": institution_admin,
    "POST /manage/institutions/{pk}/rules/edit/": institution_admin,
    "POST /manage/institutions/{pk}/rules/change/": institution_admin,
    "POST /manage/institutions/{pk}/rules/start/": institution_admin,
    "POST /manage/institutions/{pk}/rules/try/": institution_admin,
    # Bookings
    "GET /bookings/": signed_in,
    "GET /bookings/past/": signed_in,
    "GET /instruments/{pk}/series/": only(BOOKERS, sees="homeless left operator"),
    "POST /instruments/{pk}/series/preview/": only(BOOKERS, sees="homeless left operator"),
    "POST /instruments/{pk}/series/book/": only(BOOKERS, sees="homeless left operator"),
    "POST /instruments/{pk}/together/": only(BOOKERS, sees="homeless left operator"),
    "GET /bookings/series/{pk}/": only(PARTIES),
    "GET /bookings/series/{pk}/change/": only(PARTIES),
    "POST /bookings/series/{pk}/move/": only(PARTIES),
    "POST /bookings/series/{pk}/move/preview/": only(PARTIES),
    "POST /bookings/series/{pk}/cancel/": only(PARTIES),
    "POST /bookings/series/{pk}/approve/": only(LAB, sees=PARTIES),
    "POST /bookings/series/{pk}/reject/": only(LAB, sees=PARTIES),
    "GET /bookings/series/{pk}/skipped/{date}/": only("member eadmin", sees=PARTIES),
    "POST /bookings/series/{pk}/skipped/{date}/take-up/": only("member eadmin", sees=PARTIES),
    "GET /bookings/together/": only(BOOKERS, sees="homeless left operator"),
    "POST /bookings/together/": only(BOOKERS, sees="homeless left operator"),
    "POST /bookings/together/check/": only(BOOKERS, sees="homeless left operator"),
    "POST /bookings/together/book/": only(BOOKERS, sees="homeless left operator"),
    "GET /bookings/together/{pk}/": only(PARTIES),
    "POST /bookings/together/{pk}/cancel/": only("member eadmin", sees=PARTIES),
    "GET /bookings/waiting/": signed_in,
    "POST /bookings/waiting/{pk}/accept/": only("member eadmin", sees=PARTIES),
    "POST /bookings/waiting/{pk}/decline/": only("member eadmin", sees=PARTIES),
    "POST /bookings/waiting/{pk}/leave/": only("member eadmin", sees=PARTIES),
    "POST /bookings/{pk}/replacements/{rid}/accept/": only("member eadmin", sees=PARTIES),
    "POST /bookings/{pk}/replacements/decline/": only("member eadmin", sees=PARTIES),
    "GET /bookings/{pk}/": only(PARTIES),
    "GET /bookings/{pk}/booking.ics": only(PARTIES),
    "POST /bookings/{pk}/withdraw/": only("member eadmin", sees=PARTIES),
    "POST /bookings/{pk}/cancel/": only("member eadmin", sees=PARTIES),
    "POST /bookings/{pk}/approve/": only(LAB, sees=PARTIES),
    "POST /bookings/{pk}/reject/": only(LAB, sees=PARTIES),
    "POST /bookings/{pk}/start/": only(PARTIES),
    "POST /bookings/{pk}/coming/": only("member eadmin", sees=LAB),
    "POST /bookings/{pk}/finish/": only(PARTIES),
    "GET /bookings/{pk}/move/": only(PARTIES),
    "POST /bookings/{pk}/move/": only(PARTIES),
    "POST /bookings/{pk}/move/check/": only(PARTIES),
    "GET /bookings/{pk}/length/": only(PARTIES),
    "POST /bookings/{pk}/drag/": only(PARTIES),
    "POST /bookings/{pk}/transfer/": only("member eadmin", sees=PARTIES),
    "POST /bookings/{pk}/no-show/": only(LAB, sees="eadmin"),
    "GET /bookings/{pk}/messages/": only(PARTIES),
    "POST /bookings/{pk}/messages/": only(PARTIES),
    "GET /bookings/{pk}/files/{file}/": only(PARTIES),
    # Calendars
    "GET /calendar/": signed_in,
    "GET /calendar/events/": signed_in,
    "GET /calendar/{token}.ics": only(EVERYBODY.replace("left ", "")),
    # Samples
    "GET /instruments/{pk}/samples/": only(BOOKERS, sees="homeless left operator"),
    "POST /instruments/{pk}/samples/": only(BOOKERS, sees="homeless left operator"),
    "POST /instruments/{pk}/samples/check/": only(BOOKERS, sees="homeless left operator"),
    "GET /instruments/{pk}/samples/row/": signed_in,
    "GET /samples/": signed_in,
    "GET /samples/desk/": only(DESKS, sees=SIGNED_IN),
    "GET /samples/{pk}/": order,
    "POST /samples/{pk}/cancel/": order_of_parties,
    "POST /samples/{pk}/agree/": only("finance", sees=PARTIES),
    "GET /samples/{pk}/messages/": order_of_parties,
    "POST /samples/{pk}/messages/": order_of_parties,
    "GET /samples/{pk}/files/{file}/": order_of_parties,
    "GET /samples/{pk}/results/{file}/": order_of_parties,
    "GET /samples/{pk}/labels.pdf": order_of_parties,
    "POST /samples/{pk}/accept/": order_of_lab,
    "POST /samples/{pk}/reject/": order_of_lab,
    "POST /samples/{pk}/receive/": order_of_lab,
    "POST /samples/{pk}/start/": order_of_lab,
    "POST /samples/{pk}/machine-time/": order_of_lab,
    "POST /samples/{pk}/finish/": order_of_lab,
    "POST /samples/{pk}/return/": order_of_lab,
    "POST /samples/{pk}/results/": order_of_lab,
    "POST /samples/{pk}/results/{file}/withdraw/": order_of_lab,
    # The lab's desk
    "GET /desk/": desks,
    "GET /desk/events/": desks,
    "POST /desk/decide/": desks,
    "GET /desk/outage/": lab,
    "POST /desk/{pk}/approve/": only(LAB),
    "POST /desk/{pk}/reject/": only(LAB),
    "GET /usage/": desks,
    "POST /usage/verify/": only(LAB),
    "POST /usage/{pk}/verify/": record_of_lab,
    "GET /usage/{pk}/": record,
    "POST /usage/{pk}/preview/": record_of_lab,
    "POST /usage/{pk}/amend/": record_of_lab,
    "POST /usage/{pk}/correct/": record_of_lab,
    "GET /usage/new/": desks,
    "GET /usage/export/{kind}.{form}": records,
    # Trainings and qualifications
    "GET /trainings/": signed_in,
    "GET /trainings/{pk}/": signed_in,
    "POST /trainings/{pk}/request/": only(BOOKERS, sees="homeless left operator"),
    "GET /trainings/sessions/{pk}/session.ics": signed_in,
    "GET /account/qualifications/": signed_in,
    "POST /account/qualifications/requests/{pk}/withdraw/": only("member", sees=LAB),
    "GET /manage/trainings/": desks,
    "GET /manage/trainings/new/": desks,
    "POST /manage/trainings/new/": desks,
    "GET /manage/trainings/requests/": desks,
    "GET /manage/trainings/{pk}/": lab,
    "POST /manage/trainings/{pk}/": lab,
    "GET /manage/trainings/{pk}/sessions/new/": lab,
    "POST /manage/trainings/{pk}/sessions/new/": lab,
    "GET /manage/trainings/sessions/{pk}/": lab,
    "GET /manage/trainings/sessions/{pk}/edit/": lab,
    "POST /manage/trainings/sessions/{pk}/edit/": lab,
    "POST /manage/trainings/sessions/{pk}/cancel/": lab,
    "POST /manage/trainings/sessions/{pk}/results/": lab,
    "POST /manage/trainings/requests/{pk}/enrol/": only(LAB, sees="member"),
    "POST /manage/trainings/requests/{pk}/reject/": only(LAB, sees="member"),
    "GET /manage/qualifications/": desks,
    "GET /manage/qualifications/export.{form}": desks,
    "GET /manage/qualifications/grant/": desks,
    "POST /manage/qualifications/grant/": desks,
    "POST /manage/qualifications/{pk}/revoke/": only(LAB, sees="member"),
    # Violations and credit
    "GET /account/record/": signed_in,
    "GET /account/record/export.{form}": signed_in,
    "GET /account/record/{pk}/appeal/": entry_of_customer,
    "POST /account/record/{pk}/appeal/": entry_of_customer,
    "GET /manage/violations/": only(f"{DESKS} operator", sees=SIGNED_IN),
    "GET /manage/violations/export.{form}": only(f"{DESKS} operator", sees=SIGNED_IN),
    "GET /manage/violations/new/": desks,
    "POST /manage/violations/new/": desks,
    "POST /manage/violations/lift/": only(LAB, sees=f"{WITHOUT_DESK} chosen".replace(" operator", "")),
    "GET /manage/violations/{pk}/": only(f"{PARTIES} operator"),
    "POST /manage/violations/{pk}/decide/": entry_of_lab,
    "POST /manage/violations/{pk}/strike-out/": entry_of_lab,
    "GET /manage/institutions/{pk}/credit/": institution_admin,
    "POST /manage/institutions/{pk}/credit/": institution_admin,
    "GET /network/credit/": only("operator"),
    "POST /network/credit/": only("operator"),
    # Agreements of an institution with its customers
    "GET /manage/agreements/": contracts,
    "GET /manage/agreements/new/": contracts,
    "POST /manage/agreements/new/": contracts,
    "GET /manage/agreements/{pk}/": contract_to_run,
    "POST /manage/agreements/{pk}/": contract_to_run,
    "POST /manage/agreements/{pk}/end/": contract_to_run,
    # Money
    "GET /finance/": signed_in,
    "POST /finance/draft/": only("finance", sees="imember manager chosen iadmin"),
    "GET /money/": signed_in,
    "GET /invoices/": signed_in,
    "GET /invoices/export/{kind}.{form}": signed_in,
    "GET /invoices/{pk}/": only(f"finance {RECEIVERS}"),
    "POST /invoices/{pk}/issue/": only("finance"),
    "POST /invoices/{pk}/delete/": only("finance"),
    "POST /invoices/{pk}/fapiao/": ledger,
    "POST /invoices/{pk}/pay/": ledger,
    "GET /invoices/{pk}/payments/{payment}/reverse/": ledger,
    "POST /invoices/{pk}/payments/{payment}/reverse/": ledger,
    "GET /invoices/{pk}/credit/": ledger,
    "POST /invoices/{pk}/credit/": ledger,
    "GET /finance/ageing/": ledgers,
    "GET /finance/ageing.{form}": ledgers,
    "GET /finance/fapiao-batch/": ledgers,
    "GET /finance/fapiao-batch.{form}": ledgers,
    "GET /invoices/{pk}/pdf/": only(f"finance {RECEIVERS}"),
    "GET /invoices/{pk}/pdf-state/": only(f"finance {RECEIVERS}"),
    "GET /invoices/{pk}/lines.{form}": only(f"finance {RECEIVERS}"),
}

API: dict[str, Rights] = {
    "GET /api/v1/me": signed_in,
    # Instruments
    "GET /api/v1/instruments": public,
    "POST /api/v1/instruments": only(DESKS, sees=SIGNED_IN),
    "GET /api/v1/instruments/{pk}": public,
    "PATCH /api/v1/instruments/{pk}": lab,
    "GET /api/v1/instruments/{pk}/availability": public,
    "GET /api/v1/availability": public,
    "GET /api/v1/instruments/{pk}/price-list": lab,
    "PUT /api/v1/instruments/{pk}/price-list": lab,
    "GET /api/v1/instruments/{pk}/policy": lab,
    "PUT /api/v1/instruments/{pk}/policy": lab,
    "POST /api/v1/instruments/{pk}/policy/try": lab,
    "POST /api/v1/instruments/{pk}/outages": lab,
    "GET /api/v1/instruments/{pk}/outages": lab,
    "PATCH /api/v1/instruments/{pk}/outages/{outage}": lab,
    "DELETE /api/v1/instruments/{pk}/outages/{outage}": lab,
    "POST /api/v1/instruments/{pk}/outages/{outage}/end": lab,
    "POST /api/v1/instruments/{pk}/outages/{outage}/extend": lab,
    "GET /api/v1/instruments/{pk}/outages/{outage}/displaced": lab,
    "GET /api/v1/instruments/{pk}/waitlist": lab,
    "POST /api/v1/waitlist": signed_in,
    "GET /api/v1/waitlist": signed_in,
    "GET /api/v1/waitlist/{pk}": only(PARTIES),
    "POST /api/v1/waitlist/{pk}/accept": only("member eadmin", sees=PARTIES),
    "POST /api/v1/waitlist/{pk}/decline": only("member eadmin", sees=PARTIES),
    "POST /api/v1/waitlist/{pk}/leave": only("member eadmin", sees=PARTIES),
    "GET /api/v1/bookings/{pk}/replacements": only(PARTIES),
    "POST /api/v1/bookings/{pk}/replacements/{rid}/accept": only("member eadmin", sees=PARTIES),
    "POST /api/v1/bookings/{pk}/replacements/{rid}/decline": only("member eadmin", sees=PARTIES),
    "POST /api/v1/bookings/{pk}/replacements/decline": only("member eadmin", sees=PARTIES),
    "POST /api/v1/instruments/import": whole_lab,
    "GET /api/v1/holidays": public,
    # Groups of instruments and the wider rules
    "GET /api/v1/instrument-groups": signed_in,
    "POST /api/v1/instrument-groups": group,
    "GET /api/v1/instrument-groups/{pk}": group,
    "PATCH /api/v1/instrument-groups/{pk}": group,
    "DELETE /api/v1/instrument-groups/{pk}": group,
    "GET /api/v1/instrument-groups/{pk}/policy": group,
    "PUT /api/v1/instrument-groups/{pk}/policy": group,
    "GET /api/v1/institutions/{pk}/policy": institution_admin,
    "PUT /api/v1/institutions/{pk}/policy": institution_admin,
    "GET /api/v1/network/policy": only("operator"),
    "PUT /api/v1/network/policy": only("operator"),
    # Bookings
    "POST /api/v1/bookings/check": signed_in,
    "POST /api/v1/bookings": signed_in,
    "POST /api/v1/bookings/series": signed_in,
    "POST /api/v1/bookings/series/preview": signed_in,
    "GET /api/v1/bookings/series/{pk}": only(PARTIES),
    "POST /api/v1/bookings/series/{pk}/cancel": only(PARTIES),
    "POST /api/v1/bookings/series/{pk}/reschedule": only(PARTIES),
    "POST /api/v1/bookings/series/{pk}/reschedule/preview": only(PARTIES),
    "POST /api/v1/bookings/series/{pk}/approve": only(LAB, sees=PARTIES),
    "POST /api/v1/bookings/series/{pk}/reject": only(LAB, sees=PARTIES),
    "GET /api/v1/bookings/series/{pk}/skipped/{date}/alternatives": only("member eadmin", sees=PARTIES),
    "POST /api/v1/bookings/series/{pk}/skipped/{date}/take-up": only("member eadmin", sees=PARTIES),
    "POST /api/v1/bookings/several": signed_in,
    "POST /api/v1/bookings/several/check": signed_in,
    "POST /api/v1/bookings/several/find": signed_in,
    "GET /api/v1/bookings/several/{pk}": only(PARTIES),
    "POST /api/v1/bookings/several/{pk}/cancel": only("member eadmin", sees=PARTIES),
    "GET /api/v1/bookings": signed_in,
    "GET /api/v1/bookings/{pk}": only(PARTIES),
    "GET /api/v1/bookings/{pk}/history": only(PARTIES),
    "POST /api/v1/bookings/{pk}/approve": only(LAB, sees=PARTIES),
    "POST /api/v1/bookings/{pk}/reject": only(LAB, sees=PARTIES),
    "POST /api/v1/bookings/{pk}/withdraw": only("member eadmin", sees=PARTIES),
    "POST /api/v1/bookings/{pk}/cancel": only(PARTIES),
    "POST /api/v1/bookings/{pk}/reschedule": only(PARTIES),
    "POST /api/v1/bookings/{pk}/extend": only(PARTIES),
    "POST /api/v1/bookings/{pk}/shorten": only(PARTIES),
    "POST /api/v1/bookings/{pk}/transfer": only("member eadmin", sees=PARTIES),
    "POST /api/v1/bookings/decide": signed_in,
    "GET /api/v1/institutions/{pk}/reason-templates": reasons,
    "PUT /api/v1/institutions/{pk}/reason-templates": reasons,
    "POST /api/v1/bookings/{pk}/start": only(PARTIES),
    "POST /api/v1/bookings/{pk}/coming": only("member eadmin", sees=LAB),
    "POST /api/v1/bookings/{pk}/finish": only(PARTIES),
    "POST /api/v1/bookings/{pk}/no-show": only(LAB, sees="eadmin"),
    "GET /api/v1/bookings/{pk}/messages": only(PARTIES),
    "POST /api/v1/bookings/{pk}/messages": only(PARTIES),
    "POST /api/v1/bookings/{pk}/files": only(PARTIES),
    "GET /api/v1/bookings/{pk}/files/{file_id}": only(PARTIES),
    # Samples
    "POST /api/v1/sample-orders/check": signed_in,
    "POST /api/v1/sample-orders": signed_in,
    "GET /api/v1/sample-orders": signed_in,
    "GET /api/v1/sample-orders/{pk}": order,
    "POST /api/v1/sample-orders/{pk}/agree": only("finance", sees=PARTIES),
    "POST /api/v1/sample-orders/{pk}/accept": order_of_lab,
    "POST /api/v1/sample-orders/{pk}/reject": order_of_lab,
    "POST /api/v1/sample-orders/{pk}/receive": order_of_lab,
    "POST /api/v1/sample-orders/{pk}/start": order_of_lab,
    "POST /api/v1/sample-orders/{pk}/machine-time": order_of_lab,
    "POST /api/v1/sample-orders/{pk}/finish": order_of_lab,
    "POST /api/v1/sample-orders/{pk}/return": order_of_lab,
    "POST /api/v1/sample-orders/{pk}/cancel": order_of_parties,
    "POST /api/v1/sample-orders/{pk}/results": order_of_lab,
    "GET /api/v1/sample-orders/{pk}/results/{file_id}": order_of_parties,
    "DELETE /api/v1/sample-orders/{pk}/results/{file_id}": order_of_lab,
    "GET /api/v1/sample-orders/{pk}/labels.pdf": order_of_parties,
    "GET /api/v1/sample-orders/{pk}/messages": order_of_parties,
    "POST /api/v1/sample-orders/{pk}/messages": order_of_parties,
    "POST /api/v1/sample-orders/{pk}/files": order_of_parties,
    "GET /api/v1/sample-orders/{pk}/files/{file_id}": order_of_parties,
    # Messages
    "GET /api/v1/messages": signed_in,
    "POST /api/v1/messages/read": signed_in,
    "POST /api/v1/messages/{pk}/read": only("member"),
    "GET /api/v1/messages/preferences": signed_in,
    "PUT /api/v1/messages/preferences": signed_in,
    # Use and calendars
    "GET /api/v1/usage": signed_in,
    "POST /api/v1/usage": lab,
    "POST /api/v1/usage/{pk}/verify": record_of_lab,
    "GET /api/v1/usage/{pk}": record,
    "PATCH /api/v1/usage/{pk}": record_of_lab,
    "POST /api/v1/usage/{pk}/correct": record_of_lab,
    "GET /api/v1/exports/usage.{form}": records,
    "GET /api/v1/exports/service-records.{form}": records,
    "POST /api/v1/feeds": signed_in,
    "DELETE /api/v1/feeds/{pk}": only("member"),
    # Trainings, qualifications, agreements
    "GET /api/v1/trainings": signed_in,
    "POST /api/v1/trainings": only(LAB, sees=WITHOUT_DESK),
    "GET /api/v1/trainings/{pk}": signed_in,
    "PATCH /api/v1/trainings/{pk}": lab,
    "GET /api/v1/training-sessions": signed_in,
    "POST /api/v1/training-sessions": lab,
    "GET /api/v1/training-sessions/{pk}": signed_in,
    "PATCH /api/v1/training-sessions/{pk}": lab,
    "POST /api/v1/training-sessions/{pk}/cancel": lab,
    "POST /api/v1/training-sessions/{pk}/results": lab,
    "GET /api/v1/training-requests": signed_in,
    "POST /api/v1/training-requests": signed_in,
    "GET /api/v1/training-requests/{pk}": only(f"member {LAB}"),
    "POST /api/v1/training-requests/{pk}/withdraw": only("member", sees=LAB),
    "POST /api/v1/training-requests/{pk}/enrol": only(LAB, sees="member"),
    "POST /api/v1/training-requests/{pk}/reject": only(LAB, sees="member"),
    "GET /api/v1/qualifications": signed_in,
    "POST /api/v1/qualifications": lab,
    "POST /api/v1/qualifications/{pk}/revoke": only(LAB, sees="member"),
    "GET /api/v1/violations": signed_in,
    "POST /api/v1/violations": lab,
    "GET /api/v1/violations/{pk}": only(f"{PARTIES} operator"),
    "POST /api/v1/violations/{pk}/appeal": entry_of_customer,
    "POST /api/v1/violations/{pk}/strike-out": entry_of_lab,
    "POST /api/v1/appeals/{pk}/decide": entry_of_lab,
    "POST /api/v1/standings/lift": only(LAB, sees="imember chosen finance"),
    "GET /api/v1/me/standing": signed_in,
    "GET /api/v1/institutions/{pk}/credit-rules": institution_admin,
    "PUT /api/v1/institutions/{pk}/credit-rules": institution_admin,
    "GET /api/v1/network/credit-rules": only("operator"),
    "PUT /api/v1/network/credit-rules": only("operator"),
    "GET /api/v1/exports/violations.{form}": only(f"{DESKS} operator", sees=SIGNED_IN),
    "GET /api/v1/exports/qualifications.{form}": only(DESKS, sees=SIGNED_IN),
    "GET /api/v1/agreements": signed_in,
    "POST /api/v1/agreements": only("iadmin xiadmin", sees=SIGNED_IN),
    "GET /api/v1/agreements/{pk}": only("iadmin eadmin", sees=SIDES),
    "PATCH /api/v1/agreements/{pk}": contract_to_run,
    "POST /api/v1/agreements/{pk}/end": contract_to_run,
    # Money
    "GET /api/v1/charges": signed_in,
    "GET /api/v1/invoices": signed_in,
    "POST /api/v1/invoices/draft": only("finance", sees="imember manager chosen iadmin"),
    "GET /api/v1/invoices/{invoice_id}": only(f"finance {RECEIVERS}"),
    "GET /api/v1/invoices/{invoice_id}/pdf": only(f"finance {RECEIVERS}"),
    "POST /api/v1/invoices/{invoice_id}/issue": only("finance"),
    "POST /api/v1/invoices/{invoice_id}/fapiao": ledger,
    "POST /api/v1/invoices/{invoice_id}/payments": ledger,
    "POST /api/v1/invoices/{invoice_id}/payments/{payment_id}/reverse": ledger,
    "POST /api/v1/invoices/{invoice_id}/credit": ledger,
    "GET /api/v1/exports/ageing.{form}": ledgers,
    "GET /api/v1/exports/fapiao-batch.{form}": ledgers,
    "GET /api/v1/exports/payments.{form}": signed_in,
    "GET /api/v1/exports/invoices.{form}": signed_in,
    "GET /api/v1/exports/invoice-lines.{form}": signed_in,
}

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
