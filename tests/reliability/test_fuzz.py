"""JSON of the right and of nearly the right shape: kept whole, or refused by name."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anthropic_lake.assets import ASSETS
from anthropic_lake.errors import LakeError
from tests.reliability.feeding import feed, lost, samples

SAMPLES = samples()
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["1e3", "12.5", "2026-11-20", "2026-11-20T00:00:00Z", "USD", "\ud800", "\0"])
)
values = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def pages(draw: st.DrawFn, name: str) -> bytes:
    """A page of an asset with some things changed somewhere."""
    page = copy.deepcopy(SAMPLES[name])
    for _ in range(draw(st.integers(0, 4))):
        _change(draw, page)
    return json.dumps(page, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")


def _change(draw: st.DrawFn, page: Any) -> None:
    """Change one thing in an object or a list that is chosen at random."""
    places = list(_containers(page))
    place = draw(st.sampled_from(places))
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    what = draw(st.sampled_from(("replace", "replace", "delete", "add", "wrap", "rename")))
    if what == "add" or not keys:
        if isinstance(place, dict):
            place[draw(st.text(max_size=6))] = draw(values)
        else:
            place.append(draw(values))
        return
    key = draw(st.sampled_from(keys))
    if what == "replace":
        place[key] = draw(values)
    elif what == "wrap":
        place[key] = [place[key]]
    elif what == "rename" and isinstance(place, dict):
        place[f"{key}{draw(st.text(max_size=3))}"] = place.pop(key)
    else:
        del place[key]


def _containers(value: Any) -> Any:
    if isinstance(value, dict | list):
        yield value
        for below in value.values() if isinstance(value, dict) else value:
            yield from _containers(below)


@pytest.mark.parametrize("name", ASSETS)
@settings(max_examples=60)
@given(data=st.data())
def test_every_leaf_arrives_or_the_answer_is_refused_by_name(
    name: str, data: st.DataObject
) -> None:
    body = data.draw(pages(name))
    found = feed(ASSETS[name], body)
    if not isinstance(found, LakeError):
        assert lost(body, found) == []


@pytest.mark.parametrize("name", ASSETS)
def test_an_unchanged_page_is_accepted(name: str) -> None:
    body = json.dumps(SAMPLES[name]).encode()
    found = feed(ASSETS[name], body)
    assert not isinstance(found, LakeError), found
    assert lost(body, found) == []
