"""The generated parts of template.yaml: what follows from the assets, the tables, the queries."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from urllib.parse import quote

from anthropic_lake.assets import Asset
from anthropic_lake.lake.allocation import ALLOCATION_RULES, RULES_DAY
from anthropic_lake.lake.layout import (
    LAKE_ID,
    MANIFEST,
    first_synced_name,
    last_synced_name,
    object_key,
    partition_prefix,
    progress_key,
    table_prefix,
)
from anthropic_lake.lake.ledger import SYNC_DAYS
from anthropic_lake.query.catalog import Catalog, SavedQuery, View
from anthropic_lake.schema.table import PARTITION, Table
from anthropic_lake.schema.types import Type
from anthropic_lake.sync.runs import SYNC_RUNS
from anthropic_lake.sync.window import EARLIEST_DAY
from anthropic_lake.utc import ONE_DAY
from infra.generate.text import fill
from infra.generate.view_columns import view_columns

DATED_ENVIRONMENT = {"HISTORY_START": "HistoryStart", "SETTLE_HOURS": "SettleHours"}
"""What the functions of dated assets have besides: variables and their parameters."""

STACK_PARAMETERS = {"budget": "${MonthlyBudgetUsd}"}
"""Parameters of saved queries that are parameters of the template."""
PARTITIONS = {
    SYNC_DAYS.name: f'"{EARLIEST_DAY},NOW"',
    ALLOCATION_RULES.name: f'"{RULES_DAY},{RULES_DAY + ONE_DAY}"',
}
"""The partitions of tables that have others than the days of the history; one alone is no range."""

LONG_MINUTES = 12.0
"""A run that takes longer raises an alarm."""

LONG_FAN_OUT_MINUTES = 14.5
"""The same for a fan-out, whose runs stop in time and are continued."""


def logical_id(name: str) -> str:
    """Return a name as CloudFormation's logical ids are written: `api_keys` is `ApiKeys`."""
    return "".join(word.capitalize() for word in name.split("_"))


def assets(catalog: Catalog) -> str:
    """Return what each asset has: its function with a schedule, log group, role and alarms."""
    return "\n\n".join(map(_asset, catalog.assets))


def scheduled_functions(catalog: Catalog) -> str:
    """Return the functions that have a schedule: those of all assets."""
    return fill("function_arn.yaml", id=_ids(catalog))


def backfilled_functions(catalog: Catalog) -> str:
    """Return the functions that the backfill starts: those of the dated assets."""
    return fill("function_arn.yaml", id=[logical_id(name) for name in _dated(catalog)])


def know_lake(_: Catalog) -> str:
    """Return the rights of all functions on the manifest, the watermarks and the record of runs."""
    return fill(
        "know_lake.yaml",
        runs=table_prefix(SYNC_RUNS.name),
        manifest=MANIFEST,
        lake_id=LAKE_ID,
        last_synced=last_synced_name("*"),
        list_tables=_list_tables(),
    )


def expiring_objects(_: Catalog) -> str:
    """Return the rules of the data bucket for objects that are of use for a time."""
    progress = f"{PurePosixPath(progress_key('*')).parent}/"
    return fill("expiring_objects.yaml", runs=table_prefix(SYNC_RUNS.name), progress=progress)


def notified_objects(_: Catalog) -> str:
    """Return the filter of the objects that Snowflake is notified of: those of all tables."""
    return fill("notified_objects.yaml", tables=quote(table_prefix()))


def snowflake_objects(_: Catalog) -> str:
    """Return the rights of Snowflake on the objects of all tables."""
    return fill("snowflake_objects.yaml", tables=table_prefix(), list_tables=_list_tables())


def catalog(catalog: Catalog) -> str:
    """Return the Glue tables and views."""
    columns = view_columns(catalog)
    views = (_view(view, columns[view.name]) for view in catalog.views)
    return "\n\n".join([*map(_table, catalog.tables), *views])


def saved_queries(catalog: Catalog) -> str:
    """Return the named queries of the workgroup."""
    return "\n\n".join(map(_saved_query, catalog.saved_queries))


def outputs(catalog: Catalog) -> str:
    """Return the outputs that name assets."""
    return fill("outputs.yaml", id=_ids(catalog), dated=json.dumps(_dated(catalog)))


def _ids(catalog: Catalog) -> list[str]:
    """Return the starts of the logical ids of what the assets have."""
    return [logical_id(asset.name) for asset in catalog.assets]


def _dated(catalog: Catalog) -> list[str]:
    """Return the names of the dated assets."""
    return [asset.name for asset in catalog.assets if asset.kind.dated]


def _list_tables() -> str:
    """Return the right to list the objects of all tables."""
    return fill("list_tables.yaml", tables=table_prefix())


def _asset(asset: Asset) -> str:
    """Return what one asset has."""
    function, kind = asset.function, "dated" if asset.kind.dated else "snapshot"
    environment = {**(DATED_ENVIRONMENT if asset.kind.dated else {}), **function.environment}
    long_minutes = LONG_FAN_OUT_MINUTES if asset.fan_out else LONG_MINUTES
    return fill(
        "asset.yaml",
        id=logical_id(asset.name),
        name=asset.name,
        description=_text(function.description),
        memory_mb=str(function.memory_mb),
        variable=list(environment),
        parameter=list(environment.values()),
        runs=f"{function.switch or 'Schedules'}Run",
        schedule=fill(f"{kind}_schedule.yaml", minute=str(function.schedule_minute)),
        table=[table_prefix(table.name) for table in asset.tables],
        ledger=_ledger(asset),
        watermark=[last_synced_name(asset.name), first_synced_name(asset.name)],
        recursion=[fill("recursion.yaml")] if asset.fan_out else [],
        continuation=[_continuation(asset)] if asset.fan_out else [],
        long_minutes=f"{long_minutes:g}",
        long_milliseconds=f"{long_minutes * 60_000:.0f}",
    )


def _ledger(asset: Asset) -> str:
    """Return the keys of an asset's ledger, whatever the month."""
    month = EARLIEST_DAY
    return object_key(SYNC_DAYS.name, month, asset.name).replace(month.isoformat(), "*")


def _continuation(asset: Asset) -> str:
    """Return the rights of a function that continues a snapshot for which one run is too short."""
    return fill("continuation.yaml", name=asset.name, progress=progress_key(asset.name))


def _table(table: Table) -> str:
    """Return one Glue table."""
    return fill(
        "table.yaml",
        id=logical_id(table.name),
        name=table.name,
        comment=_text(table.comment),
        location=table_prefix(table.name),
        range=PARTITIONS.get(table.name, "!Sub ${HistoryStart},NOW"),
        partition_location=partition_prefix(table.name, "${!date}"),
        partition_type=_text(PARTITION.type.glue),
        partition_comment=_text(PARTITION.comment),
        column=[column.name for column in table.all_columns],
        column_type=[_text(column.type.glue) for column in table.all_columns],
        column_comment=[_text(column.comment) for column in table.all_columns],
    )


def _view(view: View, columns: list[tuple[str, Type]]) -> str:
    """Return one Glue view, in the form that Athena gives to its own."""
    return fill(
        "view.yaml",
        id=logical_id(view.name),
        name=view.name,
        comment=_text(view.comment),
        column=[name for name, _ in columns],
        column_type=[_text(type_.glue) for _, type_ in columns],
        columns=json.dumps([{"name": name, "type": type_.trino} for name, type_ in columns]),
        sql=_folded(view.sql),
    )


def _saved_query(query: SavedQuery) -> str:
    """Return one named query, with the stack's parameters filled in, or else the defaults."""
    sql = query.filled(STACK_PARAMETERS)
    return fill(
        "saved_query.yaml",
        id=logical_id(query.name),
        name=query.name,
        comment=_text(query.comment),
        block="!Sub |" if "${" in sql else "|",
        sql=sql,
    )


def _folded(sql: str) -> str:
    """Write SQL as JSON text inside a single-quoted YAML text, whose lines YAML makes one."""
    return "\n".join(json.dumps(line)[1:-1].replace("'", "''") for line in sql.splitlines())


def _text(text: str) -> str:
    """Quote a text for YAML."""
    return json.dumps(text, ensure_ascii=False)
