"""What a function app may rely on over HTTP, whichever host runs it.

`dev.py test --host URL` asks another host that runs `contract_app/`; FUNCTIONS_HOST_KEY then has its master key.
"""

from __future__ import annotations

import os
import re

import httpx
import pytest

MASTER = os.environ.get("FUNCTIONS_HOST_KEY", "the-master-key")


def test_a_route_is_found_without_case_below_the_prefix(contract: httpx.Client) -> None:
    told = contract.get("/API/Echo/A/b").json()
    assert told["route"] == {"First": "A", "second": "b"}


def test_a_function_without_a_route_has_its_name_for_a_route(contract: httpx.Client) -> None:
    assert contract.get("/api/named_by_function").status_code == 200


@pytest.mark.parametrize("path", ["/echo/a", "/api", "/api/nowhere", "/api/echo", "/api/echo/a/b/c"])
def test_a_path_of_no_function_is_an_empty_404(contract: httpx.Client, path: str) -> None:
    answer = contract.get(path)
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("method", ["DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_a_method_that_is_not_listed_is_an_empty_404(contract: httpx.Client, method: str) -> None:
    answer = contract.request(method, "/api/echo/a")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "OPTIONS"])
def test_a_function_without_methods_takes_any(contract: httpx.Client, method: str) -> None:
    assert contract.request(method, "/api/any-method").json()["method"] == method


def test_one_route_may_have_two_functions_of_different_methods(contract: httpx.Client) -> None:
    assert (contract.get("/api/get").text, contract.post("/api/get").text) == ("got", "posted")


def test_the_function_whose_name_comes_first_wins_however_general_its_route_is(contract: httpx.Client) -> None:
    assert contract.get("/api/precedence/exact").text == "general"


def test_one_slash_at_the_end_is_ignored(contract: httpx.Client) -> None:
    assert contract.get("/api/echo/a/").json()["route"] == {"First": "a"}


def test_an_optional_parameter_that_is_not_there_is_absent(contract: httpx.Client) -> None:
    assert contract.get("/api/echo/a").json()["route"] == {"First": "a"}


def test_a_catch_all_takes_the_rest_of_the_path(contract: httpx.Client) -> None:
    assert contract.get("/api/rest/a/b.txt").json()["route"] == {"path": "a/b.txt"}
    assert contract.get("/api/rest").json()["route"] == {}


def test_a_default_stands_for_a_missing_segment(contract: httpx.Client) -> None:
    assert contract.get("/api/page").json()["route"] == {"number": "1"}
    assert contract.get("/api/page/7").json()["route"] == {"number": "7"}


def test_a_failed_constraint_is_no_match(contract: httpx.Client) -> None:
    assert contract.get("/api/int/12").json()["route"] == {"number": "12"}
    assert contract.get("/api/int/twelve").status_code == 404


def test_a_regex_constraint_ignores_case(contract: httpx.Client) -> None:
    assert contract.get("/api/typed/pATIENT").status_code == 200
    assert contract.get("/api/typed/$export").status_code == 404


def test_route_values_are_decoded_but_for_an_encoded_slash(contract: httpx.Client) -> None:
    assert contract.get("/api/echo/a%20b%7Cc/x%2Fy").json()["route"] == {"First": "a b|c", "second": "x%2Fy"}


def test_the_query_joins_repeats_and_leaves_out_what_is_empty(contract: httpx.Client) -> None:
    told = contract.get("/api/echo/a?x=1&y=&x=2&z=a%20b+c").json()
    assert told["query"] == {"x": "1,2", "z": "a b c"}


def test_headers_arrive_in_lower_case_with_repeats_joined(contract: httpx.Client) -> None:
    told = contract.get("/api/echo/a", headers=[("X-Many", "1"), ("X-Many", "2")]).json()
    assert told["headers"]["x-many"].replace(" ", "") == "1,2"


def test_the_url_is_the_one_that_was_called(contract: httpx.Client, contract_host: str) -> None:
    assert contract.get("/api/echo/a%20b?q=1").json()["url"] == f"{contract_host}/api/echo/a%20b?q=1"


def test_a_body_arrives_as_it_was_sent(contract: httpx.Client) -> None:
    assert contract.post("/api/echo/a", content="héllo".encode()).json()["body"] == "héllo"


def test_a_body_in_chunks_does_not_arrive(contract: httpx.Client) -> None:
    answer = contract.post("/api/echo/a", content=iter([b"one", b"two"]))
    assert (answer.status_code, answer.json()["body"]) == (200, "")


@pytest.mark.parametrize("path", ["fails", "exits", "exits-in-thread", "nothing", "header/é"])
def test_a_function_that_fails_is_an_empty_500(contract: httpx.Client, path: str) -> None:
    answer = contract.get(f"/api/{path}")
    assert (answer.status_code, answer.content) == (500, b"")
    assert contract.get("/api/get").status_code == 200  # and the host goes on


def test_status_and_headers_are_the_functions(contract: httpx.Client) -> None:
    answer = contract.get("/api/status/200")
    assert (answer.status_code, answer.headers["x-own"], answer.text) == (200, "yes", "body")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("code", [204, 304, 404, 503])
def test_an_answer_may_be_without_a_body(contract: httpx.Client, code: int) -> None:
    answer = contract.get(f"/api/status/{code}")
    assert (answer.status_code, answer.content) == (code, b"")


def test_an_answer_to_head_has_no_body(contract: httpx.Client) -> None:
    answer = contract.head("/api/status/200")
    assert (answer.status_code, answer.content, answer.headers["x-own"]) == (200, b"", "yes")


def test_of_repeated_response_headers_the_last_survives_but_every_cookie_does(contract: httpx.Client) -> None:
    answer = contract.get("/api/repeated")
    assert answer.headers.get_list("x-twice") == ["two"]
    first, second = answer.headers.get_list("set-cookie")
    assert first.startswith("a=1%202; max-age=60; path=/; secure; samesite=strict; httponly")
    assert second == "b=x; domain=example.org; path=/api"


def test_a_returned_text_is_an_answer(contract: httpx.Client) -> None:
    assert contract.get("/api/text/plain").text == "just text"


def test_a_returned_text_of_json_is_written_anew(contract: httpx.Client) -> None:
    answer = contract.get("/api/text/json")
    assert answer.json() == {"a": 1, "b": [2]}
    assert answer.text != '{"a":  1, "b": [2]}'
    assert answer.headers["content-type"].startswith("application/json")


def test_a_returned_text_with_a_body_member_is_a_whole_answer(contract: httpx.Client) -> None:
    answer = contract.get("/api/text/whole")
    assert (answer.status_code, answer.headers["x-own"], answer.text) == (202, "yes", "taken")


def test_a_sync_function_has_a_context(contract: httpx.Client) -> None:
    assert re.fullmatch("in_thread [0-9a-f-]{36}", contract.get("/api/in-thread").text)


def test_custom_headers_stand_on_every_answer_of_a_function(contract: httpx.Client) -> None:
    assert contract.get("/api/get").headers["x-content-type-options"] == "nosniff"


def test_the_trace_of_the_caller_is_continued(contract: httpx.Client) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    told = contract.get("/api/trace", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"}).text
    assert re.fullmatch(f"00-{trace}-[0-9a-f]{{16}}-01", told)


def test_a_function_that_is_switched_off_is_not_found(contract: httpx.Client) -> None:
    assert contract.get("/api/switched-off").status_code == 404


def test_without_a_key_or_with_a_wrong_one_it_is_an_empty_401(contract: httpx.Client) -> None:
    for headers in ({}, {"x-functions-key": "wrong"}):
        answer = contract.get("/api/with-function-key", headers=headers)
        assert (answer.status_code, answer.content) == (401, b"")


def test_the_master_key_opens_everything(contract: httpx.Client) -> None:
    for path in ("with-function-key", "with-admin-key"):
        assert contract.get(f"/api/{path}", headers={"x-functions-key": MASTER}).text == "open"
    assert contract.get(f"/api/with-admin-key?code={MASTER}").text == "open"


def test_anonymous_functions_ignore_keys(contract: httpx.Client) -> None:
    assert contract.get("/api/get", headers={"x-functions-key": "wrong"}).status_code == 200


def test_the_root_has_a_page(contract: httpx.Client) -> None:
    assert contract.get("/").status_code == 200


def test_admin_routes_want_the_master_key_but_for_ping(contract: httpx.Client) -> None:
    assert contract.get("/admin/host/ping").status_code == 200
    assert contract.get("/admin/host/status").status_code == 401
    assert contract.get("/admin/functions", headers={"x-functions-key": "the-host-key"}).status_code == 401


def test_admin_tells_the_state_and_the_functions(contract: httpx.Client) -> None:
    headers = {"x-functions-key": MASTER}
    assert contract.get("/admin/host/status", headers=headers).json()["state"] == "Running"
    names = {function["name"] for function in contract.get("/admin/functions", headers=headers).json()}
    assert {"echo", "typed", "switched_off"} <= names
    assert contract.get("/admin/functions/echo", headers=headers).json()["name"] == "echo"
    assert contract.get("/admin/functions/none", headers=headers).status_code == 404
