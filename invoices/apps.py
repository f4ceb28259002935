from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    name = "invoices"

    def ready(self) -> None:
        from backend.outbox.queries.attachments import register  # imports models, which are only ready now
        from invoices.actions.documents import attached_pdf

        register("invoice_issued", attached_pdf)
