#!/bin/sh
# Measures the named cases (default: all) and updates docs/benchmarks.md.
# Options: --quick for a trial; see `python -m gpurun.bench --help`.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- presentation --page
exec uv run --no-sync python -m gpurun.bench "$@"
