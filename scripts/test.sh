#!/usr/bin/env bash
# All tests, in two processes side by side: those that wait for Spark leave most of the processors to
# all others. With arguments, one process that is given them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pytest() { .venv/bin/python -m pytest "$@"; }

if (($#)); then
  pytest "$@"
  exit
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
pytest -m "not spark" --durations=10 >"$log" 2>&1 &
others=$!
failed=0
pytest -m spark --durations=20 || failed=1
wait "$others" || failed=1
cat "$log"
exit "$failed"
