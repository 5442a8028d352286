"""Reads a page back: its tags and attributes, what a reader sees, its scripts and styles, its tables."""

from html.parser import HTMLParser

VOID = ("meta", "link", "input", "wbr", "br")


class Reader(HTMLParser):
    """All of a page; fails where an element is not closed in order.

    `tables` are those with a `data-` attribute, by its name and value: rows of cells, each cell the list of its texts.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.raw: dict[str, str] = {"script": "", "style": ""}
        self.data = ""
        self.seen: list[str] = []
        self.tables: dict[tuple[str, str], list[list[list[str]]]] = {}
        self.stack: list[tuple[str, str]] = []
        self._table: list[list[list[str]]] = []
        self.feed(page)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.tags.append((tag, tuple(values)))
        self.attributes += [(tag, name, value) for name, value in values.items()]
        if tag not in VOID:
            kind = values.get("class", "")
            self.stack.append((tag, "json" if values.get("type") == "application/json" else kind))
        if tag == "table":
            self._table = []
            for name, value in values.items():
                if name.startswith("data-"):
                    self.tables[name, value] = self._table
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.stack[-1:] == [("script", "json")]:
            self.data += data
        elif self.stack and self.stack[-1][0] in self.raw:
            self.raw[self.stack[-1][0]] += data
        else:
            self.seen.append(data)
            inside = [tag for tag, _ in self.stack]
            if data.strip() and ("td" in inside or "th" in inside) and "svg" not in inside:
                self._table[-1][-1].append(data.strip())
