"""What all suites share: property tests that give the same verdict on every machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "repeatable",
    deadline=None,  # a busy machine is not a bug
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")
