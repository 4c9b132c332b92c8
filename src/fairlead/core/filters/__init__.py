"""Filter expressions: `?filter=`, the language of go-bexpr as Consul 1.8 speaks it.

An expression is parsed (`grammar.py`), held against the selectors of what it is
to filter (`selectors.py`, `fields.py`) and made into a predicate (`compile.py`).

Rule: whatever the text, the outcome is a predicate or an `InvalidError` in
Consul's words, in time that grows with the length of the text alone.
"""

from fairlead.core.filters.compile import compile_filter
from fairlead.core.filters.selectors import CHECKS, INSTANCES, NODES, SERVICE_NODES, SERVICES

__all__ = ["CHECKS", "INSTANCES", "NODES", "SERVICES", "SERVICE_NODES", "compile_filter"]
