"""Refusing what is too large before it is read. Django bounds fields and JSON by itself, but not files."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler


class LimitedUpload(FileUploadHandler):
    """First of FILE_UPLOAD_HANDLERS: a form of more than UPLOAD_MAX_BYTES in all is answered with 413 at once."""

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **more: Any) -> None:  # noqa: N803  (Django's name)
        if content_length > settings.UPLOAD_MAX_BYTES:
            raise RequestDataTooBig("The form is larger than UPLOAD_MAX_BYTES.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
