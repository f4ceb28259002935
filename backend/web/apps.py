from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class WebConfig(AppConfig):
    name = "backend.web"
    label = "web"

    def ready(self) -> None:
        from backend.web.actions import ensure_schedule  # imports models, which are only ready now

        post_migrate.connect(ensure_schedule, sender=apps.get_app_config("django_q"), dispatch_uid="schedule")
