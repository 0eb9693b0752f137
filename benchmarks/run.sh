#!/usr/bin/env bash
# Measures the named cases (default: all that need no card) and updates docs/benchmarks.md.
# With a card: ci/gpu.sh.
#
#   benchmarks/run.sh                       measure, store the reports, update the page
#   benchmarks/run.sh presentation --quick  a trial of a few minutes; not for the page
source "$(dirname "${BASH_SOURCE[0]}")/../ci/lib.sh"

[ $# -gt 0 ] || set -- presentation cuda_build state stimuli scheduler --page
exec uv run python -m gpurun.bench "$@"
