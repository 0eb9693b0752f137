#!/usr/bin/env bash
# Style, types and import layers. `ci/lint.sh --fix` mends what ruff can mend.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "${1:-}" = --fix ]; then
    uv run ruff check --fix || true
    uv run ruff format
fi
status=0
# All of them, so that one run shows all there is to mend.
uv lock --check --quiet || { say "uv.lock does not fit pyproject.toml: run 'uv lock'"; status=1; }
uv run ruff check || status=1
uv run ruff format --check || status=1
uv run pyright || status=1
uv run lint-imports || status=1
exit $status
