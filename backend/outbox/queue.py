"""Asking the worker for something as part of the open transaction."""

from __future__ import annotations

from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.tasks import async_task

from backend.core.prepared import insert


class _Queue(ORM):  # type: ignore[misc]  # django-q2 has no types
    """The queue in our database; its own way in may close the connection and makes the statement each time."""

    def enqueue(self, task: str) -> int:
        insert(OrmQ(key=self.list_key, payload=task, lock=timezone.now()), numbered=False)
        return 0  # the number, which nobody asks for


_QUEUE = _Queue(list_key=Conf.CLUSTER_NAME)


def ask(task: str, *, name: str) -> None:
    """``task`` is the dotted name of a function without arguments."""
    async_task(task, task_name=name, broker=_QUEUE)
