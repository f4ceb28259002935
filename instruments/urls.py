from django.urls import URLPattern, path

from instruments.views import (
    catalogue,
    groups,
    holidays,
    hours,
    importing,
    manage,
    photos,
    price_change,
    price_example,
    price_public,
    price_try,
    prices,
)

app_name = "instruments"


def price_desk(prefix: str, name: str, of: dict[str, str]) -> list[URLPattern]:
    """Changing and trying the prices of one kind of holder."""
    return [
        path(prefix, prices.prices, of, name=name),
        path(f"{prefix}import/", prices.import_prices, of, name=f"import_{name}"),
        path(f"{prefix}<int:version>.json", prices.export_prices, of, name=f"export_{name}"),
        path(f"{prefix}draft.json", price_change.draft_file, of, name=f"{name}_draft"),
        path(f"{prefix}edit/", price_change.edit, of, name=f"{name}_edit"),
        path(f"{prefix}change/", price_change.change, of, name=f"{name}_change"),
        path(f"{prefix}start/", price_change.start, of, name=f"{name}_start"),
        path(f"{prefix}try/", price_try.try_it, of, name=f"{name}_try"),
    ]


urlpatterns = [
    path("instruments/", catalogue.catalogue, name="catalogue"),
    path("instruments/photos/<uuid:uid>/<str:size>.jpg", photos.photo, name="photo"),
    path("instruments/<int:pk>/prices/", price_public.price_page, name="price_page"),
    path("instruments/<int:pk>/prices/calculator/", price_public.calculator, name="calculator"),
    path("instruments/<int:pk>/prices/calculate/", price_public.calculate, name="calculate"),
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
    path("manage/instruments/<int:pk>/prices/example/", price_example.price_example, name="price_example"),
    *price_desk("manage/instruments/<int:pk>/prices/", "prices", {}),
    *price_desk("manage/agreements/<int:pk>/prices/", "agreed_prices", {"kind": "agreement"}),
]
