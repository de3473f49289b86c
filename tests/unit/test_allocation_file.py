"""The file of allocation rules: what is read, and which mistakes are named at which lines."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_lake.cli.allocation_file import COLUMNS, check_rules, read_rules
from anthropic_lake.errors import SettingsError
from anthropic_lake.lake.allocation import Rule, rows_of_rules

HEADER = ",".join(COLUMNS)


def rules(*lines: str, header: str = HEADER) -> list[Rule]:
    """The rules of a file without mistakes."""
    found, mistakes = check_rules("\n".join((header, *lines)).encode())
    assert not mistakes
    return found


def mistakes(*lines: str, header: str = HEADER) -> list[tuple[int, str]]:
    """The mistakes of a file, with their lines."""
    _, found = check_rules("\n".join((header, *lines)).encode())
    return [(mistake.line, mistake.advice) for mistake in found]


def test_a_line_is_a_rule() -> None:
    [rule] = rules('workspace_id,w1,CC 1,0.25,2026-01-01,2026-12-31,"Team, one"')
    days = (date(2026, 1, 1), date(2026, 12, 31))
    assert rule == Rule(2, "workspace_id", "w1", "CC 1", Decimal("0.25"), *days, "Team, one")


def test_what_is_left_out_is_the_whole_share_for_ever() -> None:
    expected = [Rule(2, "default", None, "CC")]
    assert rules("default,,CC,,,,") == expected
    assert rules("default,,CC") == expected
    assert rules("CC,default,", header="cost_center,match_type,match_value") == expected


def test_a_file_of_excel_is_read() -> None:
    text = f"{HEADER.upper()},,\r\ndefault,, CC ,,,,,,\r\n,,,,,,,,\r\n\r\nactor,A@B.com,x,,,,,,\r\n"
    found, wrong = check_rules(text.encode("utf-8-sig"))
    assert wrong == []
    assert found == [Rule(2, "default", None, "CC"), Rule(5, "actor", "a@b.com", "x")]


def test_the_line_of_a_rule_is_the_one_on_which_it_begins() -> None:
    assert [rule.line for rule in rules('default,,a,.5,,,"two\nlines"', "default,,b,.5")] == [2, 4]


def test_a_file_without_rules_is_a_file_of_no_rules() -> None:
    assert rules() == []


def test_what_follows_without_a_gap_does_not_overlap() -> None:
    assert rules("default,,a,,,2026-01-31,", "default,,a,,2026-02-01,,")


def test_shares_of_different_matches_have_nothing_to_do_with_each_other() -> None:
    assert rules("api_key_id,x,a", "workspace_id,x,a", "workspace_id,y,a", "default,,a")


@pytest.mark.parametrize("share", ["1", "0.5", ".5", "0.000000000001", "1.0"])
def test_a_share_is_more_than_nothing_and_at_most_all(share: str) -> None:
    [rule] = rules(f"default,,a,{share},,,")
    assert rule.share == Decimal(share)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("api_key,x,a", "match_type: 'api_key' is no type of match: did you mean api_key_id?"),
        ("Default,,a", "did you mean default?"),
        ("team,x,a", "write api_key_id, actor, workspace_id, workspace_tag, default"),
        (",x,a", "match_type: it is empty"),
        ("workspace_id,,a", "match_value: it is empty: name the workspace_id"),
        ("default,all,a", "match_value: default matches everything"),
        ("workspace_id,x,", "cost_center: it is empty"),
        ("workspace_id,x,a,0,,,", "share: it must be more than 0"),
        ("workspace_id,x,a,1.01,,,", "share: it must be more than 0 and at most 1"),
        ("workspace_id,x,a,50,,,", "share: it must be more than 0 and at most 1"),
        ("workspace_id,x,a,-0.5,,,", "share: it is no decimal number: write 0.5"),
        ('workspace_id,x,a,"0,5",,,', "share: it is no decimal number"),
        ("workspace_id,x,a,50%,,,", "share: it is no decimal number"),
        ("workspace_id,x,a,1e-1,,,", "share: it is no decimal number"),
        ("workspace_id,x,a,0.1234567890123,,,", "at most 12 decimals"),
        ("workspace_id,x,a,,1/31/2026,,", "valid_from: '1/31/2026' is not a day such as"),
        ("workspace_id,x,a,,,2026-02-30,", "valid_to: '2026-02-30' is not a day of the calendar"),
        ("workspace_id,x,a,,2026-02-02,2026-02-01,", "valid_to lies before valid_from"),
        ("workspace_id,x,a,,,,note,more", "more cells than columns"),
        ("workspace_tag,team,a", "write team=search"),
        ("workspace_tag,=x,a", "write team=search"),
        ("workspace_tag,team=,a", "write team=search"),
        ('workspace_tag,"team=""x""",a', "cannot be matched"),
    ],
)
def test_a_mistake_is_named_at_its_line(line: str, advice: str) -> None:
    [(number, text)] = mistakes("default,,rest", line)
    assert number == 3
    assert advice in text


@pytest.mark.parametrize(
    ("header", "advice"),
    [
        (f"{HEADER},color", "'color' is no column of the rules: name only match_type"),
        (f"{HEADER},valid_until", "did you mean valid_to?"),
        (f"{HEADER},share", "the column share stands twice"),
        ("match_type,match_value", "the column cost_center is missing"),
        (HEADER.replace(",", ";"), "separated by something else than commas"),
        (HEADER.replace(",", "\t"), "separated by something else than commas"),
    ],
)
def test_a_mistake_in_the_header_is_named(header: str, advice: str) -> None:
    [(number, text)] = mistakes(header=header)
    assert number == 1
    assert advice in text


@pytest.mark.parametrize(
    ("body", "line", "advice"),
    [
        (b"", 1, "the file is empty: begin it with match_type,match_value"),
        (b"\r\n \r\n", 1, "the file is empty"),
        (HEADER.encode("utf-16"), 1, "not UTF-8"),
        (f"{HEADER}\r\ndefault,,a\r\nactor,é,a".encode("latin-1"), 3, "not UTF-8"),
        (f'{HEADER}\ndefault,,a\nactor,"x,a\n'.encode(), 3, "not CSV"),
        (f'{HEADER}\nactor,"x"y,a\n'.encode(), 2, "not CSV"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_at_the_line(body: bytes, line: int, advice: str) -> None:
    found, [mistake] = check_rules(body)
    assert found == []
    assert mistake.line == line
    assert advice in mistake.advice


def test_the_same_match_and_cost_centre_may_not_overlap() -> None:
    found = mistakes(
        "actor,a@x.org,CC,.1,,2026-01-31,",
        "actor,a@x.org,other,.1,,,",
        "actor,A@X.org,CC,.1,2026-01-31,,",
    )
    [(line, advice)] = found
    assert line == 4
    assert "the same match and cost centre as line 2, on the same days" in advice


def test_shares_of_a_day_may_not_be_more_than_all() -> None:
    found = mistakes(
        "workspace_id,w,a,0.6,,,",
        "workspace_id,w,b,0.4,2026-01-01,2026-01-31,",
        "workspace_id,w,c,0.1,2026-01-31,,",
        "workspace_id,other,c,1,,,",
    )
    assert found == [
        (4, "the shares of lines 2, 3, 4 are 1.1 together on 2026-01-31: make them 1 or less")
    ]
    [(_, advice)] = mistakes("default,,a", "default,,b")
    assert "from the beginning" in advice


def test_all_mistakes_are_named_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    file = tmp_path / "allocation.csv"
    file.write_text(f"{HEADER},color\ndefault,,\nactor,,a,2,,,\ndefault,,a\ndefault,,a\n")
    with pytest.raises(SettingsError) as refusal:
        read_rules(file)
    first, *lines = str(refusal.value).splitlines()
    assert first == f"{file} has 5 mistakes; no rule was loaded:"
    numbers = [line.removeprefix(f"{file}:").partition(":")[0] for line in lines]
    assert numbers == ["1", "2", "3", "3", "5"]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read .*nowhere\.csv: No such file"):
        read_rules(tmp_path / "nowhere.csv")
    with pytest.raises(SettingsError, match="cannot read"):
        read_rules(tmp_path)


def test_rows_are_cut_where_other_rules_of_the_match_begin_and_end() -> None:
    found = rules(
        "default,,a,0.5,,,",
        "default,,b,0.25,2026-02-01,2026-02-28,",
        "api_key_id,k,c,,2026-02-10,9999-12-31,",
    )
    names = ("line", "valid_from", "valid_to", "period", "share_before", "share_sum")
    half, three = Decimal("0.5"), Decimal("0.75")
    assert [tuple(row[name] for name in names) for row in rows_of_rules(found, None)] == [
        (2, None, date(2026, 1, 31), 1, 0, half),
        (2, date(2026, 2, 1), date(2026, 2, 28), 2, 0, three),
        (3, date(2026, 2, 1), date(2026, 2, 28), 2, half, three),
        (2, date(2026, 3, 1), None, 3, 0, half),
        (4, date(2026, 2, 10), None, 4, 0, 1),
    ]


def test_rules_of_all_tags_are_cut_together() -> None:
    found = rules("workspace_tag,a=1,x,,,,", "workspace_tag,b=2,y,,2026-02-01,,")
    cuts = [(row["line"], row["valid_from"], row["period"]) for row in rows_of_rules(found, None)]
    assert cuts == [(2, None, 1), (2, date(2026, 2, 1), 2), (3, date(2026, 2, 1), 3)]


DAYS = [date(2026, 1, 1) + timedelta(days=number) for number in range(4)]
written_lines = st.lists(
    st.tuples(
        st.sampled_from(["default,", "actor,x"]),
        st.sampled_from("abc"),
        st.sampled_from(["", "0.5", "0.3"]),
        st.sampled_from(["", *map(str, DAYS)]),
        st.sampled_from(["", *map(str, DAYS)]),
    ),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(written_lines)
def test_rules_are_refused_exactly_where_a_day_has_too_much(lines: list[tuple[str, ...]]) -> None:
    lines = [line for line in lines if not (line[3] and line[4] and line[3] > line[4])]
    found, wrong = check_rules(
        "\n".join([HEADER, *(f"{','.join(line)}," for line in lines)]).encode()
    )
    by_day: dict[tuple[str, date], dict[str, list[Decimal]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for rule in found:
        for day in (DAYS[0] - timedelta(days=9), *DAYS, DAYS[-1] + timedelta(days=9)):
            if (rule.valid_from or date.min) <= day <= (rule.valid_to or date.max):
                by_day[rule.match_type, day][rule.cost_center].append(rule.share)
    too_much = any(
        sum(shares[0] for shares in centers.values()) > 1
        or any(len(shares) > 1 for shares in centers.values())
        for centers in by_day.values()
    )
    assert len(found) == len(lines)
    assert bool(wrong) == too_much
