"""Each folder of tests/fixtures/graph comes out as its expected.json says."""

from __future__ import annotations

import json

import pytest

from tests.unit.graph.case_runner import list_cases, load_case, run_case


@pytest.mark.parametrize("name", list_cases())
async def test_an_answer_of_graph_comes_out_as_expected(name: str) -> None:
    case = load_case(name)
    assert await run_case(case) == json.loads(case.expected_file.read_text())


def test_every_case_says_in_a_sentence_what_is_odd_about_it() -> None:
    silent = [name for name in list_cases() if len(load_case(name).request.get("about", "")) < 10]
    assert silent == []


def test_no_case_asks_for_or_carries_a_body() -> None:
    carrying = [name for name in list_cases() if '"body"' in json.dumps(load_case(name).answer.body)]
    assert carrying == []
