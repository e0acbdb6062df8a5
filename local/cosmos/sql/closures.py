"""The closures of the commonest expressions: paths into an item, equality with a text, IN."""

from __future__ import annotations

from local.cosmos.sql import operators
from local.cosmos.sql.values import UNDEFINED, Environment, Evaluator, Value, is_number


def member(container: Value, key: Value) -> Value:
    """`container[key]`: a field of an object, an element of an array, else UNDEFINED."""
    if type(container) is dict and type(key) is str:
        return container.get(key, UNDEFINED)
    if type(container) is list and is_number(key) and key == int(key) and 0 <= key < len(container):
        return container[int(key)]
    return UNDEFINED


def slot_value(slot: int) -> Evaluator:
    """What the environment has in a slot."""
    return lambda env: env[slot]


def path_value(slot: int, keys: list[str]) -> Evaluator:
    """The value of `alias.key.key`."""
    if len(keys) == 1:
        (only,) = keys

        def field(env: Environment) -> Value:
            value = env[slot]
            return value.get(only, UNDEFINED) if type(value) is dict else UNDEFINED

        return field

    def walk(env: Environment) -> Value:
        value = env[slot]
        for key in keys:
            if type(value) is not dict:
                return UNDEFINED
            value = value.get(key, UNDEFINED)
        return value

    return walk


def members_value(base: Evaluator, keys: list[str]) -> Evaluator:
    """The value of `expression.key.key`."""

    def walk(env: Environment) -> Value:
        value = base(env)
        for key in keys:
            if type(value) is not dict:
                return UNDEFINED
            value = value.get(key, UNDEFINED)
        return value

    return walk


def equals_string(left: Evaluator, wanted: str) -> Evaluator:
    """`left = 'text'`."""

    def evaluate(env: Environment) -> Value:
        value = left(env)
        if type(value) is str:
            return value == wanted
        return UNDEFINED if value is UNDEFINED else False

    return evaluate


def among(value: Value, choices: list[Evaluator], env: Environment) -> Value:
    """`value IN (…)`."""
    answer: Value = False
    for choice in choices:
        same = operators.BINARY["="](value, choice(env))
        if same is True:
            return True
        if same is UNDEFINED:
            answer = UNDEFINED
    return answer
