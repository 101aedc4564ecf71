"""What several tests need: where the published data lie, when they are here."""

from pathlib import Path

import hypothesis
import pytest

# A busy machine is no bug: no test here asserts a time.
hypothesis.settings.register_profile("dayrate", deadline=None, print_blob=True)
hypothesis.settings.load_profile("dayrate")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published measurements and traces, or a visible skip."""
    if not SHARED.is_dir():
        pytest.skip("the published data folder ../shared/data is not here")
    return SHARED
