#!/usr/bin/env bash
# The tests that need neither a compiler nor a card. Arguments are pytest's.
exec "$(dirname "${BASH_SOURCE[0]}")/run_pytests.sh" unit "$@"
