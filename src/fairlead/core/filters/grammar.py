"""From text to `syntax`: a recursive descent that keeps Consul's errors.

The reference is a PEG: it tells either a fault it knows by name, or what could
have followed at the farthest place that was reached. To name the same, this
parser tries the same alternatives in the same order and notes every terminal
that failed; what a PEG parses many times, it parses once.
Source: the grammar of go-bexpr; messages as observed on Consul 1.8.7.

Rule: a method returns None and may leave the position anywhere when it fails;
whoever tries another alternative puts it back.
"""

from __future__ import annotations

import re

import fairlead.core.filters.syntax as syntax
from fairlead.core.filters.literals import quote, unquote
from fairlead.core.filters.syntax import And, Expression, Match, Not, Or
from fairlead.errors import InvalidError

__all__ = ["parse"]

_LENGTH_LIMIT = 16 * 1024
"""Characters of an expression: enough for hundreds of comparisons."""
_DEPTH_LIMIT = 40
"""Parentheses within parentheses; the reference needs hours for twenty."""

_SPACE = re.compile(r"[ \t\r\n]+")
_IDENTIFIER = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_INTEGER = re.compile(r"0|[1-9][0-9]*")
_FRACTION = re.compile(r"\.[0-9]+")
_EOF = "EOF"

_VALUE_OPERATORS = (
    ("contains", False, syntax.CONTAINS),
    ("contains", True, syntax.NOT_CONTAINS),
    ("matches", False, syntax.MATCHES),
    ("matches", True, syntax.NOT_MATCHES),
)


def parse(text: str) -> Expression:
    """The expression.

    Raises:
        InvalidError: with line, column and offset, and what was expected there.
    """
    if len(text) > _LENGTH_LIMIT:
        raise InvalidError(f"the expression is longer than {_LENGTH_LIMIT} characters")
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.farthest = 0
        self.expected: set[str] = set()
        self.errors: dict[str, None] = {}
        self.known: dict[int, tuple[Expression | None, int]] = {}

    def parse(self) -> Expression:
        found = self._input()
        if self.errors:
            raise InvalidError("\n".join(self.errors))
        if found is None:
            raise InvalidError(f"{self._place(self.farthest)}: {self._expectation()}")
        return found

    # ---------------------------------------------------------------- errors

    def _failed(self, at: int, wanted: str) -> None:
        if at < self.farthest:
            return
        if at > self.farthest:
            self.farthest = at
            self.expected = set()
        self.expected.add(wanted)

    def _fault(self, at: int, rule: str, what: str) -> None:
        self.errors[f'{self._place(at)}: rule "{rule}": {what}'] = None

    def _place(self, at: int) -> str:
        """Line and column of characters, offset of bytes; a line begins with its newline."""
        line = self.text.count("\n", 0, at + 1) + 1
        column = at - self.text.rfind("\n", 0, at + 1) if line > 1 else at + 1
        offset = len(self.text[:at].encode("utf-8", "surrogateescape"))
        return f"{line}:{column} ({offset})"

    def _expectation(self) -> str:
        wanted = sorted(self.expected - {_EOF}) + sorted(self.expected & {_EOF})
        text = ", ".join(wanted[:-1]) + " or " + wanted[-1] if len(wanted) > 1 else wanted[0]
        return f"no match found, expected: {text}"

    # ---------------------------------------------------------------- terminals

    def _word(self, word: str) -> bool:
        if self.text.startswith(word, self.at):
            self.at += len(word)
            return True
        self._failed(self.at, quote(word))
        return False

    def _space(self) -> bool:
        found = _SPACE.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        self._failed(self.at, r"[ \t\r\n]")
        return found is not None

    def _end(self) -> bool:
        if self.at == len(self.text):
            return True
        self._failed(self.at, _EOF)
        return False

    def _spaced(self, word: str) -> bool:
        """A word with space before it."""
        return self._space() and self._word(word)

    # ---------------------------------------------------------------- and, or, not

    def _input(self) -> Expression | None:
        self._space()
        start = self.at
        if self._word("("):
            found = self._inside()
            if found is not None and self._word(")"):
                self._space()
                if self._end():
                    return found
        self.at = start
        found = self._or()
        if found is None:
            return None
        self._space()
        return found if self._end() else None

    def _inside(self) -> Expression | None:
        """What stands in parentheses, up to the closing one."""
        self.depth += 1
        if self.depth > _DEPTH_LIMIT:
            raise InvalidError(f"{self._place(self.at)}: more than {_DEPTH_LIMIT} parentheses deep")
        self._space()
        found = self._or()
        self._space()
        self.depth -= 1
        return found

    def _or(self) -> Expression | None:
        start = self.at
        if start in self.known:
            found, self.at = self.known[start]
            return found
        operands = []
        operand = self._and()
        while operand is not None:
            operands.append(operand)
            end = self.at
            operand = self._and() if self._spaced("or") and self._space() else None
            if operand is None:
                self.at = end
        found = None if not operands else operands[0] if len(operands) == 1 else Or(tuple(operands))
        self.known[start] = (found, self.at)
        return found

    def _and(self) -> Expression | None:
        operands = []
        operand = self._not()
        while operand is not None:
            operands.append(operand)
            end = self.at
            operand = self._not() if self._spaced("and") and self._space() else None
            if operand is None:
                self.at = end
        if not operands:
            return None
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _not(self) -> Expression | None:
        """`not` may also be the name of a selector: then it is tried as one, the last one first."""
        starts = [self.at]
        while self._word("not") and self._space():
            starts.append(self.at)
        for count in range(len(starts) - 1, -1, -1):
            self.at = starts[count]
            found = self._grouping()
            if found is not None:
                return Not(found) if count % 2 else found
        return None

    def _grouping(self) -> Expression | None:
        start = self.at
        if not self._word("("):
            return self._match()
        found = self._inside()
        if found is not None:
            if self._word(")"):
                return found
            self._fault(self.at, "grouping", "Unmatched parentheses")
        self.at = start
        return self._match()

    # ---------------------------------------------------------------- comparisons

    def _match(self) -> Expression | None:
        start = self.at
        found = self._selector_first()
        if found is None:
            self.at = start
            found = self._value_first()
        return found

    def _selector_first(self) -> Match | None:
        selector = self._selector()
        if selector is None:
            return None
        end = self.at
        operator = self._value_operator(end)
        if operator is not None:
            value = self._value()
            if value is not None:
                return Match(selector, operator, value)
        for negated, name in ((False, syntax.IS_EMPTY), (True, syntax.IS_NOT_EMPTY)):
            self.at = end
            if (
                self._spaced("is")
                and (not negated or self._spaced("not"))
                and self._spaced("empty")
            ):
                return Match(selector, name, None)
        return None

    def _value_operator(self, start: int) -> str | None:
        for sign, name in (("==", syntax.EQUAL), ("!=", syntax.NOT_EQUAL)):
            self.at = start
            self._space()
            if self._word(sign):
                self._space()
                return name
        for word, negated, name in _VALUE_OPERATORS:
            self.at = start
            if (not negated or self._spaced("not")) and self._spaced(word) and self._space():
                return name
        return None

    def _value_first(self) -> Match | None:
        value = self._value()
        if value is None:
            return None
        end = self.at
        for negated, name in ((False, syntax.CONTAINS), (True, syntax.NOT_CONTAINS)):
            self.at = end
            if (not negated or self._spaced("not")) and self._spaced("in") and self._space():
                at = self.at
                selector = self._selector()
                if selector is not None:
                    return Match(selector, name, value)
                self._fault(at, "match", "Invalid selector")
                return None
        return None

    # ---------------------------------------------------------------- selectors and values

    def _selector(self) -> tuple[str, ...] | None:
        name = self._identifier()
        if name is None:
            return None
        path = [name]
        while True:
            start = self.at
            part = self._identifier() if self._word(".") else None
            if part is None:
                self.at = start
                part = self._index()
            if part is None:
                self.at = start
                return tuple(path)
            path.append(part)

    def _identifier(self) -> str | None:
        found = _IDENTIFIER.match(self.text, self.at)
        if found is None:
            self._failed(self.at, "[a-zA-Z]")
            return None
        self.at = found.end()
        self._failed(self.at, "[a-zA-Z0-9_]")
        return found[0]

    def _index(self) -> str | None:
        if not self._word("["):
            return None
        self._space()
        start = self.at
        literal = self._string()
        if literal is None:
            self._fault(start, "index", "Invalid index")
            return None
        self._space()
        if self._word("]"):
            return literal
        self._fault(self.at, "index", "Unclosed index expression")
        return None

    def _value(self) -> str | None:
        start = self.at
        selector = self._selector()
        if selector is not None:
            return ".".join(selector)
        self.at = start
        number = self._number()
        if number is not None:
            return number
        self.at = start
        return self._string()

    def _number(self) -> str | None:
        start = self.at
        self._word("-")
        found = _INTEGER.match(self.text, self.at)
        if found is None:
            self._failed(self.at, '"0"')
            self._failed(self.at, "[1-9]")
            return None
        self.at = found.end()
        if found[0] != "0":
            self._failed(self.at, "[0-9]")
        self._fraction()
        end = self.at
        if not (self._space() or self._end() or self._word(")")):
            self._fault(end, "number", "Invalid number literal")
            return None
        self.at = end
        return self.text[start:end]

    def _fraction(self) -> None:
        found = _FRACTION.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            self._failed(self.at, "[0-9]")
        elif self.text.startswith(".", self.at):
            self._failed(self.at + 1, "[0-9]")
        else:
            self._failed(self.at, '"."')

    def _string(self) -> str | None:
        start = self.at
        sign = self.text[start : start + 1]
        if sign not in ("`", '"'):
            self._failed(start, '"`"')
            self._failed(start, r'"\""')
            return None
        end = self.text.find(sign, start + 1)
        if end < 0:
            self.at = len(self.text)
            self._fault(self.at, "string", "Unterminated string literal")
            return None
        self.at = end + 1
        try:
            return unquote(self.text[start : self.at])
        except InvalidError as error:
            self._fault(start, "string", str(error))
            return ""
