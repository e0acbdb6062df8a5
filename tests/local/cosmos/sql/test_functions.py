"""The built-in functions and the operators, by the examples of their documentation and at their edges."""

from __future__ import annotations

from typing import Any

import pytest

from local.cosmos.sql.compiler import Compiler
from local.cosmos.sql.parser import parse
from local.cosmos.sql.select import compile_select
from local.cosmos.sql.values import UNDEFINED


def evaluated(expression: str) -> Any:
    """The value of an expression that needs no item; UNDEFINED where there is none."""
    compiler = Compiler({"@p": {"a": [1, 2]}})
    select = compile_select(compiler, parse(f"SELECT VALUE {expression}"), {})
    found = select.results(compiler.environment())
    return found[0] if found else UNDEFINED


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CONTAINS('abc', 'B')", False),
        ("CONTAINS('abc', 'B', true)", True),
        ("CONTAINS(1, 'b')", UNDEFINED),
        ("STARTSWITH('abc', 'AB', true)", True),
        ("ENDSWITH('abc', 'bc')", True),
        ("STRINGEQUALS('abc', 'ABC', true)", True),
        ("REGEXMATCH('abcd', 'B.D', 'i')", True),
        ("REGEXMATCH('abcd', '[')", UNDEFINED),
        ("REGEXMATCH('abcd', 'a', 'q')", UNDEFINED),
        ("LOWER('ÄB')", "äb"),
        ("LENGTH('a🙂')", 3),
        ("LENGTH(null)", UNDEFINED),
        ("SUBSTRING('hello', 1, 3)", "ell"),
        ("SUBSTRING('a🙂b', 1, 2)", "🙂"),
        ("SUBSTRING('hello', -1, 2)", ""),
        ("LEFT('hello', 2)", "he"),
        ("RIGHT('hello', 2)", "lo"),
        ("right('hello', 9)", "hello"),
        ("INDEX_OF('hello', 'l')", 2),
        ("INDEX_OF('hello', 'l', 3)", 3),
        ("INDEX_OF('🙂x', 'x')", 2),
        ("INDEX_OF('hello', 'z')", -1),
        ("CONCAT('a', 'b', 'c')", "abc"),
        ("CONCAT('a', 1)", UNDEFINED),
        ("REPLACE('banana', 'an', '-')", "b--a"),
        ("REPLICATE('ab', 3)", "ababab"),
        ("REVERSE('abc')", "cba"),
        ("TRIM('  a ')", "a"),
        ("LTRIM('  a ')", "a "),
        ("RTRIM('xxa', 'a')", "xx"),
        ("STRINGSPLIT('a,b', ',')", ["a", "b"]),
        ("STRINGJOIN(['a', 'b'], '-')", "a-b"),
        ("TOSTRING(1.0)", "1"),
        ("TOSTRING([1, true])", "[1,true]"),
        ("STRINGTONUMBER('1.5')", 1.5),
        ("STRINGTONUMBER('x')", UNDEFINED),
        ("STRINGTOBOOLEAN('true')", True),
        ("STRINGTONULL('null')", None),
        ("STRINGTOARRAY('[1]')", [1]),
        ("STRINGTOOBJECT('[1]')", UNDEFINED),
        ("ARRAY_CONTAINS([1, 'a'], 1.0)", True),
        ("ARRAY_CONTAINS([1], true)", False),
        ("ARRAY_CONTAINS([{'a': 1, 'b': 2}], {'a': 1})", False),
        ("ARRAY_CONTAINS([{'a': 1, 'b': 2}], {'a': 1}, true)", True),
        ("ARRAY_CONTAINS([{'a': {'x': 1, 'y': 2}}], {'a': {'x': 1}}, true)", True),
        ("ARRAY_CONTAINS_ANY(['a', 'b'], 'x', 'b')", True),
        ("ARRAY_CONTAINS_ALL(['a', 'b'], 'a', 'x')", False),
        ("ARRAY_LENGTH(@p.a)", 2),
        ("ARRAY_CONCAT([1], [2], [3])", [1, 2, 3]),
        ("ARRAY_SLICE([1, 2, 3], 1)", [2, 3]),
        ("ARRAY_SLICE([1, 2, 3], -2, 1)", [2]),
        ("SETINTERSECT([1, 2, 2], [2, 3])", [2]),
        ("SETUNION([1, 2], [2, 3])", [1, 2, 3]),
        ("SETDIFFERENCE([1, 2, 1], [2])", [1]),
        ("OBJECTTOARRAY({'a': 1})", [{"k": "a", "v": 1}]),
        ("ABS(-2)", 2),
        ("FLOOR(-1.5)", -2),
        ("CEILING(1.2)", 2),
        ("TRUNC(-1.9)", -1),
        ("ROUND(2.5)", 3),
        ("ROUND(-2.5)", -3),
        ("ROUND(1.255, 1)", 1.3),
        ("POWER(2, 10)", 1024),
        ("SQRT(16)", 4),
        ("SQRT(-1)", UNDEFINED),
        ("LOG(0)", UNDEFINED),
        ("SIGN(-3)", -1),
        ("INTDIV(-7, 2)", -3),
        ("INTMOD(-7, 2)", -1),
        ("INTDIV(1, 0)", UNDEFINED),
        ("INTBITAND(6, 3)", 2),
        ("INTBITLEFTSHIFT(1, 63)", -(2**63)),
        ("INTADD(1.5, 1)", UNDEFINED),
        ("NUMBERBIN(37, 10)", 30),
        ("CHOOSE(2, 'a', 'b')", "b"),
        ("CHOOSE(3, 'a', 'b')", UNDEFINED),
        ("IIF(1 = 1, 'yes', 'no')", "yes"),
        ("IIF('x', 'yes', 'no')", "no"),
        ("IS_INTEGER(2.0)", True),
        ("IS_INTEGER(2.5)", False),
        ("DATETIMEADD('mm', 1, '2024-01-31T10:00:00.1234567Z')", "2024-02-29T10:00:00.1234567Z"),
        ("DATETIMEADD('day', -1, '2024-03-01T00:00:00Z')", "2024-02-29T00:00:00.0000000Z"),
        ("DATETIMEADD('hour', 1, 'yesterday')", UNDEFINED),
        ("DATETIMEDIFF('day', '2024-01-01T23:00:00Z', '2024-01-02T01:00:00Z')", 1),
        ("DATETIMEDIFF('year', '2023-12-31T23:00:00Z', '2024-01-01T01:00:00Z')", 1),
        ("DATETIMEPART('ms', '2024-01-01T00:00:00.1230000Z')", 123),
        ("DATETIMETOTIMESTAMP('1970-01-01T00:00:01Z')", 1000),
        ("TIMESTAMPTODATETIME(1000)", "1970-01-01T00:00:01.0000000Z"),
        ("TICKSTODATETIME(DATETIMETOTICKS('2024-05-06T07:08:09.1234567Z'))", "2024-05-06T07:08:09.1234567Z"),
        ("DATETIMEFROMPARTS(2024, 2, 29, 1, 2, 3, 4)", "2024-02-29T01:02:03.0000004Z"),
        ("DATETIMEFROMPARTS(2023, 2, 29)", UNDEFINED),
        ("DATETIMEBIN('2024-05-06T07:08:09Z', 'hh', 6, '2024-05-06T01:00:00Z')", "2024-05-06T07:00:00.0000000Z"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_function_answers_its_documentation(expression: str, expected: Any) -> None:
    value = evaluated(expression)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 / 2", 0.5),
        ("6 / 2", 3),
        ("1 / 0", UNDEFINED),
        ("-7 % 3", -1),
        ("5 & 6", 4),
        ("5 | 2", 7),
        ("~5", -6),
        ("-1 >>> 0", 4294967295),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("'a' || 'b' || 'c'", "abc"),
        ("1 = 1.0", True),
        ("true = 1", False),
        ("null = null", True),
        ("null < 1", UNDEFINED),
        ("null <= null", True),
        ("{'a': 1, 'b': [1]} = {'b': [1.0], 'a': 1}", True),
        ("[1] < [2]", UNDEFINED),
        ("NOT (1 < 'a')", UNDEFINED),
        ("undefined OR true", True),
        ("undefined AND false", False),
        ("undefined AND true", UNDEFINED),
        ("1 OR true", True),
        ("undefined ?? null ?? 5", None),
        ("1 = 1 ? 'a' : 'b'", "a"),
        ("'50%' LIKE '50!%' ESCAPE '!'", True),
        ("'500' LIKE '50!%' ESCAPE '!'", False),
        ("'b' LIKE '[a-c]'", True),
        ("'d' LIKE '[^a-c]'", True),
        ("'a.c' LIKE 'a.c'", True),
        ("'abc' LIKE 'a.c'", False),
        ("'ABC' LIKE 'abc'", False),
        ("(3 BETWEEN 1 AND 3) AND true", True),
        ("1 | 2 + 3", 6),
        ("1 + 2 | 4", 7),
        ("1 << 3", 8),
        ("'a' || 'b' = 'ab'", True),
        ('{a: 1, "b": 2}', {"a": 1, "b": 2}),
        ("'a' IN ('b', undefined)", UNDEFINED),
        ("'a' IN ('a', undefined)", True),
        ('"double \\"quoted\\" \\u00e9"', 'double "quoted" é'),
        ("'\\ud83d\\ude42'", "🙂"),
        ("1.5e3", 1500.0),
        ("[1, undefined, 2]", [1, 2]),
        ("{'a': undefined}", {}),
        ("@p.a[1]", 2),
        ("@p['a'][5]", UNDEFINED),
        ("(SELECT VALUE SUM(e) FROM e IN @p.a)", 3),
        ("ARRAY(SELECT VALUE e * 2 FROM e IN @p.a WHERE e > 1)", [4]),
        ("EXISTS(SELECT VALUE undefined FROM e IN @p.a)", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_operator_answers_its_documentation(expression: str, expected: Any) -> None:
    assert evaluated(expression) == expected
