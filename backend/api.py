"""The API: one object, the apps' routers by dotted string."""

from typing import Any, ClassVar

from django.utils.module_loading import import_string
from django.utils.translation import get_language
from ninja import NinjaAPI
from ninja.errors import ValidationError, ValidationErrorContext
from ninja.openapi.schema import OpenAPISchema

from backend.core.api import (
    Parser,
    Renderer,
    declare_key,
    declare_problems,
    install_error_handlers,
    shape_errors,
)

# How the paths end whose answers are not kept for a repeated request: a secret, what is many transactions of their
# own, and questions that write nothing.
NEVER_STORED = ("/feeds", "/bookings/decide", "/check", "/preview", "/find", "/policy/try", "/quote.pdf")


class Api(NinjaAPI):
    _documents: ClassVar[dict[tuple[str | None, str], Any]] = {}

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """Made once in a process for each language: it takes a second and does not change."""
        known = (get_language(), repr(sorted(kwargs.items())))
        if known not in self._documents:
            document = declare_key(super().get_openapi_schema(**kwargs), unless=NEVER_STORED)
            self._documents[known] = declare_problems(document)
        found: OpenAPISchema = self._documents[known]
        return found

    def validation_error_from_error_contexts(
        self, error_contexts: list[ValidationErrorContext[Any]]
    ) -> ValidationError:
        return ValidationError(shape_errors(error_contexts))


api = Api(
    title="Yixiang 仪享",
    version="1.0.0",
    description="Instruments, availability, bookings, usage, charges, invoices and calendar feeds.",
    urls_namespace="api",
    renderer=Renderer(),
    parser=Parser(),
)
install_error_handlers(api)
api.add_decorator(import_string("backend.accounts.auth.repeatable")(unless=NEVER_STORED))
BOOKING = (
    "booking.api.bookings",
    "booking.api.quotes",
    "booking.api.series",
    "booking.api.several",
    "booking.api.desk",
    "booking.api.lab",
    "booking.api.policies",
    "booking.api.usage",
    "booking.api.calendars",
    "booking.api.exports",
    "booking.api.samples",
    "booking.api.training",
    "booking.api.violations",
    "booking.api.waitlist",
    "booking.api.replacements",
    "booking.api.spending",
)
INVOICES = (
    "invoices.api",
    "invoices.api_exports",
    "invoices.api_prepaid",
    "invoices.api_money",
    "invoices.api_statements",
    "invoices.api_vouchers",
    "invoices.api_runs",
)
INSTRUMENTS = ("instruments.api", "instruments.api_agreements", "instruments.api_search")
MESSAGES = ("booking.api.conversation", "backend.web.api")
for router in ("backend.accounts.api", *INSTRUMENTS, *BOOKING, *INVOICES, *MESSAGES):
    api.add_router("", f"{router}.router")
