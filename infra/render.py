"""Rewrites the generated text of the repository from the asset definitions and the queries.

    python -m infra.render          rewrite it
    python -m infra.render --check  exit with 1 when it is stale, naming the files

Generated text stands between marker lines in files that people read: `# generated:NAME` and
`# /generated:NAME`, or the same as a comment of HTML or SQL.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from infra import reference, snowflake_ddl, template

ROOT = Path(__file__).parents[1]
COMMAND = "python -m infra.render"

GENERATED: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "template.yaml": {
        "assets": template.assets,
        "catalog": template.catalog,
        "queries": template.queries,
    },
    "README.md": {"tables": reference.tables},
    "infra/snowflake/03_external_tables.sql": {"external_tables": snowflake_ddl.external_tables},
    "infra/snowflake/04_views.sql": {"views": snowflake_ddl.views},
    "infra/snowflake/05_copy.sql": {"native_tables": snowflake_ddl.native_tables},
}
"""What stands between the markers of each file, by the markers' name."""


class RenderError(Exception):
    """A file lacks markers; the message says which."""


def render(text: str, name: str, content: str) -> str:
    """Replace what stands between the markers of a name.

    Args:
        text: The file's text.
        name: The markers' name.
        content: What belongs between them, indented from the left margin; it is indented as
            the opening marker is.

    Raises:
        RenderError: There is no such pair of markers, or more than one.
    """
    pattern = re.compile(
        rf"(?P<open>^(?P<indent> *)(?:#|<!--|--) generated:{name}\b[^\n]*\n)"
        rf".*?(?P<close>^(?P=indent)(?:#|<!--|--) /generated:{name}\b)",
        re.DOTALL | re.MULTILINE,
    )
    found = list(pattern.finditer(text))
    if len(found) != 1:
        raise RenderError(f"{len(found)} pairs of markers generated:{name}, expected one")
    match = found[0]
    indented = re.sub(r"^(?=.)", match["indent"], content.strip("\n"), flags=re.MULTILINE)
    return text[: match.end("open")] + indented + "\n" + text[match.start("close") :]


def rendered(path: Path, sections: Mapping[str, Callable[[], str]]) -> str:
    """Give the text that a file should have.

    Raises:
        RenderError: The file lacks markers.
    """
    text = path.read_text(encoding="utf-8")
    for name, content in sections.items():
        try:
            text = render(text, name, content())
        except RenderError as error:
            raise RenderError(f"{path.name}: {error}") from error
    return text


def main(arguments: list[str] | None = None) -> int:
    """Rewrite or check the generated text."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, say what is stale")
    options = parser.parse_args(arguments)
    stale = []
    for name, sections in GENERATED.items():
        path = ROOT / name
        if not path.exists():
            continue
        text = rendered(path, sections)
        if text == path.read_text(encoding="utf-8"):
            continue
        stale.append(name)
        if not options.check:
            path.write_text(text, encoding="utf-8")
            print(f"rewrote {name}")
    if options.check and stale:
        print(f"stale: {', '.join(stale)}; run `{COMMAND}`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
