#!/usr/bin/env bash
# What needs a card, on a machine with one: ci/gpu.sh [DIRECTORY FOR THE REPORT [suite]]
#
# With `suite`, `gpurun bench` with the contenders for a card, in ten minutes (GPURUN_GPU_SECONDS) and
# a folder `suite` of the directory; GPURUN_GPU_CASES says which cases, as NAME:SIZE. Else:
# First the tests, then the benchmarks against brian2cuda, of stimuli and of the scheduler, which
# do as many rounds as fit into what is left of ten minutes (GPURUN_GPU_SECONDS: of so many seconds).
# Needs no network and no uv: the Python on PATH has to have gpurun's dependencies and pytest. A
# skipped test fails. The report, one JSON file, says what ran on which card; also after something
# failed.
# `python -m gpurun.bench --page` finds the benchmarks in it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
report=${1:-benchmarks/results}
limit=${GPURUN_GPU_SECONDS:-600}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
scratch=$(mktemp -d)
links=()
trap 'rm -rf "$scratch" "${links[@]}"' EXIT
mkdir "$scratch/benchmarks"

# Where gpurun is not installed, its templates are not where Python looks for them.
for pair in cpp_templates:cpp_templates cuda_templates:cuda_templates \
    bench_cases:benchmarks/cases bench_contenders:benchmarks/contenders; do
    name=${pair%%:*} folder=${pair#*:}
    if ! python -c "import gpurun.$name" 2>/dev/null; then
        ln -s "../$folder" "gpurun/$name"
        links+=("$PWD/gpurun/$name")
    fi
done

if [ "${2:-}" = suite ]; then
    cases=()
    for name in ${GPURUN_GPU_CASES:-diehl_cook_stdp:quick cuba:quick mushroom_body:quick whole_brain:quick}; do
        cases+=(--case "$name")
    done
    python -m gpurun bench "${cases[@]}" --contender gpurun-cuda --contender brian2cuda \
        --contender gpurun-cpu --contender brian2-cpp --max-time $((limit - 30)) \
        --no-figures --output "$report/suite"
    exit
fi

# SIGINT, so that pytest reports what it has done; the benchmarks need four minutes.
tests=0
GPURUN_REQUIRE_GPU=1 GPURUN_TEST_BACKEND=cuda \
    timeout --signal=INT --kill-after=20 $((limit > 480 ? limit - 240 : limit / 2)) \
    python -m pytest tests/gpu tests/semantics --junitxml="$scratch/tests.xml" -q || tests=$?

# measure CASE SHARE: in so many percent of what is left; the last seconds are for this command's
# own report.
benchmark=0
measure() {
    local left=$(((limit - SECONDS - 15) * $2 / 100))
    GPURUN_CACHE_DIR="$scratch/cache" timeout --kill-after=5 $((left > 1 ? left : 1)) \
        python -m gpurun.bench "$1" --seconds $((left > 40 ? left - 20 : 20)) \
        --output "$scratch/benchmarks" || benchmark=$?
}
measure cuda_presentation 45
measure cuda_stimuli 55
measure cuda_scheduler 100

python -m gpurun.bench.gpu_report "$scratch/tests.xml" "$scratch/benchmarks" "$report" \
    --tests-status "$tests" --benchmark-status "$benchmark"
[ "$tests" -eq 0 ] && [ "$benchmark" -eq 0 ]
