"""Simple drawings that stand for photos in the demo."""

from __future__ import annotations

import io

from django.core.files.uploadedfile import SimpleUploadedFile

SIZE = (960, 720)
# Wall, bench and instrument, by kind of room.
_COLOURS = (("#e8eef4", "#9fb3c8", "#334e68"), ("#f0f4e8", "#b5c99a", "#3f6212"), ("#f5ebe6", "#d6b8a6", "#7c4a2d"))


def picture(number: int) -> SimpleUploadedFile:
    """A bench with an instrument, a screen and a column; each number looks a little different."""
    from PIL import Image, ImageDraw  # a large library that only the demo's first start needs here

    wall, bench, body = _COLOURS[number % len(_COLOURS)]
    drawing = Image.new("RGB", SIZE, wall)
    draw = ImageDraw.Draw(drawing)
    draw.rectangle((0, 540, 960, 720), fill=bench)
    left = 140 + 40 * (number % 4)
    draw.rounded_rectangle((left, 300, left + 360, 560), 24, fill=body)
    height = 120 + 30 * (number % 5)
    draw.rounded_rectangle((left + 120, 300 - height, left + 240, 320), 18, fill=body)
    draw.ellipse((left + 140, 320, left + 220, 400), fill=wall)
    draw.rounded_rectangle((620, 330, 860, 500), 12, fill="#1f2933")
    draw.rectangle((640, 350, 840, 480), fill="#62b0e8")
    points = [(640 + 20 * n, 470 - (17 * (n * (number + 3)) % 100)) for n in range(11)]
    draw.line(points, fill="#ffffff", width=4)
    draw.rectangle((720, 500, 760, 550), fill="#1f2933")
    written = io.BytesIO()
    drawing.save(written, "PNG")
    return SimpleUploadedFile(f"{number}.png", written.getvalue(), content_type="image/png")
