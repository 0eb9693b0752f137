#!/usr/bin/env bash
# The tests that compile and run models on the CPU, and those of what a session promises.
# Arguments are pytest's.
exec "$(dirname "${BASH_SOURCE[0]}")/run_pytests.sh" cpp,semantics "$@"
