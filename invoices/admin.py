"""Reference data that the network's operator keeps. Charges and invoices are not here: only actions write them."""

from __future__ import annotations

from django.contrib import admin

from invoices.models import TaxRate


@admin.register(TaxRate)
class TaxRateAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("name", "code", "percent", "included", "valid_from", "institution")
    list_filter = ("included",)
    search_fields = ("name", "code", "institution__name")
    list_select_related = ("institution",)
