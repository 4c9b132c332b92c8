"""How many examples a fuzz test tries, and how long one of them may take."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from hypothesis import HealthCheck, Phase, settings

__all__ = ["EXAMPLES", "examples", "within"]

EXAMPLES = int(os.environ.get("FAIRLEAD_FUZZ_EXAMPLES", "1000"))
"""The examples of a test of weight one; 20 000 of them take about ten minutes in all."""

settings.register_profile(
    "fuzz",
    deadline=None,
    derandomize=False,
    database=None,
    print_blob=True,
    phases=(Phase.explicit, Phase.generate, Phase.target, Phase.shrink),
    suppress_health_check=(
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
        HealthCheck.filter_too_much,
    ),
)


def examples(weight: float = 1) -> settings:
    """The settings of a fuzz test that tries `weight` times the usual number of examples.

    A failure prints a line `@reproduce_failure(...)`: put it above the test to replay it.
    """
    return settings(settings.get_profile("fuzz"), max_examples=max(int(EXAMPLES * weight), 1))


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if what is inside takes longer, even if it never comes back by itself."""

    def expire(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"still under way after {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
