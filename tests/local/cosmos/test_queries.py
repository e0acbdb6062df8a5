"""Queries within one partition key, and their pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

SEARCH = (
    "SELECT * FROM c WHERE c.kind = 'current' AND c.type = @type AND c.id > @after"
    " AND (IS_DEFINED(c.tx) OR (ARRAY_CONTAINS(c.s.code, @code)"
    " AND EXISTS(SELECT VALUE d FROM d IN c.s.date WHERE d.lo < @hi AND d.hi > @lo)))"
    " ORDER BY c.id OFFSET 0 LIMIT @count"
)


async def query(container: ContainerProxy, text: str, key: str | None = "p", **parameters: Any) -> list[Any]:
    sent = [{"name": f"@{name}", "value": value} for name, value in parameters.items()]
    scope: dict[str, Any] = {} if key is None else {"partition_key": key}
    return [row async for row in container.query_items(text, parameters=sent, **scope)]


async def fill(container: ContainerProxy, items: list[dict[str, Any]], key: str = "p") -> None:
    for start in range(0, len(items), 100):
        batch = [("create", ({"pk": key, **item},)) for item in items[start : start + 100]]
        await container.execute_item_batch(batch, key)


@pytest.fixture
async def people(container: ContainerProxy) -> ContainerProxy:
    await fill(
        container,
        [
            {"id": "1", "name": "Ada", "age": 36, "tags": ["math", "code"], "at": {"city": "London"}},
            {"id": "2", "name": "Bob", "age": 36, "tags": ["code"], "at": {"city": "Paris"}},
            {"id": "3", "name": "Cyd", "age": None, "tags": [], "at": {}},
            {"id": "4", "name": "Dee", "tags": "none", "at": "home"},
        ],
    )
    return container


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT VALUE c.name FROM c WHERE c.age = 36", ["Ada", "Bob"]),
        ("SELECT VALUE c.name FROM c WHERE c['age'] != 36", ["Cyd"]),
        ("SELECT VALUE c.name FROM c WHERE NOT IS_DEFINED(c.age)", ["Dee"]),
        ("SELECT VALUE c.name FROM c WHERE IS_NULL(c.age)", ["Cyd"]),
        ("SELECT VALUE c.name FROM c WHERE c.age", []),
        ("SELECT VALUE c.name FROM c WHERE ARRAY_CONTAINS(c.tags, 'code')", ["Ada", "Bob"]),
        ("SELECT VALUE c.name FROM c WHERE c.name IN ('Ada', 'Dee')", ["Ada", "Dee"]),
        ("SELECT VALUE c.name FROM c WHERE c.name NOT IN ('Ada', 'Dee')", ["Bob", "Cyd"]),
        ("SELECT VALUE c.name FROM c WHERE c.name BETWEEN 'B' AND 'D'", ["Bob", "Cyd"]),
        ("SELECT VALUE c.name FROM c WHERE (c.name BETWEEN 'B' AND 'D') AND c.id = '2'", ["Bob"]),
        ("SELECT VALUE c.name FROM c WHERE c.name LIKE '%d%'", ["Ada", "Cyd"]),
        ("SELECT VALUE c.name FROM c WHERE c.at.city = 'Paris' OR c.id = '3'", ["Bob", "Cyd"]),
        ("SELECT VALUE c.at.city FROM c", ["London", "Paris"]),
        ("SELECT c.name, c.age FROM c WHERE c.id IN ('2', '4')", [{"name": "Bob", "age": 36}, {"name": "Dee"}]),
        ("SELECT c.missing FROM c WHERE c.id = '1'", [{}]),
        ("SELECT c.name AS who, c.age + 1 FROM c WHERE c.id = '1'", [{"who": "Ada", "$1": 37}]),
        ("SELECT VALUE {'n': c.name, 'none': c.missing} FROM c WHERE c.id = '1'", [{"n": "Ada"}]),
        ("SELECT VALUE [c.name, c.age] FROM c WHERE c.id = '1'", [["Ada", 36]]),
        ("SELECT VALUE t FROM c JOIN t IN c.tags", ["math", "code", "code"]),
        ("SELECT c.name, t FROM c JOIN t IN c.tags WHERE t = 'math'", [{"name": "Ada", "t": "math"}]),
        ("SELECT VALUE t FROM t IN c.tags", ["math", "code", "code"]),
        ("SELECT DISTINCT VALUE c.age FROM c", [36, None]),
        ("SELECT DISTINCT VALUE c.age FROM c ORDER BY c.age DESC", [36, None]),
        ("SELECT TOP 2 VALUE c.name FROM c ORDER BY c.name DESC", ["Dee", "Cyd"]),
        ("SELECT VALUE c.name FROM c ORDER BY c.age", ["Dee", "Cyd", "Ada", "Bob"]),
        ("SELECT VALUE c.name FROM c ORDER BY c.id OFFSET 1 LIMIT 2", ["Bob", "Cyd"]),
        ("SELECT VALUE c.name FROM c ORDER BY c.id DESC OFFSET 1 LIMIT 2", ["Cyd", "Bob"]),
        ("SELECT VALUE COUNT(1) FROM c", [4]),
        ("SELECT COUNT(1) FROM c", [{"$1": 4}]),
        ("SELECT VALUE COUNT(c.age) FROM c", [3]),
        ("SELECT VALUE SUM(c.age) FROM c WHERE IS_NUMBER(c.age)", [72]),
        ("SELECT VALUE SUM(c.age) FROM c", []),
        ("SELECT VALUE AVG(c.age) FROM c WHERE c.age > 0", [36]),
        ("SELECT VALUE MIN(c.name) FROM c", ["Ada"]),
        ("SELECT MAX(c.age) AS oldest, COUNT(1) AS n FROM c", [{"oldest": 36, "n": 4}]),
        ("SELECT c.age, COUNT(1) AS n FROM c GROUP BY c.age", [{"n": 1}, {"age": None, "n": 1}, {"age": 36, "n": 2}]),
        ("SELECT VALUE COUNT(1) FROM c GROUP BY c.missing", [4]),
        ("SELECT VALUE c.at.city || '!' FROM c WHERE c.id = '1' GROUP BY c.at", ["London!"]),
        ("SELECT VALUE ARRAY(SELECT VALUE t || c.age FROM t IN ['a']) FROM c GROUP BY c.age", [[], [], []]),
        ("SELECT VALUE (SELECT VALUE COUNT(1) FROM t IN c.tags) FROM c", [2, 1, 0, 0]),
        ("SELECT VALUE (SELECT VALUE n + 1 FROM (SELECT VALUE COUNT(1) FROM t IN c.tags) AS n) FROM c", [3, 2, 1, 1]),
        ("SELECT VALUE (SELECT COUNT(1) AS n FROM t IN c.tags) FROM c WHERE c.id = '1'", [{"n": 2}]),
        ("SELECT VALUE (SELECT TOP 1 VALUE t FROM t IN c.tags) FROM c", ["math", "code"]),
        ("SELECT VALUE (SELECT VALUE c.at.city) FROM c", ["London", "Paris"]),
        ("SELECT VALUE ARRAY(SELECT VALUE UPPER(t) FROM t IN c.tags) FROM c WHERE c.id = '1'", [["MATH", "CODE"]]),
        ("SELECT VALUE c.age ?? 'unknown' FROM c", [36, 36, None, "unknown"]),
        ("SELECT VALUE c.age > 30 ? 'old' : 'other' FROM c", ["old", "old", "other", "other"]),
        ("SELECT VALUE c.name || '!' FROM c WHERE c.id = '1'", ["Ada!"]),
        ("SELECT VALUE x.name FROM root x WHERE x.id = '1'", ["Ada"]),
        ("select value C.name from C where C.id='1' -- names keep their case\n", ["Ada"]),
        ("SELECT VALUE 1", [1]),
        ("SELECT VALUE DOCUMENTID(c) = DOCUMENTID({'_rid': c._rid}) FROM c WHERE DOCUMENTID(c) > 0", [True] * 4),
        ("SELECT VALUE s.n FROM (SELECT c.name AS n FROM c WHERE c.age = 36) AS s", ["Ada", "Bob"]),
        ("SELECT VALUE t FROM c JOIN (SELECT VALUE u FROM u IN c.tags WHERE u != 'code') AS t", ["math"]),
        ("SELECT VALUE n FROM c JOIN (SELECT VALUE COUNT(1) FROM u IN c.tags) AS n", [2, 1, 0, 0]),
        ("SELECT VALUE COUNT(1) FROM (SELECT DISTINCT VALUE c.age FROM c) AS a", [2]),
        ("SELECT COUNT(1) AS n FROM (SELECT DISTINCT t FROM c JOIN t IN c.tags) AS s", [{"n": 2}]),
        ("SELECT VALUE g.n FROM (SELECT c.age, COUNT(1) AS n FROM c GROUP BY c.age) AS g WHERE g.age = 36", [2]),
        ("SELECT VALUE MAX(g.n) FROM (SELECT COUNT(1) AS n FROM c GROUP BY c.age) AS g", [2]),
        ("SELECT TOP 1 VALUE s FROM (SELECT TOP 2 VALUE c.name FROM c) AS s", ["Ada"]),
        ("SELECT VALUE n + 1 FROM (SELECT VALUE COUNT(1) FROM c WHERE IS_NUMBER(c.age)) AS n", [3]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_query_answers_what_the_service_documents(
    people: ContainerProxy, text: str, expected: list[Any]
) -> None:
    assert await query(people, text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT * FROM c WHERE", "Syntax error"),
        ("SELECT * FROM c WHERE c.a = 'x", "Syntax error"),
        ("SELECT * FROM c WHERE c.a === 1", "Syntax error"),
        ("SELEC * FROM c", "Syntax error"),
        ("SELECT * FROM c; DROP", "Syntax error"),
        ("SELECT * FROM c WHERE NO_SUCH(c.a)", "NO_SUCH"),
        ("SELECT * FROM c WHERE ST_DISTANCE(c.a, c.b) < 1", "ST_DISTANCE is not in this server"),
        ("SELECT * FROM c WHERE FullTextContains(c.a, 'x')", "FULLTEXTCONTAINS is not in this server"),
        ("SELECT VALUE DateTimeFormat('2024-10-10', 'dddd')", "'dddd' of DATETIMEFORMAT is not in this server"),
        ("SELECT VALUE Now(1)", "NOW function"),
        ("SELECT * FROM c WHERE d.a = 1", "'d' could not be resolved"),
        ("SELECT * FROM c WHERE c.a = @x", "@x"),
        ("SELECT * FROM c WHERE LENGTH(c.a, 1) = 1", "LENGTH"),
        ("SELECT * FROM c WHERE udf.f(c.a)", "User-defined"),
        ("SELECT * FROM c WHERE COUNT(1) > 1", "COUNT"),
        ("SELECT * FROM c JOIN t IN c.tags", "SELECT \\*"),
        ("SELECT c.a, c.b AS a FROM c", "used twice"),
        ("SELECT c.a, COUNT(1) AS n FROM c", "'c.a' .* neither aggregated nor grouped"),
        ("SELECT c.a, c.b.d[0], COUNT(1) AS n FROM c GROUP BY c.a", r"'c.b.d\[0\]' .* neither aggregated nor grouped"),
        ("SELECT c.a, UPPER(c.b) AS b FROM c GROUP BY c.a", "'c.b' .* neither aggregated nor grouped"),
        ("SELECT c, COUNT(1) AS n FROM c GROUP BY c.a", "'c' .* neither aggregated nor grouped"),
        ("SELECT VALUE ARRAY(SELECT VALUE t FROM t IN c.tags) FROM c GROUP BY c.a", "'c' could not be resolved"),
        ("SELECT VALUE d.a FROM c GROUP BY c.a", "'d' could not be resolved"),
        ("SELECT * FROM c WHERE NOT c.a = 1", "parentheses"),
        ("SELECT * FROM c WHERE c.a BETWEEN 1 AND 2 AND c.b = 1", "BETWEEN beside AND"),
        ("SELECT * FROM c WHERE c.b = 1 OR c.a BETWEEN 1 AND 2 OR (c.d = 1)", "BETWEEN beside AND"),
        ("SELECT c.value FROM c", "near 'value'"),
        ("SELECT VALUE s FROM (SELECT DISTINCT VALUE c.a FROM c ORDER BY c.a) AS s", "not supported in subqueries"),
        ("SELECT VALUE s.a FROM (SELECT DISTINCT c.a FROM c) AS s ORDER BY s.a", "could not be mapped"),
        ("SELECT VALUE d FROM (SELECT DISTINCT VALUE c.a FROM c) AS s", "'d' could not be resolved"),
        ("SELECT c.a AS order FROM c", "near 'order'"),
        ("SELECT * FROM c WHERE c.ä = 1", "Syntax error"),
        ("SELECT * FROM c WHERE c.a = 007", "Syntax error"),
        ("SELECT * FROM c WHERE c.a = .5", "Syntax error"),
        ("SELECT VALUE 1e400", "near '1e400'"),
        ("SELECT VALUE GetCurrentTicksStatic(1)", "takes no argument"),
        (f"SELECT VALUE {'9' * 400}", "Syntax error"),
        ("SELECT TOP -1 * FROM c", "Syntax error"),
        ("SELECT VALUE t FROM c JOIN t IN c.tags ORDER BY t", "could not be mapped to a document path"),
        ("SELECT * FROM c ORDER BY c.a + 1", "could not be mapped to a document path"),
        ("SELECT * FROM c ORDER BY c.a, c.b", "does not have a corresponding composite index"),
        ("SELECT VALUE ARRAY(SELECT VALUE t FROM t IN c.tags ORDER BY t) FROM c", "not supported in subqueries"),
        ("SELECT VALUE ARRAY(SELECT VALUE t FROM t IN c.tags OFFSET 0 LIMIT 1) FROM c", "not supported in subqueries"),
        ("SELECT c.a, COUNT(1) AS n FROM c GROUP BY c.a ORDER BY c.a", "together with GROUP BY"),
        ("SELECT * FROM c ORDER BY c.a OFFSET 'x' LIMIT 1", "whole number"),
        ("SELECT VALUE (SELECT VALUE x FROM x IN [3, 1, 2])", "cardinality of a scalar subquery"),
        ("SELECT * FROM c WHERE (SELECT VALUE t FROM t IN c.tags WHERE t = 'x') = 'x'", "cardinality"),
        ("SELECT VALUE (SELECT VALUE COUNT(1) FROM t IN c.tags GROUP BY t) FROM c", "cardinality"),
        ("SELECT VALUE (SELECT VALUE s FROM (SELECT VALUE t FROM t IN c.tags) AS s) FROM c", "cardinality"),
    ],
    ids=lambda value: value,
)
async def test_what_cannot_be_run_is_refused_with_the_reason(people: ContainerProxy, text: str, reason: str) -> None:
    with pytest.raises(CosmosHttpResponseError, match=reason) as raised:
        await query(people, text)
    assert raised.value.status_code == 400


async def test_a_search_of_one_person_finds_in_order_and_from_a_point_on(container: ContainerProxy) -> None:
    def observation(number: int, code: str, lo: str, **more: Any) -> dict[str, Any]:
        return {
            "id": f"Observation:{number:03}",
            "kind": "current",
            "type": "Observation",
            "s": {"code": [code], "date": [{"lo": lo, "hi": lo + "~"}]},
            **more,
        }

    await fill(
        container,
        [
            *[observation(n, "a" if n % 2 else "b", f"2024-{n % 12 + 1:02}") for n in range(120)],
            observation(200, "none", "1999", tx="t1"),
            {"id": "Observation:005:1", "kind": "past", "type": "Observation"},
        ],
    )
    parameters = {"type": "Observation", "code": "a", "lo": "2024-04", "hi": "2024-06~", "count": 7}
    first = await query(container, SEARCH, after="", **parameters)
    assert [row["id"] for row in first] == [f"Observation:{n:03}" for n in (3, 5, 15, 17, 27, 29, 39)]
    found, after = [row["id"] for row in first], first[-1]["id"]
    while page := await query(container, SEARCH, after=after, **parameters):
        found += [row["id"] for row in page]
        after = page[-1]["id"]
    assert found == [*[f"Observation:{n:03}" for n in range(120) if n % 12 in (3, 5)], "Observation:200"]


@pytest.mark.parametrize("order", ["", " ORDER BY c.id", " ORDER BY c.id DESC", " ORDER BY c.n", " ORDER BY c.n DESC"])
async def test_pages_miss_and_repeat_nothing_that_was_there_all_the_time(container: ContainerProxy, order: str) -> None:
    await fill(container, [{"id": f"{n:03}", "n": n % 7, "stays": True} for n in range(0, 200, 2)])
    pages = container.query_items(
        f"SELECT * FROM c WHERE c.stays{order}", partition_key="p", max_item_count=9
    ).by_page()
    seen: list[str] = []
    token: str | None = None
    number = 0
    while True:
        pages = container.query_items(
            f"SELECT * FROM c WHERE c.stays{order}", partition_key="p", max_item_count=9
        ).by_page(token)
        async for page in pages:
            seen += [row["id"] async for row in page]
            token = pages.continuation_token
            break
        number += 1
        # What comes and goes between two pages moves nothing else.
        await container.create_item({"id": f"{(number * 37) % 200 | 1:03}-{number}", "pk": "p", "n": number % 7})
        if not token:
            break
    assert len(seen) == 100
    assert len(set(seen)) == 100
    if order == " ORDER BY c.id":
        assert seen == sorted(seen)
    if order == " ORDER BY c.id DESC":
        assert seen == sorted(seen, reverse=True)


async def test_offset_and_limit_hold_over_pages(container: ContainerProxy) -> None:
    await fill(container, [{"id": f"{n:03}", "n": -n} for n in range(50)])
    for order, expected in (("c.id", range(5, 35)), ("c.n", range(44, 14, -1))):
        pages = container.query_items(
            f"SELECT VALUE c.id FROM c ORDER BY {order} OFFSET 5 LIMIT 30", partition_key="p", max_item_count=8
        ).by_page()
        assert [row async for page in pages async for row in page] == [f"{n:03}" for n in expected]


async def test_rows_of_a_join_and_distinct_values_and_groups_hold_over_pages(container: ContainerProxy) -> None:
    await fill(container, [{"id": f"{n:02}", "list": list(range(n))} for n in range(12)])
    for text, expected in (
        ("SELECT VALUE e FROM c JOIN e IN c.list", sorted(e for n in range(12) for e in range(n))),
        ("SELECT DISTINCT VALUE e FROM c JOIN e IN c.list", list(range(11))),
        (
            "SELECT VALUE {'e': e, 'n': COUNT(1)} FROM c JOIN e IN c.list GROUP BY e",
            [{"e": e, "n": 11 - e} for e in range(11)],
        ),
    ):
        pages = container.query_items(text, partition_key="p", max_item_count=4).by_page()
        found = [row async for page in pages async for row in page]
        assert (sorted(found) if "DISTINCT" not in text and "GROUP" not in text else found) == expected


@pytest.mark.parametrize("others", [0, 4000], ids=["small partition", "large partition"])
async def test_a_page_is_of_one_state_whatever_is_written_meanwhile(container: ContainerProxy, others: int) -> None:
    await fill(container, [{"id": f"other-{n:05}", "text": "x" * 200} for n in range(others)])
    await fill(container, [{"id": "1", "units": 50}, {"id": "~", "units": 50}])
    done = asyncio.Event()

    async def move() -> None:
        for step in range(60):
            units = 50 + step % 7
            await container.execute_item_batch(
                [
                    ("upsert", ({"id": "1", "pk": "p", "units": units},)),
                    ("upsert", ({"id": "~", "pk": "p", "units": 100 - units},)),
                ],
                "p",
            )
        done.set()

    moving = asyncio.create_task(move())
    seen = []
    while not done.is_set():
        seen += await query(container, "SELECT VALUE SUM(c.units) FROM c")
        pages = container.query_items(
            "SELECT VALUE c.units FROM c WHERE IS_DEFINED(c.units)", partition_key="p"
        ).by_page()
        seen.append(sum([units async for page in pages async for units in page]))
    await moving
    assert set(seen) == {100}


async def test_a_token_of_another_query_or_none_at_all_is_refused(container: ContainerProxy) -> None:
    await fill(container, [{"id": f"{n}"} for n in range(5)])
    pages = container.query_items("SELECT * FROM c", partition_key="p", max_item_count=2).by_page()
    await anext(pages)
    for token in (pages.continuation_token, "bm9uc2Vuc2U=", "?"):
        with pytest.raises(CosmosHttpResponseError, match="continuation token is invalid"):
            await anext(container.query_items("SELECT c.id FROM c", partition_key="p", max_item_count=2).by_page(token))


async def test_a_query_of_one_key_sees_nothing_of_another(container: ContainerProxy) -> None:
    await fill(container, [{"id": "a"}], "p")
    await fill(container, [{"id": "a"}, {"id": "b"}], "q")
    assert len(await query(container, "SELECT * FROM c", "p")) == 1
    assert len(await query(container, "SELECT * FROM c WHERE c.pk = 'q'", "p")) == 0


async def test_order_by_several_paths_follows_a_composite_index(
    make_container: Callable[..., Awaitable[ContainerProxy]],
) -> None:
    index = [{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "descending"}]
    policy = {"includedPaths": [{"path": "/*"}], "excludedPaths": [{"path": "/no/*"}], "compositeIndexes": [index]}
    container = await make_container(indexing_policy=policy)
    await fill(container, [{"id": f"{a}{b}", "a": a, "b": b} for a in (1, 2) for b in (1, 2)])
    ordered = "SELECT VALUE c.id FROM c ORDER BY "
    assert await query(container, ordered + "c.a, c.b DESC") == ["12", "11", "22", "21"]
    assert await query(container, ordered + "c.a DESC, c.b ASC") == ["21", "22", "11", "12"]
    for refused in ("c.a, c.b", "c.b DESC, c.a", "c.a, c.b DESC, c.id"):
        with pytest.raises(CosmosHttpResponseError, match="composite index"):
            await query(container, ordered + refused)
    with pytest.raises(CosmosHttpResponseError, match="excluded"):
        await query(container, ordered + "c.no.thing")


@pytest.mark.parametrize("kind", ["DateTime", "Timestamp", "Ticks"])
async def test_a_static_time_is_the_same_in_all_rows(container: ContainerProxy, kind: str) -> None:
    await fill(container, [{"id": f"{n:03}"} for n in range(300)])
    static = f"GetCurrent{kind}Static()"
    rows = await query(container, f"SELECT {static} AS begun, GetCurrent{kind}() AS now FROM c")
    assert len({row["begun"] for row in rows}) == 1
    assert all(row["begun"] <= row["now"] for row in rows)
    staged = f"SELECT VALUE {{'inner': x, 'outer': {static}}} FROM (SELECT DISTINCT VALUE {static} FROM c) AS x"
    (row,) = await query(container, staged)
    assert row["inner"] == row["outer"]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM c WHERE REGEXMATCH(c.s, '^(a|aa)+$')",
        "SELECT VALUE REGEXMATCH('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '^(a|aa)+$')",
        "SELECT VALUE COUNT(1) FROM (SELECT DISTINCT VALUE c.s FROM c) AS s WHERE REGEXMATCH(s, '^(a|aa)+$')",
    ],
)
async def test_a_pattern_that_takes_too_long_stops_nobody_else(container: ContainerProxy, text: str) -> None:
    await fill(container, [{"id": "1", "s": "a" * 60 + "!"}, {"id": "2"}])
    slow = asyncio.create_task(query(container, text))
    waits = []
    while not slow.done():
        began = time.monotonic()
        await container.read_item("2", "p")
        waits.append(time.monotonic() - began)
    with pytest.raises(CosmosHttpResponseError, match="REGEXMATCH gave up") as raised:
        await slow
    assert raised.value.status_code == 400
    assert len(waits) > 5
    assert max(waits) < 0.25


async def test_query_metrics_come_when_asked_for(container: ContainerProxy) -> None:
    await fill(container, [{"id": f"{n}"} for n in range(5)])
    headers: dict[str, str] = {}
    found = container.query_items(
        "SELECT * FROM c WHERE c.id > '2'",
        partition_key="p",
        populate_query_metrics=True,
        response_hook=lambda answered, _: headers.update(answered),
    )
    assert len([row async for row in found]) == 2
    assert "retrievedDocumentCount=2" in headers["x-ms-documentdb-query-metrics"]
    assert float(headers["x-ms-request-charge"]) > 2
