"""What a browser would send of a form on a page."""

from __future__ import annotations

from html.parser import HTMLParser


class Fields(HTMLParser):
    """The fields of the form with this id, as they stand on the page."""

    def __init__(self, page: str, form: str) -> None:
        super().__init__()
        self.data: dict[str, list[str]] = {}
        self.form, self.inside = form, False
        self.select, self.area = "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = given.get("id") == self.form
        name = given.get("name", "")
        if not self.inside:
            return
        if tag == "input" and name and (given.get("type") != "checkbox" or "checked" in given):
            self.data.setdefault(name, []).append(given.get("value", ""))
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select and ("selected" in given or self.select not in self.data):
            self.data[self.select] = [given.get("value", "")]
        elif tag == "textarea":
            self.area = name
            self.data[name] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self.select = ""
        elif tag == "textarea":
            self.area = ""

    def handle_data(self, data: str) -> None:
        if self.inside and self.area:
            self.data[self.area][0] += data
