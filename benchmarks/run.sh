#!/usr/bin/env bash
# Measures the named cases (default: all) and updates docs/benchmarks.md.
#
#   benchmarks/run.sh                       measure, store the report, update the page
#   benchmarks/run.sh presentation --quick  a trial of a few minutes; not for the page
source "$(dirname "${BASH_SOURCE[0]}")/../ci/lib.sh"

[ $# -gt 0 ] || set -- presentation --page
exec uv run python -m gpurun.bench "$@"
