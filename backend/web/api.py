"""``/api/v1/messages``: what a person is told in the application."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from backend.accounts.auth import person, signed_in
from backend.core.api import page_of
from backend.outbox.actions import mark_read
from backend.outbox.models import Message
from backend.outbox.queries.inbox import choices_of, get_message, inbox, show
from backend.web.actions import choose_messages
from backend.web.schemas import Choice, MessageFilter, MessageOut, MessagePage, ReadOut, message_out

router = Router(auth=signed_in, tags=["messages"])


def _out(message: Message) -> dict[str, Any]:
    return message_out(show([message])[0])


@router.get("/messages", response=MessagePage, summary="Your messages, newest first")
def messages(request: HttpRequest, filters: Query[MessageFilter]) -> dict[str, Any]:
    rows = inbox(person(request).pk, topic=filters.topic or "", unread=filters.unread)
    return page_of(rows, filters, _out)


@router.post("/messages/read", response=ReadOut, summary="Mark all your messages as read")
def read_all(request: HttpRequest) -> dict[str, int]:
    return {"read": mark_read(messages=inbox(person(request).pk))}


@router.get("/messages/preferences", response=list[Choice], summary="What you are told, and how")
def preferences(request: HttpRequest) -> list[dict[str, Any]]:
    return [{"topic": topic, **channels} for topic, channels in choices_of(person(request).pk).items()]


@router.put("/messages/preferences", response=list[Choice], summary="Choose what you are told")
def put_preferences(request: HttpRequest, body: list[Choice]) -> list[dict[str, Any]]:
    choices = {choice.topic.value: {"in_app": choice.in_app, "mail": choice.mail} for choice in body}
    choose_messages(user=person(request), choices=choices)
    return preferences(request)


@router.post("/messages/{int:pk}/read", response=MessageOut, summary="Mark a message as read")
def read(request: HttpRequest, pk: int) -> dict[str, Any]:
    user = person(request)
    message = get_message(user.pk, pk)
    mark_read(messages=inbox(user.pk).filter(pk=message.pk))
    return _out(get_message(user.pk, pk))
