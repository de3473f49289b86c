"""Rewrite the generated text of the repository from the assets, the tables and the queries.

    python -m infra.generate          rewrites it
    python -m infra.generate --check  exits with 1 if a file is stale, and names it

Generated text stands between marker lines in files that people read: `# generated:NAME` and
`# /generated:NAME`, or the same as a comment of HTML or SQL.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from anthropic_lake.query.catalog import CATALOG, Catalog
from infra.generate import cloudformation, dbt, docs, snowflake
from infra.generate.text import MarkersMissing, replace_section

ROOT = Path(__file__).parents[2]
COMMAND = "python -m infra.generate"

GENERATED: Mapping[str, Mapping[str, Callable[[Catalog], str]]] = {
    "template.yaml": {
        "assets": cloudformation.assets,
        "scheduled_functions": cloudformation.scheduled_functions,
        "know_lake": cloudformation.know_lake,
        "expiring_objects": cloudformation.expiring_objects,
        "notified_objects": cloudformation.notified_objects,
        "catalog": cloudformation.catalog,
        "backfilled_functions": cloudformation.backfilled_functions,
        "saved_queries": cloudformation.saved_queries,
        "snowflake_objects": cloudformation.snowflake_objects,
        "outputs": cloudformation.outputs,
    },
    "infra/snowflake/02_stage.sql": {"stage": snowflake.stage},
    "infra/snowflake/03_external_tables.sql": {"external_tables": snowflake.external_tables},
    "infra/snowflake/04_views.sql": {"views": snowflake.views},
    "infra/snowflake/05_copy.sql": {
        "native_tables": snowflake.native_tables,
        "load": snowflake.load,
    },
    "infra/snowflake/07_check.sql": {"check": snowflake.check},
    "dbt/models/sources.yml": {"tables": dbt.tables, "views": dbt.views},
    "dbt/macros/duckdb.sql": {"tables": dbt.duckdb_tables, "views": dbt.duckdb_views},
    "README.md": {"tables": docs.table_list},
    "docs/tables.md": {"tables": docs.tables, "views": docs.views},
    "docs/cli.md": {"commands": docs.commands},
    "docs/privacy.md": {"personal_columns": docs.personal_columns},
}
"""What stands between the markers of each file, by the markers' name."""


def generated(name: str, text: str, catalog: Catalog) -> str:
    """Return the text that a file should have.

    Args:
        name: Path of the file in the repository.
        text: The text that it has.
        catalog: What the generated parts follow from.

    Raises:
        MarkersMissing: The file lacks markers.
    """
    for section, content in GENERATED[name].items():
        try:
            text = replace_section(text, section, content(catalog))
        except MarkersMissing as error:
            raise MarkersMissing(f"{name}: {error}") from error
    return text


def main(arguments: list[str] | None = None, catalog: Catalog = CATALOG, root: Path = ROOT) -> int:
    """Rewrite or check the generated text."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, name what is stale")
    options = parser.parse_args(arguments)
    stale = []
    for name in GENERATED:
        path = root / name
        old = path.read_text(encoding="utf-8")
        new = generated(name, old, catalog)
        if new == old:
            continue
        stale.append(name)
        if not options.check:
            path.write_text(new, encoding="utf-8")
            print(f"rewrote {name}")
    if options.check and stale:
        print(f"stale: {', '.join(stale)}; run `{COMMAND}`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
