"""What holds for every test."""

from hypothesis import settings

# A shared machine may take any time for one example; pytest has the limit for a whole test.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
