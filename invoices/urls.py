from django.urls import path, register_converter

from invoices import views

app_name = "invoices"


class TableFormat:
    regex = "csv|xlsx"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class TableKind(TableFormat):
    regex = "invoices|lines"


register_converter(TableFormat, "table_format")
register_converter(TableKind, "invoice_table")

urlpatterns = [
    path("finance/", views.desk, name="desk"),
    path("finance/draft/", views.draft, name="draft"),
    path("invoices/", views.invoice_list, name="list"),
    path("invoices/export/<invoice_table:kind>.<table_format:form>", views.export, name="export"),
    path("invoices/<int:pk>/", views.invoice, name="invoice"),
    path("invoices/<int:pk>/issue/", views.issue, name="issue"),
    path("invoices/<int:pk>/delete/", views.delete, name="delete"),
    path("invoices/<int:pk>/fapiao/", views.fapiao, name="fapiao"),
    path("invoices/<int:pk>/pdf/", views.pdf, name="pdf"),
    path("invoices/<int:pk>/pdf-state/", views.pdf_state, name="pdf_state"),
    path("invoices/<int:pk>/lines.<table_format:form>", views.lines, name="lines"),
    path("money/", views.mine, name="mine"),
]
