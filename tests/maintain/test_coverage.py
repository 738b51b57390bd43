"""Every section of the source documents has its place in the course.

`source_documents.toml` says which; here each place is shown to exist.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PLACES = [
    (document, section, place)
    for document, sections in tomllib.loads(
        (ROOT / "tests" / "source_documents.toml").read_text(encoding="utf-8")
    ).items()
    for section, places in sections.items()
    for place in places
]


@pytest.mark.parametrize(("document", "section", "place"), PLACES)
def test_what_a_source_document_covers_stands_in_the_course(
    document: str, section: str, place: str
) -> None:
    page, _, anchor = place.partition("#")
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")

    anchors = set(re.findall(r"\{\s*#([\w-]+)\s*\}", text))
    assert not anchor or anchor in anchors, f"{document}, {section}: no #{anchor} on {page}"
