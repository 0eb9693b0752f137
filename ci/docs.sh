#!/usr/bin/env bash
# Builds the documentation into docs/_build/html; a warning is an error.
# Arguments are sphinx-build's.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

exec uv run sphinx-build --quiet --fail-on-warning --keep-going --fresh-env --builder html \
    docs docs/_build/html "$@"
