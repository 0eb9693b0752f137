#!/usr/bin/env bash
# The tests that run CUDA code on the CPU, with the emulated toolkit. Arguments are pytest's.
exec "$(dirname "${BASH_SOURCE[0]}")/run_pytests.sh" emulated "$@"
