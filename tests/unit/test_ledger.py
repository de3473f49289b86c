"""What the ledger says of a day after another read of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from anthropic_lake.lake.ledger import DayEntry

READ_AT = datetime(2026, 11, 3, 6, tzinfo=UTC)
FINAL = DayEntry(
    day=date(2026, 11, 1),
    organization_id="org",
    in_history=True,
    first_read_at=READ_AT,
    last_read_at=READ_AT,
    last_changed_at=READ_AT,
    times_changed=2,
    is_final=True,
    rows=1,
    bytes=100,
    digest="a",
    last_run_id="run",
    grouped_by="model",
    bucket_width="1d",
)
LATER = replace(
    FINAL, first_read_at=READ_AT + timedelta(days=1), last_read_at=READ_AT + timedelta(days=1)
)


@pytest.mark.parametrize(
    ("standing", "read", "times_changed"),
    [
        (FINAL, LATER, 2),
        (FINAL, replace(LATER, digest="b"), 3),
        (replace(FINAL, is_final=False), replace(LATER, digest="b"), 2),
        # another grouping or bucket width is no restatement, and the count begins anew
        (FINAL, replace(LATER, digest="b", grouped_by="speed"), 0),
        (FINAL, replace(LATER, digest="b", bucket_width="1h"), 0),
        # nor are pseudonyms in the place of names, or names again
        (FINAL, replace(LATER, digest="b", people="p_1"), 0),
        (replace(FINAL, people="p_1"), replace(LATER, digest="b"), 0),
        (replace(FINAL, people="p_1"), replace(LATER, digest="b", people="p_1"), 3),
    ],
)
def test_only_other_rows_of_a_final_day_grouped_as_before_are_a_restatement(
    standing: DayEntry, read: DayEntry, times_changed: int
) -> None:
    after = standing.followed_by(read)
    assert after.times_changed == times_changed
    assert after.first_read_at == READ_AT
    assert after.last_changed_at == (READ_AT if read.digest == "a" else read.last_read_at)
