from django.urls import path

from backend.web import health
from backend.web.views import deliveries, home, inbox, mails, preferences

app_name = "web"

urlpatterns = [
    path("", home.home, name="home"),
    # What a person is told.
    path("messages/", inbox.inbox, name="inbox"),
    path("messages/newest/", inbox.newest, name="newest_messages"),
    path("messages/read/", inbox.read_all, name="read_messages"),
    path("messages/<int:pk>/", inbox.open_message, name="open_message"),
    path("account/notifications/", preferences.preferences, name="preferences"),
    # The network's operator.
    path("operator/deliveries/", deliveries.deliveries, name="deliveries"),
    path("operator/deliveries/<int:pk>/retry/", deliveries.retry, name="retry_delivery"),
    path("operator/mail/", mails.mails, name="mails"),
    path("operator/mail/<str:key>/", mails.mail, name="mail"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
