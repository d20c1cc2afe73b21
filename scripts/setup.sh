#!/usr/bin/env bash
# The steps of `make setup` and `make test`: setup.sh venv | java | prometheus | alertmanager | downloads
#
# Each does nothing when there is nothing to do, and ends in one sentence and exit code 1 when the
# machine lacks something that it may not install by itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Runs as root: as we are, or by a sudo that asks no password.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

apt_install() {
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  # Without package lists, or with old ones, the first try fails.
  as_root "${apt[@]}" install -y --no-install-recommends "$1" ||
    { as_root "${apt[@]}" update && as_root "${apt[@]}" install -y --no-install-recommends "$1"; }
}
dnf_install() { as_root dnf install -y -q "$1"; }
apk_install() { as_root apk add -q "$1"; }

# install_any MANAGER:PACKAGE...: tries those of this machine's package manager in turn.
install_any() {
  may_install || return 1
  local each manager package log
  log=$(mktemp)
  for each in "$@"; do
    manager=${each%%:*} package=${each#*:}
    command -v "${manager/apt/apt-get}" >/dev/null || continue
    say "Installing the system package $package ..."
    if "${manager}_install" "$package" >"$log" 2>&1; then rm -f "$log"; return 0; fi
    tail -n 2 "$log" >&2
  done
  rm -f "$log"
  return 1
}

find_python() {
  local candidate
  for candidate in "${PYTHON:-python3.11}" python3; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

step_venv() {
  local python
  python=$(find_python) ||
    fail "Python 3.11 or later is needed: install it, or name it, as in 'make setup PYTHON=/path/to/python'."
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    install_any apt:python3.11-venv apt:python3-venv && "$python" -c 'import ensurepip' 2>/dev/null ||
      fail "$python cannot make virtual environments: install the package python3-venv of your system."
  fi
  say "Virtual environment: .venv ($("$python" --version))"
  # A half-made one, after Ctrl-C, has no working pip.
  .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
  pip_install
}

pip_install() {
  local pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input install --quiet)
  # The build tools come first: pyspark is a source package, and built with these and no others.
  say "Installing the build tools ..."
  awk '/^[a-z]/ { wanted = /^(packaging|pip|setuptools|wheel)==/ } wanted' requirements.lock >.venv/tools.txt
  "${pip[@]}" --require-hashes -r .venv/tools.txt
  say "Installing the packages of requirements.lock (pyspark alone has 450 MB) ..."
  "${pip[@]}" --require-hashes --no-build-isolation -r requirements.lock
  # Its warnings are for those who build packages to publish.
  PYTHONWARNINGS=ignore "${pip[@]}" --no-deps --no-build-isolation -e .
}

step_java() {
  local find=(.venv/bin/python -m streaming_eval.local.setup java)
  if ! "${find[@]}" 2>/dev/null; then
    install_any apt:openjdk-17-jre-headless apt:default-jre-headless \
      dnf:java-17-openjdk-headless dnf:java-21-openjdk-headless apk:openjdk17-jre-headless || true
  fi
  "${find[@]}"
}

step_prometheus() {
  if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
    install_any apt:prometheus dnf:golang-github-prometheus apk:prometheus ||
      fail "Prometheus is not here and could not be installed: install your system's package 'prometheus' (it brings promtool)."
  fi
  say "Prometheus: $(command -v prometheus)"
}

step_alertmanager() {
  # Debian gives the program another name than its makers do.
  local find=(command -v alertmanager prometheus-alertmanager)
  if ! "${find[@]}" >/dev/null || ! command -v amtool >/dev/null; then
    install_any apt:prometheus-alertmanager dnf:golang-github-prometheus-alertmanager apk:alertmanager ||
      fail "Alertmanager is not here and could not be installed: install your system's package 'prometheus-alertmanager' (it brings amtool)."
  fi
  say "Alertmanager: $("${find[@]}")"
}

step_downloads() {
  .venv/bin/python -m streaming_eval.local.setup downloads
}

case "${1:-}" in
  venv | java | prometheus | alertmanager | downloads) "step_$1" ;;
  *) fail "usage: scripts/setup.sh venv | java | prometheus | alertmanager | downloads" ;;
esac
