#!/usr/bin/env bash
# brian2's own standalone tests, on brian2's device and on gpurun, compared test by test.
#
#   ci/conformance.sh                 the three CPU configurations, then the comparison (about
#                                     an hour; continues where an earlier run was stopped)
#   ci/conformance.sh cuda            the same tests, and brian2cuda's own, on gpurun's CUDA
#                                     backend: on a card, else with the emulated CUDA toolkit
#   ci/conformance.sh emulated        the same tests, and brian2cuda's own, on brian2cuda with
#                                     the emulated CUDA toolkit; continues likewise
#   ci/conformance.sh sample          the small part that runs with every change
#   ci/conformance.sh standin --shard 1/4
#                                     part of one configuration: upstream, device, standin
#   ci/conformance.sh compare         only compare, and write docs/conformance.md
#
# Results are kept in build/conformance; remove it to start afresh. More options:
# ci/conformance.sh --help
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "${1:-}" = sample ]; then
    shift
    exec uv run pytest tests/cpp/test_conformance_sample.py \
        tests/emulated/test_conformance_sample.py "$@"
fi
if [ "${1:-}" = cuda ]; then
    shift
    set -- upstream cuda cuda-own "$@"
fi
if [ "${1:-}" = emulated ]; then
    shift
    # `upstream` is what the first of them is compared with.
    set -- upstream emulated emulated-own "$@"
fi
[ $# -gt 0 ] || set -- upstream device standin compare
exec uv run python -m tests.conformance "$@"
