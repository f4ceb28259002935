"""The ledger (charges and their lines) and the documents (invoices). Nothing here knows of bookings."""

from invoices.models.aside import AsideAccount, AsideLine
from invoices.models.billing import BillingSettings, Logo, MissingData
from invoices.models.charges import Charge, ChargeLine, ChargeQuerySet, ChargeState, Stage
from invoices.models.disputes import Dispute, DisputeFile, DisputeNote, DisputeSide, DisputeState
from invoices.models.documents import (
    SERIES,
    Counter,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoicePdf,
    InvoiceQuerySet,
    InvoiceStatus,
    ShownStatus,
)
from invoices.models.exporting import BookKind, BookSetting, FapiaoBatch, FapiaoPart, JournalExport
from invoices.models.payments import Payment, Transfer
from invoices.models.prepaid import EntryKind, PrepaidAccount, PrepaidEntry, PrepaidKind, PrepaidTerms
from invoices.models.rates import TaxRate, TaxRateQuerySet
from invoices.models.runs import InvoiceRun, InvoiceRunItem, ItemState, RunState, RunStep
from invoices.models.spending import Approver, Budget, BudgetPeriod, SpendingKind, SpendingRule
from invoices.models.statements import BankRow, BankStatement, RowState
from invoices.models.surplus import Surplus, SurplusEntry, SurplusKind
from invoices.models.terms import MoneyTerms, Reminder
from invoices.models.voucher_uses import (
    UPLOADED,
    Evidence,
    InvoiceFile,
    PayoutState,
    UseState,
    VoucherPayout,
    VoucherPayoutLine,
    VoucherUse,
)
from invoices.models.vouchers import (
    CapBy,
    EnterpriseType,
    GrantFile,
    GrantState,
    VoucherAccount,
    VoucherGrant,
    VoucherScheme,
    WhenHigher,
)

__all__ = [
    "SERIES",
    "UPLOADED",
    "Approver",
    "AsideAccount",
    "AsideLine",
    "BankRow",
    "BankStatement",
    "BillingSettings",
    "BookKind",
    "BookSetting",
    "Budget",
    "BudgetPeriod",
    "CapBy",
    "Charge",
    "ChargeLine",
    "ChargeQuerySet",
    "ChargeState",
    "Counter",
    "Dispute",
    "DisputeFile",
    "DisputeNote",
    "DisputeSide",
    "DisputeState",
    "EnterpriseType",
    "EntryKind",
    "Evidence",
    "FapiaoBatch",
    "FapiaoPart",
    "GrantFile",
    "GrantState",
    "Invoice",
    "InvoiceFile",
    "InvoiceKind",
    "InvoiceLine",
    "InvoicePdf",
    "InvoiceQuerySet",
    "InvoiceRun",
    "InvoiceRunItem",
    "InvoiceStatus",
    "ItemState",
    "JournalExport",
    "Logo",
    "MissingData",
    "MoneyTerms",
    "Payment",
    "PayoutState",
    "PrepaidAccount",
    "PrepaidEntry",
    "PrepaidKind",
    "PrepaidTerms",
    "Reminder",
    "RowState",
    "RunState",
    "RunStep",
    "ShownStatus",
    "SpendingKind",
    "SpendingRule",
    "Stage",
    "Surplus",
    "SurplusEntry",
    "SurplusKind",
    "TaxRate",
    "TaxRateQuerySet",
    "Transfer",
    "UseState",
    "VoucherAccount",
    "VoucherGrant",
    "VoucherPayout",
    "VoucherPayoutLine",
    "VoucherScheme",
    "VoucherUse",
    "WhenHigher",
]
