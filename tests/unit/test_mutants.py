"""The mutants of the rules: each kind of change is made, one at a time, and the source stays whole."""

from __future__ import annotations

import ast
from pathlib import Path

import service.reconcile
from tests.mutation.__main__ import FILES
from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutants import list_mutants

PLACE = Path(service.reconcile.__file__).parent


def changes(source: str) -> list[str]:
    return [mutant.what for mutant in list_mutants(source)]


def test_a_comparison_is_turned_and_its_boundary_moved() -> None:
    assert changes("x = a < b") == [": turned: a < b -> a <= b", ": turned: a < b -> a >= b"]


def test_a_condition_is_dropped_in_each_part_and_as_a_whole() -> None:
    assert changes("def f():\n    if a and not b:\n        c") == [
        "f: always: if a and (not b): c -> if True: c",
        "f: and/or: a and (not b) -> a or not b",
        "f: dropped: a and (not b) -> a",
        "f: dropped: a and (not b) -> not b",
        "f: never: if a and (not b): c -> if False: c",
        "f: not removed: not b -> b",
    ]


def test_what_is_given_back_is_negated_where_it_is_a_truth() -> None:
    assert changes("def f():\n    return is_x(a)") == ["f: negated: return is_x(a) -> return not is_x(a)"]
    assert changes("def f():\n    return x(a)") == []


def test_decorators_are_no_rules() -> None:
    assert changes("@dataclass(frozen=True)\nclass A: ...") == []


def test_two_cells_of_the_table_are_swapped_where_they_differ() -> None:
    table = "TABLE: Final = {A: Rule(taken=x, standing=y), B: Rule(taken=x, standing=z, due_standing=z)}"
    assert changes(table) == [
        "cells swapped: due_standing of A and B",
        "cells swapped: standing of A and B",
    ]
    swapped = list_mutants(table)[1].source
    assert "A: Rule(taken=x, standing=z)" in swapped


def test_every_mutant_of_a_real_file_is_another_program() -> None:
    source = (PLACE / "places.py").read_text()
    whole = ast.unparse(ast.parse(source))
    for mutant in list_mutants(source):
        assert mutant.source != whole
        compile(mutant.source, "places.py", "exec")


def test_every_equivalent_mutant_is_one_of_a_file_that_is_tried() -> None:
    assert {name.partition(":")[0] for name in EQUIVALENT} <= set(FILES)
