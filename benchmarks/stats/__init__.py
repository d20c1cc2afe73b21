"""What the statistics promise, measured by simulation: `make bench-stats`."""
