"""Some of brian2's and brian2cuda's tests on the emulated toolkit; all: ci/conformance.sh."""

from __future__ import annotations

import pytest

from tests.conformance import sample
from tests.conformance.plan import CONFIGURATIONS
from tests.conformance.runner import Result
from tests.conformance.toolkit import TOOLKIT

# The first test runs all of them.
pytestmark = pytest.mark.timeout(1200)
CASES = sample.cases(cuda=True)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[sample.Case, Result]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_PATH", str(TOOLKIT))
        return sample.run(tmp_path_factory.mktemp("conformance"), CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case))
def test_passes_on_the_emulated_toolkit(
    case: sample.Case, results: dict[sample.Case, Result]
) -> None:
    result = results[case]
    assert result.outcome == "passed", result.detail
    if CONFIGURATIONS[case.configuration].gpurun:
        assert result.session_runs > 0, "gpurun ran no model in this test"
        assert result.binary_runs == 0, "brian2's compiled program did the work"
    else:
        assert result.binary_runs > 0, "no compiled program was run in this test"
