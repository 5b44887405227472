"""What the sandbox's unit tests share."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.tenant import Tenant


@pytest.fixture
def tenant() -> Tenant:
    """The walkthrough's people under the default beliefs."""
    return Tenant()
