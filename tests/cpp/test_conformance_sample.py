"""Some of brian2's own standalone tests, on gpurun; the whole of it: ci/conformance.sh."""

from __future__ import annotations

import pytest

from tests.conformance import sample
from tests.conformance.runner import Result

# The first test runs all of them, some minutes where the compiler is slow.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[sample.Case, Result]:
    return sample.run(tmp_path_factory.mktemp("conformance"), sample.cases())


@pytest.mark.parametrize("case", sample.cases(), ids=lambda case: "-".join(case))
def test_passes_on_gpurun(case: sample.Case, results: dict[sample.Case, Result]) -> None:
    result = results[case]
    assert result.outcome == "passed", result.detail
    assert result.session_runs > 0, "gpurun ran no model in this test"
    assert result.binary_runs == 0, "brian2's compiled program did the work"
