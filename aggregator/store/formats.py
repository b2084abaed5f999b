"""Rows as files that other programs read. Pure: rows in, text out."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

__all__ = ["opml"]

Row = Mapping[str, Any]


def opml(feeds: Iterable[Row], title: str = "aggregator") -> str:
    """Feeds as OPML 2.0, a folder a country; each outline also tells its outlet, country and language.

    Takes rows of `Reader.feeds`, sorted by country.
    """
    root = ET.Element("opml", version="2.0")
    ET.SubElement(ET.SubElement(root, "head"), "title").text = title
    body = ET.SubElement(root, "body")
    for country, of_country in groupby(feeds, key=lambda row: (row["country"], row["flag"])):
        folder = ET.SubElement(body, "outline", text=f"{country[1]} {country[0]}".strip() or "?")
        for row in of_country:
            attributes = {
                "type": "rss",
                "text": row["title"] or row["outlet"],
                "title": row["title"] or row["outlet"],
                "xmlUrl": row["url"],
                "htmlUrl": row["homepage"],
                "outlet": row["outlet"],
                "country": row["country"],
                "language": row["language"],
            }
            ET.SubElement(folder, "outline", {name: value for name, value in attributes.items() if value})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )
