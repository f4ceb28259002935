from django.urls import path

from instruments.views import catalogue, groups, holidays, hours, importing, manage, photos, price_example, prices

app_name = "instruments"

urlpatterns = [
    path("instruments/", catalogue.catalogue, name="catalogue"),
    path("instruments/photos/<uuid:uid>/<str:size>.jpg", photos.photo, name="photo"),
    path("network/holidays/", holidays.holidays, name="holidays"),
    path("network/holidays/<int:year>/delete/", holidays.delete_holidays, name="delete_holidays"),
    path("manage/instruments/", manage.manage, name="manage"),
    path("manage/instruments/new/", manage.create, name="create"),
    path("manage/instruments/import/", importing.upload, name="import"),
    path("manage/instruments/import/template.<str:form>", importing.template, name="import_template"),
    path("manage/instruments/import/<int:pk>/", importing.preview, name="import_table"),
    path("manage/instruments/import/<int:pk>/problems.csv", importing.problems, name="import_problems"),
    path("manage/instruments/<int:pk>/", manage.settings, name="settings"),
    path("manage/instruments/<int:pk>/photos/", photos.photos, name="photos"),
    path("manage/instruments/<int:pk>/photos/<int:photo_pk>/", photos.change_photo, name="change_photo"),
    path("manage/groups/", groups.groups, name="groups"),
    path("manage/institutions/<int:institution>/groups/new/", groups.create, name="create_group"),
    path("manage/groups/<int:pk>/", groups.group, name="group"),
    path("manage/groups/<int:pk>/delete/", groups.delete, name="delete_group"),
    path("manage/instruments/<int:pk>/hours/", hours.hours, name="hours"),
    path("manage/instruments/<int:pk>/special-days/", hours.special_days, name="special_days"),
    path("manage/instruments/<int:pk>/prices/", prices.prices, name="prices"),
    path("manage/instruments/<int:pk>/prices/example/", price_example.price_example, name="price_example"),
    path("manage/instruments/<int:pk>/prices/import/", prices.import_prices, name="import_prices"),
    path("manage/instruments/<int:pk>/prices/<int:version>.json", prices.export_prices, name="export_prices"),
]
