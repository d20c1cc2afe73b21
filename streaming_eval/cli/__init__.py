"""The command line: `streaming-eval VERB`; every verb imports what it needs when it is called."""

from streaming_eval.cli.app import app, main

__all__ = ["app", "main"]
