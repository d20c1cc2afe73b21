"""`python -m streaming_eval.cli`: the same as the `streaming-eval` command."""

from streaming_eval.cli import main

main()
