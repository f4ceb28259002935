from django.urls import path, register_converter

from invoices.views import (
    batches,
    billing,
    books,
    credit,
    desk,
    disputes,
    figures,
    lists,
    papers,
    prepaid,
    running,
    spending,
    statements,
    voucher_network,
    voucher_papers,
    vouchers,
)

app_name = "invoices"


class TableFormat:
    regex = "csv|xlsx"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class TableKind(TableFormat):
    regex = "invoices|lines|payments"


class SettingKind(TableFormat):
    regex = "fapiao|accounts"


register_converter(SettingKind, "book_kind")
register_converter(TableFormat, "table_format")


class VoucherTable(TableFormat):
    regex = "grants|payouts|caps"


register_converter(TableKind, "invoice_table")
register_converter(VoucherTable, "voucher_table")

urlpatterns = [
    path("finance/", desk.desk, name="desk"),
    path("finance/draft/", desk.draft, name="draft"),
    path("finance/run/", running.run, name="run"),
    path("finance/run.<table_format:form>", running.preview_export, name="preview_export"),
    path("finance/run/start/", running.start, name="start_run"),
    path("finance/runs/<int:pk>/", running.progress, name="progress"),
    path("finance/runs/<int:pk>/stop/", running.stop, name="stop_run"),
    path("finance/figures/", figures.figures, name="figures"),
    path("finance/figures.<table_format:form>", figures.figures_export, name="figures_export"),
    path("finance/drafts/", running.drafts, name="drafts"),
    path("finance/<int:institution>/ask/<int:customer>/", running.ask, name="ask"),
    path("finance/billing/", billing.settings, name="billing"),
    path("finance/<int:institution>/logo/", billing.logo, name="logo"),
    path("finance/<int:institution>/logo/change/", billing.change_logo, name="change_logo"),
    path("finance/ageing/", desk.ageing, name="ageing"),
    path("finance/ageing.<table_format:form>", desk.ageing_export, name="ageing_export"),
    path("finance/fapiao-batch/", batches.fapiao_batch, name="batch"),
    path("finance/fapiao-batch.<table_format:form>", batches.fapiao_batch_export, name="batch_export"),
    path("finance/fapiao-batches/<int:pk>/", batches.batch_page, name="batch_page"),
    path("finance/fapiao-batches/<int:pk>/workbook.xlsx", batches.batch_file, name="batch_file"),
    path("finance/fapiao-batches/<int:pk>/discard/", batches.batch_discard, name="batch_discard"),
    path("finance/fapiao-results/", batches.fapiao_results, name="fapiao_results"),
    path("finance/fapiao-settings/", books.fapiao_settings, name="fapiao_settings"),
    path("finance/accounts/", books.accounts, name="accounts"),
    path("finance/settings/<book_kind:kind>.json", books.setting_json, name="setting_json"),
    path("finance/journal/", books.journal, name="journal"),
    path("finance/journal.<table_format:form>", books.journal_export, name="journal_export"),
    path("exports/", books.centre, name="centre"),
    path("exports/charges.<table_format:form>", books.charges_export, name="charges_export"),
    path("invoices/<int:pk>/ubl.xml", books.ubl, name="ubl"),
    path("invoices/", lists.invoice_list, name="list"),
    path("invoices/export/<invoice_table:kind>.<table_format:form>", lists.export, name="export"),
    path("invoices/<int:pk>/", papers.invoice, name="invoice"),
    path("invoices/<int:pk>/issue/", papers.issue, name="issue"),
    path("invoices/<int:pk>/delete/", papers.delete, name="delete"),
    path("invoices/<int:pk>/words/", running.words, name="words"),
    path("invoices/<int:pk>/fapiao/", papers.fapiao, name="fapiao"),
    path("invoices/<int:pk>/pay/", papers.pay, name="pay"),
    path("invoices/<int:pk>/payments/<int:payment>/reverse/", papers.reverse_one, name="reverse"),
    path("invoices/<int:pk>/credit/", papers.credit, name="credit"),
    path("invoices/<int:pk>/pdf/", papers.pdf, name="pdf"),
    path("invoices/<int:pk>/pdf-state/", papers.pdf_state, name="pdf_state"),
    path("invoices/<int:pk>/lines.<table_format:form>", papers.lines, name="lines"),
    path("charges/<int:pk>/dispute/", disputes.raise_one, name="raise_dispute"),
    path("disputes/", disputes.disputes, name="disputes"),
    path("disputes.<table_format:form>", disputes.export, name="disputes_export"),
    path("disputes/<int:pk>/", disputes.dispute, name="dispute"),
    path("disputes/<int:pk>/reply/", disputes.reply, name="reply_dispute"),
    path("disputes/<int:pk>/decide/", disputes.decide, name="decide_dispute"),
    path("disputes/<int:pk>/withdraw/", disputes.withdraw, name="withdraw_dispute"),
    path("disputes/<int:pk>/files/<int:file>/", disputes.file, name="dispute_file"),
    path("money/credit/", credit.credits_list, name="credits"),
    path("money/credit.<table_format:form>", credit.credits_export, name="credits_export"),
    path("money/credit/<int:pk>/", credit.credit, name="credit_account"),
    path("money/credit/<int:pk>/refund/", credit.refund, name="refund"),
    path("finance/customers/<int:customer>/transfer/", credit.transfer, name="transfer"),
    path("finance/transfers/<int:pk>/reverse/", credit.undo_transfer, name="undo_transfer"),
    path("finance/terms/", credit.terms, name="terms"),
    path("finance/bank/", statements.bank, name="bank"),
    path("finance/bank.<table_format:form>", statements.export, name="bank_export"),
    path("finance/bank/sure/", statements.match_all, name="match_all"),
    path("finance/bank/<int:pk>/", statements.row, name="bank_row"),
    path("finance/bank/<int:pk>/match/", statements.match, name="match_row"),
    path("finance/bank/<int:pk>/ignore/", statements.ignore, name="ignore_row"),
    path("finance/bank/<int:pk>/reopen/", statements.reopen, name="reopen_row"),
    path("invoices/<int:pk>/use-credit/", credit.use, name="use_credit"),
    path("invoices/<int:pk>/notice/", credit.notice, name="notice"),
    path("invoices/<int:pk>/hold-reminders/", credit.hold, name="hold_reminders"),
    path("verify/<str:code>/", credit.verify, name="verify"),
    path("money/", lists.mine, name="mine"),
    path("money/figures.<table_format:form>", spending.figures_export, name="own_figures_export"),
    path("money/spending/", spending.rules, name="spending_rules"),
    path("money/spending/<int:pk>/delete/", spending.delete_rule, name="spending_rule_delete"),
    path("money/budgets/", spending.budgets, name="budgets"),
    path("money/budgets.<table_format:form>", spending.budgets_export, name="budgets_export"),
    path("money/budgets/<int:pk>/", spending.budget, name="budget"),
    path("finance/prepaid/", prepaid.accounts, name="prepaid"),
    path("finance/prepaid.<table_format:form>", prepaid.accounts_export, name="prepaid_export"),
    path("finance/prepaid/open/", prepaid.open_one, name="prepaid_open"),
    path("finance/prepaid/terms/", prepaid.terms, name="prepaid_terms"),
    path("finance/prepaid/terms/<int:pk>/delete/", prepaid.delete_terms, name="prepaid_terms_delete"),
    path("prepaid/<int:pk>/", prepaid.account, name="prepaid_account"),
    path("prepaid/<int:pk>/entries.<table_format:form>", prepaid.entries_export, name="prepaid_entries"),
    path("prepaid/<int:pk>/top-up/", prepaid.pay_in, name="prepaid_top_up"),
    path("prepaid/<int:pk>/refund/", prepaid.pay_out, name="prepaid_refund"),
    path("prepaid/<int:pk>/low/", prepaid.low, name="prepaid_low"),
    path("prepaid/<int:pk>/entries/<int:entry>/reverse/", prepaid.reverse_one, name="prepaid_reverse"),
    path("vouchers/", vouchers.home, name="vouchers"),
    path("vouchers/schemes/new/", voucher_network.scheme_new, name="voucher_scheme_new"),
    path("vouchers/schemes/<int:pk>/", vouchers.scheme, name="voucher_scheme"),
    path("vouchers/schemes/<int:pk>/edit/", voucher_network.scheme_edit, name="voucher_scheme_edit"),
    path("vouchers/schemes/<int:pk>/apply/", vouchers.apply, name="voucher_apply"),
    path("vouchers/applications/", voucher_network.grants, name="voucher_grants"),
    path("vouchers/grants/<int:pk>/", vouchers.grant, name="voucher_grant"),
    path("vouchers/grants/<int:pk>/grant/", voucher_network.give, name="voucher_give"),
    path("vouchers/grants/<int:pk>/refuse/", voucher_network.refuse, name="voucher_refuse"),
    path("vouchers/grants/<int:pk>/revoke/", voucher_network.revoke, name="voucher_revoke"),
    path("vouchers/grants/<int:pk>/withdraw/", vouchers.withdraw, name="voucher_withdraw"),
    path("vouchers/grants/<int:pk>/files/<int:file>/", vouchers.grant_file, name="voucher_file"),
    path("vouchers/charges/<int:pk>/", vouchers.charge, name="voucher_charge"),
    path("vouchers/uses/", voucher_papers.uses, name="voucher_uses"),
    path("vouchers/uses.<table_format:form>", voucher_papers.uses_export, name="voucher_uses_export"),
    path("vouchers/uses/<int:pk>/", voucher_papers.use, name="voucher_use"),
    path("vouchers/uses/<int:pk>/evidence.zip", voucher_papers.use_evidence, name="voucher_use_evidence"),
    path("vouchers/payouts/", voucher_papers.payouts, name="voucher_payouts"),
    path("vouchers/payouts/prepare/", voucher_papers.payout_prepare, name="voucher_payout_prepare"),
    path("vouchers/payouts/<int:pk>/", voucher_papers.payout, name="voucher_payout"),
    path("vouchers/payouts/<int:pk>/evidence.zip", voucher_papers.payout_evidence, name="voucher_payout_evidence"),
    path("vouchers/payouts/<int:pk>/paid/", voucher_papers.payout_paid, name="voucher_payout_paid"),
    path("vouchers/payouts/<int:pk>/drop/", voucher_papers.payout_drop, name="voucher_payout_drop"),
    path("vouchers/caps/", voucher_network.caps, name="voucher_caps"),
    path("vouchers/export/<voucher_table:kind>.<table_format:form>", voucher_network.export, name="voucher_export"),
    path("invoices/<int:pk>/files/", voucher_papers.invoice_files, name="files"),
    path("invoices/<int:pk>/files/<int:file>/", voucher_papers.invoice_file, name="file"),
    path("invoices/<int:pk>/files/<int:file>/remove/", voucher_papers.invoice_file_remove, name="file_remove"),
]
