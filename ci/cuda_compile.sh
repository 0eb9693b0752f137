#!/usr/bin/env bash
# The tests that compile CUDA sources with NVIDIA's nvcc from PyPI; no card is needed.
# Arguments are pytest's.
exec "$(dirname "${BASH_SOURCE[0]}")/run_pytests.sh" cuda_compile "$@"
