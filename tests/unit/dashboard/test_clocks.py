"""Whose clock is called wrong, by what each process sees of the others."""

from __future__ import annotations

import pytest

from service.dashboard.clocks import find_skews
from service.pulse.reading import Process
from tests.unit.dashboard.test_troubles import process

SLOW = {"graph": 90.0, "redis": 90.2}
RIGHT = {"graph": 0.4, "redis": -0.1}


def web(name: str = "web", silent_s: float = 1, **clocks: float) -> Process:
    return process(name, silent_s=silent_s, clocks=clocks)


@pytest.mark.parametrize(
    ("processes", "words"),
    [
        ([web("web", redis=0.1), web("worker", **RIGHT)], []),
        ([web("worker", graph=5.0)], []),
        (
            [web("worker", **SLOW), web("keeper", **SLOW)],
            ["The clock of keeper-1 and worker-1 is 90 s behind Graph's."],
        ),
        (
            [web("web", redis=90.2), web("worker", **SLOW)],
            ["The clock of worker-1 is 90 s behind Graph's.", "The clock of web-1 is 90 s behind Redis'."],
        ),
        ([web("worker", **SLOW), web("keeper", **RIGHT)], ["The clock of worker-1 is 90 s behind Graph's."]),
        (
            [web("web", redis=61.0), web("worker", graph=0.4, redis=60.0)],
            ["Redis' clock is 60 s ahead of Graph's and of these machines."],
        ),
        ([web("web", redis=-30.0)], ["The clock of web-1 is 30 s ahead of Redis'."]),
        (
            [web("worker", graph=-7.0), web("keeper", graph=8.0)],
            [
                "The clock of worker-1 is 7 s ahead of Graph's.",
                "The clock of keeper-1 is 8 s behind Graph's.",
            ],
        ),
        ([web("worker", silent_s=600, **SLOW)], []),
    ],
)
def test_who_differs_from_graph_is_wrong_and_redis_where_it_differs_from_who_agrees(
    processes: list[Process], words: list[str]
) -> None:
    assert [one.words for one in find_skews(processes)] == words
