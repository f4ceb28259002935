"""The API: one object, the apps' routers by dotted string."""

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from backend.core.api import Renderer, declare_problems, install_error_handlers


class Api(NinjaAPI):
    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        return declare_problems(super().get_openapi_schema(**kwargs))  # type: ignore[return-value]


api = Api(
    title="Yixiang 仪享",
    version="1.0.0",
    description="Instruments, availability, bookings, usage, charges, invoices and calendar feeds.",
    urls_namespace="api",
    renderer=Renderer(),
)
install_error_handlers(api)
BOOKING = ("booking.api.bookings", "booking.api.lab", "booking.api.usage", "booking.api.calendars")
for router in ("backend.accounts.api", "instruments.api", *BOOKING, "invoices.api"):
    api.add_router("", f"{router}.router")
