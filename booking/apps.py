from django.apps import AppConfig


class BookingConfig(AppConfig):
    name = "booking"

    def ready(self) -> None:
        from booking.queries.policy import tell_rules  # models exist only now
        from instruments.queries.detail import tell_policy

        tell_policy(tell_rules)
