"""Which browser there is, and how ours is set up."""

from __future__ import annotations

import os
import shutil

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def chromium() -> str | None:
    """The executable: named in CHROMIUM, or one that the system has."""
    candidates = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
    return next((path for name in candidates if name and (path := shutil.which(name))), None)
