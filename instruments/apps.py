from django.apps import AppConfig
from django.db.models.signals import post_migrate


class InstrumentsConfig(AppConfig):
    name = "instruments"

    def ready(self) -> None:
        from instruments.actions.indexing import index_what_was_there  # its models are loaded by now

        post_migrate.connect(index_what_was_there, sender=self, dispatch_uid="index_what_was_there")
