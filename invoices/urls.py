from django.urls import path, register_converter

from invoices.views import desk, lists, papers

app_name = "invoices"


class TableFormat:
    regex = "csv|xlsx"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class TableKind(TableFormat):
    regex = "invoices|lines|payments"


register_converter(TableFormat, "table_format")
register_converter(TableKind, "invoice_table")

urlpatterns = [
    path("finance/", desk.desk, name="desk"),
    path("finance/draft/", desk.draft, name="draft"),
    path("finance/ageing/", desk.ageing, name="ageing"),
    path("finance/ageing.<table_format:form>", desk.ageing_export, name="ageing_export"),
    path("finance/fapiao-batch/", desk.fapiao_batch, name="batch"),
    path("finance/fapiao-batch.<table_format:form>", desk.fapiao_batch_export, name="batch_export"),
    path("invoices/", lists.invoice_list, name="list"),
    path("invoices/export/<invoice_table:kind>.<table_format:form>", lists.export, name="export"),
    path("invoices/<int:pk>/", papers.invoice, name="invoice"),
    path("invoices/<int:pk>/issue/", papers.issue, name="issue"),
    path("invoices/<int:pk>/delete/", papers.delete, name="delete"),
    path("invoices/<int:pk>/fapiao/", papers.fapiao, name="fapiao"),
    path("invoices/<int:pk>/pay/", papers.pay, name="pay"),
    path("invoices/<int:pk>/payments/<int:payment>/reverse/", papers.reverse_one, name="reverse"),
    path("invoices/<int:pk>/credit/", papers.credit, name="credit"),
    path("invoices/<int:pk>/pdf/", papers.pdf, name="pdf"),
    path("invoices/<int:pk>/pdf-state/", papers.pdf_state, name="pdf_state"),
    path("invoices/<int:pk>/lines.<table_format:form>", papers.lines, name="lines"),
    path("money/", lists.mine, name="mine"),
]
