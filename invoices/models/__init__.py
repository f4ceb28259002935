"""The ledger (charges and their lines) and the documents (invoices). Nothing here knows of bookings."""

from invoices.models.charges import Charge, ChargeLine, ChargeQuerySet, ChargeState, Stage
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
from invoices.models.payments import Payment
from invoices.models.rates import TaxRate, TaxRateQuerySet

__all__ = [
    "SERIES",
    "Charge",
    "ChargeLine",
    "ChargeQuerySet",
    "ChargeState",
    "Counter",
    "Invoice",
    "InvoiceKind",
    "InvoiceLine",
    "InvoicePdf",
    "InvoiceQuerySet",
    "InvoiceStatus",
    "Payment",
    "ShownStatus",
    "Stage",
    "TaxRate",
    "TaxRateQuerySet",
]
