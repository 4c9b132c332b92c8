"""Filter expressions of any kind: a predicate that answers, or an `InvalidError`; and soon."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.core.filters import CHECKS, NODES, SERVICES, compile_filter
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.errors import InvalidError
from tests.fuzz.limits import examples, within

_LIMIT_S = 2.0
_ROWS: dict[str, Any] = {
    NODES: NodeRow("", "n1", "10.0.0.1", "dc1", None, {"a": "b"}),
    SERVICES: Service("web1", "web", ["v1"], port=80),
    CHECKS: CheckRow("n1", "c", "name", "passing", output="a" * 500),
}
_WORDS = """
Node Meta Meta.a Meta["a"] Tags Port Service Status Output Proxy.Upstreams x 80 -1.5 "n1" `n.` ""
== != in not contains is empty matches and or ( ) [ ] . " ` \\ @ é 0x 01 "(a+)+$" "[" "\\p{L}"
""".split()
_expressions = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(_WORDS), max_size=24).map(" ".join),
    st.lists(st.sampled_from(_WORDS), max_size=24).map("".join),
)


@example("(" * 300, NODES)
@example("(" * 40 + "Node == x", NODES)
@example("not " * 4000, NODES)
@example("(Node == x) and " * 900, NODES)
@example('Meta["' * 2000, NODES)
@example("1a" * 4000, NODES)
@example('Output matches "(((a{30}){30}){30}){30}"', CHECKS)
@example('Output matches "\\xff"', CHECKS)
@example("\udc80 == x", NODES)
@examples(0.5)
@given(_expressions, st.sampled_from(sorted(_ROWS)))
def test_any_text_is_a_filter_or_is_refused(text: str, root: str) -> None:
    with within(_LIMIT_S):
        try:
            predicate = compile_filter(text, root)
        except InvalidError as error:
            assert str(error)  # noqa: PT017 (the words are what a client gets)
        else:
            assert predicate(_ROWS[root]) in (True, False)
