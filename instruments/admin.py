"""Reference data for the network's operator; everything else has pages of its own."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from instruments.actions.indexing import index_instruments
from instruments.models import Category, Instrument, Technique


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("code", "name", "name_en", "parent")
    search_fields = ("code", "name", "name_en")

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm[Any], change: bool) -> None:
        super().save_model(request, obj, form, change)
        index_instruments(pks=list(Instrument.objects.filter(category=obj.pk).values_list("pk", flat=True)))


@admin.register(Technique)
class TechniqueAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("key", "name", "name_en")
    search_fields = ("key", "name", "name_en")

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm[Any], change: bool) -> None:
        super().save_model(request, obj, form, change)
        index_instruments(pks=list(Instrument.objects.filter(techniques=obj.pk).values_list("pk", flat=True)))
