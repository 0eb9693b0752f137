#!/usr/bin/env bash
# The tests of one folder, or of several: ci/run_pytests.sh FOLDER[,FOLDER] [arguments of pytest].
# Without further arguments (which may select tests) it also makes sure that as many
# tests ran as ci/minimum_tests.toml asks for.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folders=${1:?usage: ci/run_pytests.sh FOLDER[,FOLDER] [arguments of pytest]}
shift
if [ $# -eq 0 ]; then
    set -- "--minimum-tests=$folders"
fi
IFS=, read -r -a names <<<"$folders"
exec uv run pytest "${names[@]/#/tests/}" "$@"
