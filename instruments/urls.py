from django.urls import path

from instruments.views import catalogue, hours, manage, prices

app_name = "instruments"

urlpatterns = [
    path("instruments/", catalogue.catalogue, name="catalogue"),
    path("manage/instruments/", manage.manage, name="manage"),
    path("manage/instruments/new/", manage.create, name="create"),
    path("manage/instruments/<int:pk>/", manage.settings, name="settings"),
    path("manage/instruments/<int:pk>/hours/", hours.hours, name="hours"),
    path("manage/instruments/<int:pk>/special-days/", hours.special_days, name="special_days"),
    path("manage/instruments/<int:pk>/prices/", prices.prices, name="prices"),
    path("manage/instruments/<int:pk>/prices/import/", prices.import_prices, name="import_prices"),
    path("manage/instruments/<int:pk>/prices/<int:version>.json", prices.export_prices, name="export_prices"),
]
