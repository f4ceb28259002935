from django.urls import path

from backend.accounts import views

app_name = "accounts"

urlpatterns = [
    path("account/organisation/", views.switch_organisation, name="switch_organisation"),
]
