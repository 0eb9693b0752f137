#!/usr/bin/env bash
# Builds the wheel as a release would (sdist first, wheel from the sdist), installs it
# with its dependencies in an empty environment outside the checkout, and runs a model.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

rm -rf dist
uv build --quiet
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
cp tests/cpp/wheel_check.py "$elsewhere"
wheel=$(echo "$ROOT"/dist/gpurun-*.whl)
cd "$elsewhere"
export GPURUN_CACHE_DIR="$elsewhere/cache"
uv run --isolated --no-project --python "$ROOT/.venv/bin/python" --with "$wheel" \
    python wheel_check.py "$ROOT"
