"""All addresses; the apps are named by dotted string, so that nothing is imported here."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from backend.api import api

handler400 = "backend.core.http.bad_request"
handler403 = "backend.core.http.permission_denied"
handler404 = "backend.core.http.page_not_found"
handler500 = "backend.web.errors.server_error"
# Asked by django-allauth when sign-in is throttled.
handler429 = "backend.core.http.too_many_requests"

urlpatterns = [
    path("api/v1/", api.urls),
    path("operator/admin/", admin.site.urls),
    path("account/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("favicon.ico", RedirectView.as_view(url="/static/yixiang/favicon.svg", permanent=True)),
    path("", include("backend.web.urls")),
    path("", include("backend.accounts.urls")),
    path("", include("instruments.urls")),
    path("", include("booking.urls")),
    path("", include("invoices.urls")),
]
