from django.apps import AppConfig


class BookingConfig(AppConfig):
    name = "booking"

    def ready(self) -> None:
        # Models exist only now. That room shows instruments and knows no rules: it is told here.
        from booking.actions.closing import close_months  # reads models
        from booking.queries.first_start import first_starts  # reads models
        from booking.queries.policy import tell_rules  # reads models
        from instruments.queries.detail import tell_policy  # reads models
        from instruments.queries.free import tell_first_start  # reads models
        from invoices.actions.running import before_drafting  # reads models

        before_drafting.append(close_months)
        tell_policy(tell_rules)
        tell_first_start(first_starts)
