"""Which pages there are to look at, and for whom."""

from __future__ import annotations

ENTERPRISE, MANAGER, FINANCE = "enterprise@demo.example", "manager@demo.example", "finance@demo.example"
ADMIN, NETWORK = "admin@demo.example", "network@demo.example"

# Account (empty: a visitor), name of the picture, address.
PAGES: tuple[tuple[str, str, str], ...] = (
    ("", "home", "/"),
    ("", "catalogue", "/instruments/"),
    ("", "catalogue-search", "/instruments/?q=%E7%94%B5%E9%95%9C"),
    ("", "sign-in", "/account/login/"),
    ("", "not-found", "/no/such/page/"),
    ("", "instrument", "/instruments/4/"),
    (ENTERPRISE, "home-enterprise", "/"),
    (ENTERPRISE, "instrument-booking", "/instruments/4/"),
    (ENTERPRISE, "bookings", "/bookings/"),
    (ENTERPRISE, "bookings-past", "/bookings/past/"),
    (ENTERPRISE, "calendar", "/calendar/"),
    (ENTERPRISE, "invoices", "/invoices/"),
    (ENTERPRISE, "money", "/money/"),
    (ENTERPRISE, "feeds", "/account/feeds/"),
    (MANAGER, "home-manager", "/"),
    (MANAGER, "desk", "/desk/"),
    (MANAGER, "usage", "/usage/"),
    (MANAGER, "manage", "/manage/instruments/"),
    (MANAGER, "manage-instrument", "/manage/instruments/4/"),
    (MANAGER, "manage-hours", "/manage/instruments/4/hours/"),
    (MANAGER, "manage-prices", "/manage/instruments/4/prices/"),
    (MANAGER, "manage-rules", "/manage/instruments/4/rules/"),
    (FINANCE, "home-finance", "/"),
    (FINANCE, "finance", "/finance/"),
    (FINANCE, "finance-invoices", "/invoices/"),
    (ADMIN, "home-admin", "/"),
    (NETWORK, "home-network", "/"),
)
