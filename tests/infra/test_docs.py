"""The documents are short where they should be, lead to each other, and no link is broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for folder in (
        ROOT.glob("*.md"),
        DOCS.rglob("*.md"),
        ROOT.glob("tests/*.md"),
        ROOT.glob("dbt/*.md"),
    )
    for page in folder
)
_CODE = re.compile(r"^ *```.*?^ *```|`[^`\n]+`", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)#?(?P<anchor>[^)\s]*)\)")
_FILE = re.compile(r"(?<![\w/])(?:functions|infra|dbt|tests|docs|requirements)/[\w./-]+\.\w+")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the anchor that each relative link of a page leads to."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    return [
        ((page.parent / link["path"]).resolve() if link["path"] else page, link["anchor"])
        for link in _LINK.finditer(text)
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the forge that shows them makes them."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [
        f"{target.relative_to(ROOT)}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = set(_FILE.findall(page.read_text(encoding="utf-8")))
    assert not [name for name in named if "NAME" not in name and not (ROOT / name).exists()]


def test_the_index_leads_to_every_document() -> None:
    index = DOCS / "index.md"
    linked = {target for target, _ in links(index)}
    assert set(DOCS.rglob("*.md")) - {index} <= linked


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 200
