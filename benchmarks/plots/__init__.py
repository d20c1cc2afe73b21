"""The figures of docs/statistics.md: `make plots`."""
