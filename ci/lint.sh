#!/usr/bin/env bash
# Style, types and import layers. `ci/lint.sh --fix` mends what ruff can mend.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "${1:-}" = --fix ]; then
    uv run ruff check --fix
    uv run ruff format
fi
uv lock --check --quiet
uv run ruff check
uv run ruff format --check
uv run pyright
uv run lint-imports
