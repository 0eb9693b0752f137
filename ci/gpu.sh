#!/usr/bin/env bash
# The tests that need a card, on a machine with one: ci/gpu.sh [DIRECTORY FOR THE REPORT]
#
# Needs no network and no uv: the Python on PATH has to have gpurun's dependencies. A test that
# would be skipped fails. The report, one JSON file, says what ran on which card.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report=${1:-benchmarks/results}
mkdir -p "$report"
export GPURUN_REQUIRE_GPU=1 GPURUN_TEST_BACKEND=cuda PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0
python -m pytest tests/gpu tests/semantics --junitxml="$scratch/tests.xml" -q || status=$?
python - "$scratch/tests.xml" "$report" <<'PYTHON'
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from gpurun import nvml
from gpurun.bench import machine

suite = ElementTree.parse(sys.argv[1]).getroot().find("testsuite")
found = nvml.snapshot()
now = datetime.now(UTC)
commit = machine.commit(Path.cwd())
report = {
    "created": now.isoformat(timespec="seconds"),
    "commit": asdict(commit),
    "driver": found.driver_version,
    "cards": [asdict(card) for card in found.cards],
    "tests": {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")},
    "failed": [
        f"{case.get('classname')}.{case.get('name')}"
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ],
}
path = Path(sys.argv[2], f"gpu-tests-{now:%Y%m%dT%H%M%S}-{commit.revision[:8]}.json")
path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
print(f"report: {path}")
PYTHON
exit $status
