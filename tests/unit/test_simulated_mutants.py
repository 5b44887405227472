"""The mistakes that the simulation is tried with: each can still be made."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, ROOT, Mutant, mutate


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_each_mistake_can_still_be_made(mutant: Mutant) -> None:
    source = (ROOT / "service" / mutant.file).read_text()
    assert mutate(mutant, source) != source
