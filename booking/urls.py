from django.urls import path

from booking.views import bookings, desk, feeds, instrument, mine, policy, usage

app_name = "booking"

urlpatterns = [
    path("instruments/<int:pk>/", instrument.instrument, name="instrument"),
    path("instruments/<int:pk>/times/", instrument.times, name="times"),
    path("instruments/<int:pk>/check/", instrument.check, name="check"),
    path("instruments/<int:pk>/book/", instrument.book, name="book"),
    path("instruments/<int:pk>/events/", instrument.events, name="events"),
    path("bookings/", mine.mine, name="mine"),
    path("bookings/past/", mine.past, name="past"),
    path("bookings/<int:pk>/", bookings.booking, name="booking"),
    path("bookings/<int:pk>/booking.ics", bookings.calendar_file, name="booking_file"),
    path("bookings/<int:pk>/withdraw/", bookings.withdraw, name="withdraw"),
    path("bookings/<int:pk>/cancel/", bookings.cancel, name="cancel"),
    path("bookings/<int:pk>/approve/", bookings.approve, name="approve"),
    path("bookings/<int:pk>/reject/", bookings.reject, name="reject"),
    path("bookings/<int:pk>/start/", bookings.start, name="start"),
    path("bookings/<int:pk>/finish/", bookings.finish, name="finish"),
    path("bookings/<int:pk>/move/", bookings.move, name="move"),
    path("bookings/<int:pk>/move/check/", bookings.check_move, name="check_move"),
    path("calendar/", mine.show_calendar, name="calendar"),
    path("calendar/events/", mine.calendar_events, name="calendar_events"),
    path("calendar/<str:token>.ics", feeds.calendar_feed, name="calendar_feed"),
    path("desk/", desk.desk, name="desk"),
    path("desk/events/", desk.desk_events, name="desk_events"),
    path("desk/<int:pk>/approve/", desk.decide, {"what": "approve"}, name="decide_approve"),
    path("desk/<int:pk>/reject/", desk.decide, {"what": "reject"}, name="decide_reject"),
    path("manage/instruments/<int:pk>/rules/", policy.rules, name="rules"),
    path("manage/instruments/<int:pk>/rules.json", policy.rules_file, name="rules_file"),
    path("manage/instruments/<int:pk>/rules/upload/", policy.upload_rules, name="upload_rules"),
    path("usage/", usage.usage, name="usage"),
    path("usage/verify/", usage.verify_selected, name="verify_selected"),
    path("usage/<int:pk>/verify/", usage.verify, name="verify"),
    path("account/feeds/", feeds.feeds, name="feeds"),
    path("account/feeds/new/", feeds.create, name="feed_create"),
    path("account/feeds/<int:pk>/replace/", feeds.replace, name="feed_replace"),
    path("account/feeds/<int:pk>/revoke/", feeds.revoke, name="feed_revoke"),
]
