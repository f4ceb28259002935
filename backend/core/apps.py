"""The core app: no models; its database guards are made anew around migrations."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class CoreConfig(AppConfig):
    name = "backend.core"
    label = "core"

    def ready(self) -> None:
        from backend.core import constraints  # needs the settings that are only complete now

        # Both signals come once for every app that has models. All migrations lie between them.
        pre_migrate.connect(constraints.drop_guards, dispatch_uid="drop_guards")
        post_migrate.connect(constraints.create_guards, dispatch_uid="create_guards")
