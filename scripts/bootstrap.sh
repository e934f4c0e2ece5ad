#!/usr/bin/env bash
# Sets everything up on Debian or Ubuntu, then runs one thing:
#   bash scripts/bootstrap.sh demo    the demo on the bundled model and images
#   bash scripts/bootstrap.sh test    the test suite, two files at a time
#   bash scripts/bootstrap.sh setup   nothing more
# It makes .venv/ in the checkout and installs ngspice and libngspice (and, where missing, Python's venv module)
# with apt. Run it again at any time: what is there already is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/apt.sh

usage() { sed -n '2,7s/^# \{0,1\}//p' scripts/bootstrap.sh >&2; exit 2; }

find_python() {
  local candidate
  for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

have_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

ensure_python() {
  if ! python=$(find_python); then
    apt_update
    # Ubuntu 22.04's python3 is 3.10; its archive also has 3.11.
    apt_install python3 python3-venv || true
    python=$(find_python) || { apt_install python3.11 python3.11-venv; python=$(find_python); } || {
      echo "bootstrap: no Python 3.11 or newer here and apt has none: install one and run this again" >&2
      exit 1
    }
  fi
  if ! have_venv "$python"; then
    apt_update
    apt_install "$(basename "$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')")-venv" ||
      apt_install python3-venv
  fi
}

# Installed anew only when the project file changed since the last time. What `test` needs is more, and is
# kept by the others.
ensure_venv() {
  [ -x .venv/bin/python ] || "$python" -m venv .venv
  if cmp -s pyproject.toml .venv/installed-with-test.toml; then
    return
  fi
  if [ "$1" = test ]; then
    install_packages '.[test]' installed-with-test.toml
  elif ! cmp -s pyproject.toml .venv/installed.toml; then
    install_packages '.[fast]' installed.toml
  fi
}

install_packages() {
  echo "bootstrap: installing Python packages into .venv (torch is large: some minutes)" >&2
  [ -e .venv/installed.toml ] || .venv/bin/python -m pip install --quiet --upgrade pip
  .venv/bin/python -m pip install --quiet -e "$1"
  cp pyproject.toml ".venv/$2"
}

ensure_ngspice() {
  [ -n "${ANALOGKAN_NGSPICE:-}" ] && return
  if command -v ngspice >/dev/null; then
    ensure_library
    return
  fi
  apt_update
  local version
  if version=$(backports_version ngspice); then
    apt_install "ngspice=$version" "libngspice0=$version"
  else
    apt_install ngspice libngspice0
  fi
}

# The library of an ngspice that apt installed; sessions refuse one of another version.
ensure_library() {
  local version
  /sbin/ldconfig -p | grep libngspice >/dev/null && return
  version=$(dpkg-query -W -f '${Version}' ngspice 2>/dev/null) || return 0
  apt_update
  apt_install "libngspice0=$version" ||
    echo "bootstrap: apt has no libngspice0 $version: sessions (PySpice) will not run" >&2
}

case "${1:-}" in demo | test | setup) ;; *) usage ;; esac
ensure_python
ensure_venv "$1"
ensure_ngspice
case "$1" in
  demo) shift; .venv/bin/analogkan demo "$@" ;;
  test)
    shift
    # One thread each: two files whose threads wait for each other take longer than one by one.
    OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} .venv/bin/python -m pytest -n 2 --dist loadfile "$@"
    ;;
  setup) .venv/bin/analogkan doctor ;;
esac
