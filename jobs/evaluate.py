"""For spark-submit: `spark-submit jobs/evaluate.py --config streaming-eval.yaml`.

The same as `streaming-eval run`, in the session that spark-submit configures.
"""

from __future__ import annotations

import sys

from streaming_eval.cli import app

if __name__ == "__main__":
    app(["run", *sys.argv[1:]], prog_name="evaluate.py")
