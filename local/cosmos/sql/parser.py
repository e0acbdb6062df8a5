"""Makes the syntax tree of a query from its text."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from local.cosmos.errors import bad_request
from local.cosmos.sql.syntax import (
    Alias,
    ArrayLiteral,
    Between,
    Binary,
    Call,
    Coalesce,
    Column,
    Conditional,
    Expression,
    In,
    Like,
    Literal,
    Logical,
    Member,
    ObjectLiteral,
    Parameter,
    Query,
    Sort,
    Source,
    Subquery,
    Unary,
)
from local.cosmos.sql.tokens import Kind, Token, syntax_error, tokens
from local.cosmos.sql.values import UNDEFINED

MAX_QUERY_BYTES = 512 * 1024
_MAX_DEPTH = 100
_SHORT = 4096
_COMPARISONS = frozenset(("=", "!=", "<>", "<", "<=", ">", ">=", "<<", ">>", ">>>"))
# Lowest first; each level is left-associative.
_BINARY_LEVELS = (("||",), ("|", "^", "&", "+", "-"), ("*", "/", "%"))
_OPENING = frozenset("([{")
_CONSTANTS: dict[str, Any] = {"TRUE": True, "FALSE": False, "NULL": None, "UNDEFINED": UNDEFINED}


def parse(text: str) -> Query:
    """Raises CosmosError 400 with the place of what cannot be read."""
    return _parsed_short(text) if len(text) < _SHORT else _parsed_long(text)


def _parse(text: str) -> Query:
    if len(text.encode()) > MAX_QUERY_BYTES:
        raise bad_request("The SQL query text exceeds the maximum limit of 512 KB.")
    parser = _Parser(text)
    query = parser.query()
    parser.end()
    return query


# A query that lists a thousand items has a tree of a megabyte: few of those are kept, many of the others.
_parsed_short = lru_cache(maxsize=512)(_parse)
_parsed_long = lru_cache(maxsize=8)(_parse)


class _Parser:
    """Recursive descent over the tokens; AND, OR and operators of one level are loops, so long queries stay flat."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0
        self._bare_betweens: list[Expression] = []

    # What is next.

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _is(self, kind: Kind, value: str, ahead: int = 0) -> bool:
        at = min(self._at + ahead, len(self._tokens) - 1)
        return self._tokens[at].kind is kind and self._tokens[at].value == value

    def _keyword(self, word: str) -> bool:
        if self._is(Kind.KEYWORD, word):
            self._at += 1
            return True
        return False

    def _symbol(self, symbol: str) -> bool:
        if self._is(Kind.SYMBOL, symbol):
            self._at += 1
            return True
        return False

    def _need_keyword(self, word: str) -> None:
        if not self._keyword(word):
            raise self._error()

    def _need_symbol(self, symbol: str) -> None:
        if not self._symbol(symbol):
            raise self._error()

    def _need_name(self) -> str:
        if self._token.kind is not Kind.NAME:
            raise self._error()
        return str(self._next().value)

    def _error(self) -> Exception:
        return syntax_error(self._text, self._token.at, self._token.text)

    def end(self) -> None:
        """Nothing may follow."""
        if self._token.kind is not Kind.END:
            raise self._error()

    # Clauses.

    def query(self) -> Query:
        """A query or a subquery."""
        self._need_keyword("SELECT")
        distinct = self._keyword("DISTINCT")
        top = self._atom() if self._keyword("TOP") else None
        distinct = distinct or self._keyword("DISTINCT")
        value = self._keyword("VALUE")
        columns: tuple[Column, ...] | None = None
        if value:
            columns = (Column(self._expression(), None),)
        elif not self._symbol("*"):
            columns = tuple(self._list(self._column))
        sources = self._sources() if self._keyword("FROM") else ()
        where = self._expression() if self._keyword("WHERE") else None
        group_by: tuple[Expression, ...] = ()
        if self._keyword("GROUP"):
            self._need_keyword("BY")
            group_by = tuple(self._list(self._expression))
        if self._is(Kind.KEYWORD, "HAVING"):
            raise bad_request("HAVING is not supported.")
        order_by: tuple[Sort, ...] = ()
        if self._keyword("ORDER"):
            self._need_keyword("BY")
            order_by = tuple(self._list(self._sort))
        offset = limit = None
        if self._keyword("OFFSET"):
            offset = self._atom()
            self._need_keyword("LIMIT")
            limit = self._atom()
        if top is not None and limit is not None:
            raise bad_request("TOP and OFFSET LIMIT cannot be in one query.")
        return Query(columns, value, distinct, top, sources, where, group_by, order_by, offset, limit)

    def _list[T](self, item: Callable[[], T]) -> list[T]:
        found = [item()]
        while self._symbol(","):
            found.append(item())
        return found

    def _column(self) -> Column:
        expression = self._expression()
        if self._keyword("AS"):
            return Column(expression, self._need_name())
        if self._token.kind is Kind.NAME:
            return Column(expression, self._need_name())
        if (
            isinstance(expression, Member)
            and isinstance(expression.key, Literal)
            and isinstance(expression.key.value, str)
        ):
            return Column(expression, expression.key.value)
        if isinstance(expression, Alias):
            return Column(expression, expression.name)
        return Column(expression, None)

    def _sort(self) -> Sort:
        begin = self._token.at
        expression = self._expression()
        text = self._text[begin : self._token.at].strip()
        descending = self._keyword("DESC")
        if not descending:
            self._keyword("ASC")
        return Sort(expression, not descending, text)

    def _sources(self) -> tuple[Source, ...]:
        found = [self._source()]
        while self._keyword("JOIN"):
            found.append(self._source())
        return tuple(found)

    def _source(self) -> Source:
        if self._is(Kind.SYMBOL, "("):
            query = self._parenthesized_query()
            self._keyword("AS")
            alias = self._need_name() if self._token.kind is Kind.NAME else None
            return Source(alias, None, query=query)
        if self._token.kind is Kind.NAME and self._is(Kind.KEYWORD, "IN", ahead=1):
            alias = self._need_name()
            self._at += 1
            if self._is(Kind.SYMBOL, "("):
                return Source(alias, None, each=True, query=self._parenthesized_query())
            return Source(alias, self._path(), each=True)
        expression = self._path()
        if self._keyword("AS") or self._token.kind is Kind.NAME:
            return Source(self._need_name(), expression)
        return Source(_last_name(expression), expression)

    def _path(self) -> Expression:
        """A name with members, as FROM takes it."""
        expression = self._primary()
        if not isinstance(expression, Alias | Member | ArrayLiteral | Parameter):
            raise self._error()
        return expression

    def _parenthesized_query(self) -> Query:
        self._need_symbol("(")
        query = self._nested(self.query)
        self._need_symbol(")")
        return query

    # Expressions, from the operator that binds least to the one that binds most.

    def _nested[T](self, inner: Callable[[], T]) -> T:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise bad_request("The query is nested too deeply.")
        result = inner()
        self._depth -= 1
        return result

    def _expression(self) -> Expression:
        return self._nested(self._conditional)

    def _conditional(self) -> Expression:
        test = self._coalesce()
        if not self._symbol("?"):
            return test
        then = self._expression()
        self._need_symbol(":")
        return Conditional(test, then, self._expression())

    def _coalesce(self) -> Expression:
        left = self._or()
        if not self._symbol("??"):
            return left
        return Coalesce(left, self._nested(self._coalesce))

    def _or(self) -> Expression:
        return self._logical("OR", self._and)

    def _and(self) -> Expression:
        return self._logical("AND", self._comparison)

    def _logical(self, operator: str, operand: Callable[[], Expression]) -> Expression:
        first = operand()
        if not self._is(Kind.KEYWORD, operator):
            return first
        operands = [first]
        while self._keyword(operator):
            operands.append(operand())
        # In the service's grammar the AND of a BETWEEN takes whatever follows, so that it cannot be in a chain.
        if any(one is bare for one in operands for bare in self._bare_betweens):
            raise bad_request("BETWEEN beside AND or OR needs parentheses: (a BETWEEN b AND c) AND d.")
        return Logical(operator, tuple(operands))

    def _comparison(self) -> Expression:
        begins_with_not = self._is(Kind.KEYWORD, "NOT")
        left = self._binary(0)
        token = self._token
        compares = token.kind is Kind.SYMBOL and token.value in _COMPARISONS
        tests = token.kind is Kind.KEYWORD and token.value in ("IN", "BETWEEN", "LIKE", "NOT")
        if begins_with_not and (compares or tests):
            raise bad_request("NOT before a comparison needs parentheses: NOT (a = b), or a NOT IN (…).")
        if compares:
            operator = str(self._next().value)
            left = Binary("!=" if operator == "<>" else operator, left, self._binary(0))
            if self._token.kind is Kind.SYMBOL and self._token.value in _COMPARISONS:
                raise self._error()
            return left
        return self._tested(left) if tests else left

    def _tested(self, left: Expression) -> Expression:
        negated = self._keyword("NOT")
        if self._keyword("IN"):
            self._need_symbol("(")
            if self._is(Kind.KEYWORD, "SELECT"):
                raise bad_request("IN takes a list of values; use EXISTS or ARRAY_CONTAINS for a subquery.")
            choices = tuple(self._list(self._expression))
            self._need_symbol(")")
            return In(left, choices, negated)
        if self._keyword("BETWEEN"):
            low = self._binary(0)
            self._need_keyword("AND")
            between = Between(left, low, self._binary(0), negated)
            self._bare_betweens.append(between)
            return between
        self._need_keyword("LIKE")
        pattern = self._binary(0)
        escape = self._primary() if self._keyword("ESCAPE") else None
        return Like(left, pattern, escape, negated)

    def _binary(self, level: int) -> Expression:
        if level == len(_BINARY_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._token.kind is Kind.SYMBOL and self._token.value in _BINARY_LEVELS[level]:
            operator = str(self._next().value)
            left = Binary(operator, left, self._binary(level + 1))
        return left

    def _unary(self) -> Expression:
        if self._keyword("NOT"):
            return Unary("NOT", self._nested(self._unary))
        for operator in "-+~":
            if self._symbol(operator):
                return Unary(operator, self._nested(self._unary))
        return self._primary()

    def _primary(self) -> Expression:
        expression = self._atom()
        while True:
            if self._symbol("."):
                expression = Member(expression, Literal(self._need_name()))
            elif self._symbol("["):
                expression = Member(expression, self._expression())
                self._need_symbol("]")
            else:
                return expression

    def _atom(self) -> Expression:
        token = self._next()
        match token.kind:
            case Kind.NUMBER | Kind.STRING:
                return Literal(token.value)
            case Kind.PARAMETER:
                return Parameter(token.value)
            case Kind.NAME:
                return self._call(token.value.upper()) if self._symbol("(") else Alias(token.value)
            case Kind.KEYWORD:
                return self._keyword_atom(token)
            case Kind.SYMBOL if token.value in _OPENING:
                return self._opened(token.value)
        self._at -= 1
        raise self._error()

    def _opened(self, symbol: str) -> Expression:
        if symbol == "[":
            return ArrayLiteral(self._elements("]"))
        if symbol == "{":
            return self._object()
        if self._is(Kind.KEYWORD, "SELECT"):
            self._at -= 1
            return Subquery("", self._parenthesized_query())
        inner = self._expression()
        self._need_symbol(")")
        self._bare_betweens = [bare for bare in self._bare_betweens if bare is not inner]  # it has its parentheses
        return inner

    def _keyword_atom(self, token: Token) -> Expression:
        if token.value in _CONSTANTS:
            return Literal(_CONSTANTS[token.value])
        if token.value in ("EXISTS", "ARRAY") and self._is(Kind.SYMBOL, "("):
            return Subquery(token.value, self._parenthesized_query())
        if token.value == "UDF":
            raise bad_request("User-defined functions are not supported by this server.")
        if token.value in ("LEFT", "RIGHT") and self._symbol("("):
            return self._call(token.value)
        self._at -= 1
        raise self._error()

    def _call(self, name: str) -> Expression:
        return Call(name, self._elements(")"))

    def _elements(self, closing: str) -> tuple[Expression, ...]:
        if self._symbol(closing):
            return ()
        elements = tuple(self._list(self._expression))
        self._need_symbol(closing)
        return elements

    def _object(self) -> Expression:
        if self._symbol("}"):
            return ObjectLiteral(())
        fields = self._list(self._field)
        self._need_symbol("}")
        return ObjectLiteral(tuple(fields))

    def _field(self) -> tuple[str, Expression]:
        name = self._next().value if self._token.kind is Kind.STRING else self._need_name()
        self._need_symbol(":")
        return str(name), self._expression()


def _last_name(expression: Expression) -> str | None:
    if isinstance(expression, Alias):
        return expression.name
    if isinstance(expression, Member) and isinstance(expression.key, Literal) and isinstance(expression.key.value, str):
        return expression.key.value
    return None
