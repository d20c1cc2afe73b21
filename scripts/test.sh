#!/usr/bin/env bash
# All tests, in two processes side by side: those that wait for Spark and other programs leave most
# of a processor to those that need none. With arguments, one process that is given them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pytest() { .venv/bin/python -m pytest "$@"; }

if (($#)); then
  pytest "$@"
  exit
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
pytest -m "not spark and not slow" >"$log" 2>&1 &
pure=$!
failed=0
pytest -m "spark or slow" --durations=20 || failed=1
wait "$pure" || failed=1
cat "$log"
exit "$failed"
