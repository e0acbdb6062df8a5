"""Turns the expressions of a query into closures over an environment: a list with one slot for each alias."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from local.cosmos.errors import bad_request
from local.cosmos.sql import operators
from local.cosmos.sql.candidates import conjuncts
from local.cosmos.sql.closures import among, equals_string, member, members_value, path_value, slot_value
from local.cosmos.sql.date_functions import STATIC
from local.cosmos.sql.functions import FUNCTIONS, NOT_HERE
from local.cosmos.sql.grouping import aggregate_calls
from local.cosmos.sql.select import Select, compile_select, object_of
from local.cosmos.sql.syntax import (
    AGGREGATES,
    Alias,
    ArrayLiteral,
    Between,
    Binary,
    Call,
    Coalesce,
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
    Subquery,
    Unary,
)
from local.cosmos.sql.values import UNDEFINED, Environment, Evaluator, Value, canonical

Names = Mapping[str, int]

VARIES: Final = object()  # what `constant` says of an expression that depends on an item
_MANY_CHOICES = 8


class Compiler:
    """Compiles one query with its parameters.

    Slot 0 of the environment is the item; further slots are given out to aliases, and to the results of GROUP BY and
    aggregates, which `known` maps from the expression they stand for.

    now           when the query began, in nanoseconds since 1970: what the static functions are about
    may_be_slow   whether a single item can take long, so that nobody should wait for the query
    """

    def __init__(self, parameters: Mapping[str, Value], now: int | None = None) -> None:
        self._parameters = parameters
        self.now = time.time_ns() if now is None else now
        self.may_be_slow = False
        self.slots = 1
        self.known: dict[Expression, int] = {}
        self._compile: dict[type, Callable[[Any, Names], Evaluator]] = {
            Alias: self._alias,
            Member: self._member,
            Binary: self._binary,
            Logical: self._logical,
            Unary: self._unary,
            In: self._in,
            Between: self._between,
            Like: self._like,
            Conditional: self._conditional,
            Coalesce: self._coalesce,
            Call: self._call,
            ObjectLiteral: self._object,
            ArrayLiteral: self._array,
            Subquery: self._subquery,
        }

    def new_slot(self) -> int:
        """A place in the environment that nothing else uses."""
        self.slots += 1
        return self.slots - 1

    def environment(self) -> Environment:
        """An empty environment, for the whole query with its subqueries."""
        return [UNDEFINED] * self.slots

    def constant(self, expression: Expression) -> Value:
        """The value that does not depend on any item, or VARIES."""
        match expression:
            case Literal():
                return expression.value
            case Parameter():
                return self._parameter(expression)
            case Unary():
                value = self.constant(expression.operand)
                return VARIES if value is VARIES else operators.UNARY[expression.operator](value)
            case ArrayLiteral():
                values = [self.constant(element) for element in expression.elements]
                return VARIES if any(value is VARIES or value is UNDEFINED for value in values) else values
            case Call(arguments=()) if expression.name in STATIC:
                return STATIC[expression.name](self.now)
        return VARIES

    def expression(self, expression: Expression, names: Names) -> Evaluator:
        """A closure for the expression; `names` maps the aliases that it may use to their slots."""
        if self.known and (slot := self.known.get(expression)) is not None:
            return slot_value(slot)
        value = self.constant(expression)
        if value is not VARIES:
            return lambda _: value
        return self._compile[type(expression)](expression, names)

    def conjuncts(self, where: Expression | None, names: Names) -> list[Evaluator]:
        """Closures that must all be true for a row to stay."""
        return [self.expression(term, names) for term in conjuncts(where)]

    def select(self, query: Query, names: Names) -> Select:
        """A subquery, which may use the aliases around it."""
        return compile_select(self, query, names)

    def _parameter(self, parameter: Parameter) -> Value:
        try:
            return self._parameters[parameter.name]
        except KeyError:
            raise bad_request(f"The query parameter {parameter.name} has no value.") from None

    def _resolve(self, alias: Alias, names: Names) -> int:
        try:
            return names[alias.name]
        except KeyError:
            raise bad_request(f"Identifier '{alias.name}' could not be resolved.") from None

    def _alias(self, expression: Alias, names: Names) -> Evaluator:
        return slot_value(self._resolve(expression, names))

    def _unary(self, expression: Unary, names: Names) -> Evaluator:
        apply, operand = operators.UNARY[expression.operator], self.expression(expression.operand, names)
        return lambda env: apply(operand(env))

    def _object(self, expression: ObjectLiteral, names: Names) -> Evaluator:
        fields = [(name, self.expression(value, names)) for name, value in expression.fields]
        return lambda env: object_of(fields, env)

    def _array(self, expression: ArrayLiteral, names: Names) -> Evaluator:
        elements = [self.expression(element, names) for element in expression.elements]
        return lambda env: [value for value in [element(env) for element in elements] if value is not UNDEFINED]

    def _member(self, expression: Member, names: Names) -> Evaluator:
        keys: list[str] = []
        base: Expression = expression
        while isinstance(base, Member) and not (self.known and base in self.known):
            key = self.constant(base.key)
            if type(key) is not str:
                break
            keys.append(key)
            base = base.base
        if keys and isinstance(base, Alias) and not (self.known and base in self.known):
            return path_value(self._resolve(base, names), keys[::-1])
        if keys:
            return members_value(self.expression(base, names), keys[::-1])
        container, index = self.expression(expression.base, names), self.expression(expression.key, names)
        return lambda env: member(container(env), index(env))

    def _binary(self, expression: Binary, names: Names) -> Evaluator:
        left = self.expression(expression.left, names)
        wanted = self.constant(expression.right)
        if expression.operator == "=" and type(wanted) is str:
            return equals_string(left, wanted)
        apply, right = operators.BINARY[expression.operator], self.expression(expression.right, names)
        return lambda env: apply(left(env), right(env))

    def _logical(self, expression: Logical, names: Names) -> Evaluator:
        operands = [self.expression(operand, names) for operand in expression.operands]
        decisive = expression.operator == "OR"

        def evaluate(env: Environment) -> Value:
            answer: Value = not decisive
            for operand in operands:
                value = operand(env)
                if value is decisive:
                    return decisive
                if value is not (not decisive):
                    answer = UNDEFINED
            return answer

        return evaluate

    def _in(self, expression: In, names: Names) -> Evaluator:
        operand = self.expression(expression.operand, names)
        values = [self.constant(choice) for choice in expression.choices]
        found: Callable[[Value, Environment], Value]
        if len(values) > _MANY_CHOICES and all(value is not VARIES and value is not UNDEFINED for value in values):
            texts = {canonical(value) for value in values}
            found = lambda value, _: canonical(value) in texts  # noqa: E731 - one of two shapes of one thing
        else:
            choices = [self.expression(choice, names) for choice in expression.choices]
            found = lambda value, env: among(value, choices, env)  # noqa: E731
        negated = expression.negated

        def evaluate(env: Environment) -> Value:
            value = operand(env)
            if value is UNDEFINED:
                return UNDEFINED
            answer = found(value, env)
            return operators.negation(answer) if negated else answer

        return evaluate

    def _between(self, expression: Between, names: Names) -> Evaluator:
        operand, low, high = (
            self.expression(part, names) for part in (expression.operand, expression.low, expression.high)
        )
        if expression.negated:
            return lambda env: operators.negation(operators.in_range(operand(env), low(env), high(env)))
        return lambda env: operators.in_range(operand(env), low(env), high(env))

    def _like(self, expression: Like, names: Names) -> Evaluator:
        operand, pattern = self.expression(expression.operand, names), self.expression(expression.pattern, names)
        escape: Value = UNDEFINED
        if expression.escape is not None:
            escape = self.constant(expression.escape)
            if type(escape) is not str or len(escape) != 1:
                raise bad_request("ESCAPE takes one character.")
        if expression.negated:
            return lambda env: operators.negation(operators.like(operand(env), pattern(env), escape))
        return lambda env: operators.like(operand(env), pattern(env), escape)

    def _conditional(self, expression: Conditional, names: Names) -> Evaluator:
        test, then, otherwise = (
            self.expression(part, names) for part in (expression.test, expression.then, expression.otherwise)
        )
        return lambda env: then(env) if test(env) is True else otherwise(env)

    def _coalesce(self, expression: Coalesce, names: Names) -> Evaluator:
        left, right = self.expression(expression.left, names), self.expression(expression.right, names)

        def evaluate(env: Environment) -> Value:
            value = left(env)
            return right(env) if value is UNDEFINED else value

        return evaluate

    def _call(self, expression: Call, names: Names) -> Evaluator:
        name = expression.name
        if name in AGGREGATES:
            raise bad_request(f"The aggregate {name} may stand only in the SELECT of a query.")
        if name in STATIC:
            raise bad_request(f"The {name} function takes no argument.")
        if name in NOT_HERE:
            raise bad_request(f"The function {name} is not in this server.")
        function = FUNCTIONS.get(name)
        if function is None:
            raise bad_request(f"'{name[:60]}' is not a recognized built-in function name.")
        count = len(expression.arguments)
        if not function.least <= count <= function.most:
            raise bad_request(f"The {name} function does not take {count} argument(s).")
        self.may_be_slow = self.may_be_slow or name == "REGEXMATCH"
        call, arguments = function.call, [self.expression(argument, names) for argument in expression.arguments]
        match arguments:
            case [only]:
                return lambda env: call(only(env))
            case [first, second]:
                return lambda env: call(first(env), second(env))
        return lambda env: call(*[argument(env) for argument in arguments])

    def _subquery(self, expression: Subquery, names: Names) -> Evaluator:
        select = self.select(expression.query, names)
        if expression.form == "EXISTS":
            return select.exists
        if expression.form == "ARRAY":
            return select.results
        if self._may_have_several(expression.query):
            raise bad_request("The cardinality of a scalar subquery result set cannot be greater than one.")

        def evaluate(env: Environment) -> Value:
            found = select.results(env)
            return found[0] if found else UNDEFINED

        return evaluate

    def _may_have_several(self, query: Query) -> bool:
        """Whether a subquery may have more than one result, whatever the items are."""
        if query.group_by:
            return True
        if aggregate_calls(query) or (query.top is not None and self.constant(query.top) in (0, 1)):
            return False
        return any(
            source.each or (source.query is not None and self._may_have_several(source.query))
            for source in query.sources
        )
