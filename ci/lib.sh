# Shared by the scripts in this folder; source it, do not run it.
# Puts uv on PATH and tells it which Python to use. Nothing outside the checkout and
# ${XDG_CACHE_HOME:-~/.cache}/gpurun-ci is touched.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PRIVATE_UV="${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/gpurun-ci/uv"

say() {
    printf '%s\n' "$*" >&2
}

# Every Python of at least version $1 (such as 3.12) that runs, best first. A pyenv
# shim may stand on PATH and fail, so each one is asked for its version.
pythons() {
    local minimum=$1 candidate
    for candidate in python3.12 python3.13 python3 python \
        /usr/bin/python3.12 /usr/bin/python3.13 /usr/bin/python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3; do
        "$candidate" - "$minimum" 2>/dev/null <<'PYTHON' || true
import sys
if sys.version_info >= tuple(int(part) for part in sys.argv[1].split(".")):
    print(sys.executable)
PYTHON
    done | awk '!seen[$0]++'
}

# Installs uv into $PRIVATE_UV, each way only where the one before it failed.
install_uv() {
    local python log
    log=$(mktemp)
    say "uv is not on PATH; installing it into $PRIVATE_UV"
    mkdir -p "$PRIVATE_UV"
    # A virtual environment, because `pip install` outside of one is refused on
    # Debian. Debian splits the venv module off; pip alone can still fill a folder.
    while read -r python; do
        rm -rf "$PRIVATE_UV"
        if { "$python" -m venv "$PRIVATE_UV" && "$PRIVATE_UV/bin/python" -m pip install --quiet uv; } \
            >>"$log" 2>&1 && "$PRIVATE_UV/bin/uv" --version >>"$log" 2>&1; then
            rm -f "$log"
            return 0
        fi
        rm -rf "$PRIVATE_UV"
        if "$python" -m pip install --quiet --target "$PRIVATE_UV" uv >>"$log" 2>&1 &&
            "$PRIVATE_UV/bin/uv" --version >>"$log" 2>&1; then
            rm -f "$log"
            return 0
        fi
    done < <(pythons 3.8)
    rm -rf "$PRIVATE_UV"
    cat "$log" >&2
    rm -f "$log"
    return 1
}

# On a stock Debian without python3-venv root may install it; anybody else is asked to.
install_venv_module() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "Installing python3-venv with apt-get, because this Python has neither venv nor pip"
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes python3-venv; } >&2
    else
        return 1
    fi
}

find_uv() {
    if uv --version >/dev/null 2>&1; then
        return 0
    fi
    if ! "$PRIVATE_UV/bin/uv" --version >/dev/null 2>&1; then
        install_uv || { install_venv_module && install_uv; } || {
            say "uv could not be installed. Install it yourself (https://docs.astral.sh/uv/), or"
            say "give Python a virtual environment module (Debian: apt-get install python3-venv)."
            exit 1
        }
    fi
    export PATH="$PRIVATE_UV/bin:$PATH"
}

# uv would download the Python that .python-version names if it finds none. That is
# the last resort: any Python from 3.12 on will do, and a download is not possible
# everywhere. An environment that is there already stays as it is.
choose_python() {
    local python
    if [ -n "${UV_PYTHON:-}" ] || uv python find --no-python-downloads >/dev/null 2>&1; then
        return 0
    fi
    python=$(pythons 3.12 | head -n 1)
    if [ -n "$python" ]; then
        export UV_PYTHON="$python"
    else
        say "No Python from 3.12 on is installed; uv will try to download one"
    fi
}

# uv trusts its own list of authorities. Where a proxy of the site signs connections,
# only the system's list (if there is one) knows it; pip looks there anyway.
if [ -z "${SSL_CERT_FILE:-}" ] && [ -s /etc/ssl/certs/ca-certificates.crt ]; then
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

cd "$ROOT"
find_uv
choose_python
# An environment that happens to be active is not the project's.
unset VIRTUAL_ENV
