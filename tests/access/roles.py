"""The roles of the test world by what they have in common, and what a line of `rights` says of them."""

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

# Who says what is paid before booking, and who keeps the money of a customer.
SETTERS = "finance iadmin xfinance xiadmin"
NO_SETTERS = " ".join(role for role in SIGNED_IN.split() if role not in SETTERS.split())
SPENDERS = "efinance eadmin xadmin finance iadmin xfinance xiadmin"

public, signed_in = only(EVERYBODY), only(SIGNED_IN)
# What belongs to an instrument that everybody can see.
lab = only(LAB, sees=SIGNED_IN)
desks = only(DESKS)
enterprise_admin = only("eadmin", sees=MEMBERS)
ledger = only("finance", sees=RECEIVERS)
ledgers = only(LEDGERS, sees=SIGNED_IN)
# The books of the institution itself; how organisations bill and are billed.
books = only("finance", sees="imember manager chosen iadmin")
billed = only(f"{RECEIVERS} xadmin {LEDGERS}", sees=SIGNED_IN)
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
# Vouchers: the enterprise's receivers and the network; an institution's finance sees what was redeemed there.
network = only("operator", sees=SIGNED_IN)
voucher = only(f"{RECEIVERS} operator", sees=MEMBERS)
voucher_of_network = only("operator", sees=MEMBERS)
voucher_use = only(f"finance {RECEIVERS} operator")
voucher_payout = only("finance operator")
voucher_payout_run = only("operator", sees="finance")
# Disputes: the customer's people who see the charge raise and withdraw them, finance and who manages all decide.
disputants = only(f"member {RECEIVERS}", sees="finance manager")
dispute_sides = only(f"member {RECEIVERS} finance manager")
dispute_judges = only("finance manager", sees=f"member {RECEIVERS}")
own_customers = only("finance", sees=" ".join(role for role in SIGNED_IN.split() if role not in LEDGERS.split()))
applicant = only(f"{RECEIVERS} xadmin", sees=SIGNED_IN)
voucher_charge = only(f"member {RECEIVERS}", sees="finance")
