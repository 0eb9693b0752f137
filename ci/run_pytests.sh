#!/usr/bin/env bash
# The tests of one folder: ci/run_pytests.sh FOLDER [arguments of pytest].
# Without further arguments (which may select tests) it also makes sure that as many
# tests ran as ci/minimum_tests.toml asks for.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

folder=${1:?usage: ci/run_pytests.sh FOLDER [arguments of pytest]}
shift
if [ $# -eq 0 ]; then
    set -- "--minimum-tests=$folder"
fi
exec uv run pytest "tests/$folder" "$@"
