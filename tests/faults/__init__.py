"""Fault runs of the whole job: `python -m tests.faults`, which is `make faults`."""
