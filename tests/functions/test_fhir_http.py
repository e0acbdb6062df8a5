"""The HTTP door: what it reads out of a request, and what it makes of whatever is raised behind it."""

from __future__ import annotations

import inspect
import json
import logging
from typing import Any

import azure.functions as func
import pytest

from functions.fhir_http import (
    Answer,
    body_of,
    failure,
    fhir_http,
    http_date,
    is_one_of,
    query_of,
    require_json_accepted,
    require_method,
    resource_of,
)
from shared_code import errors

SECRET = "Anna Peeters, born 1984"


def request(method: str = "GET", url: str = "/api/fhir/Patient", body: bytes = b"", **headers: str) -> func.HttpRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return func.HttpRequest(method, url, headers=named, body=body)


async def answered(raised: Exception | Answer, method: str = "GET", **headers: str) -> func.HttpResponse:
    @fhir_http
    async def interaction(req: func.HttpRequest) -> Answer:
        """What the app does."""
        if isinstance(raised, Exception):
            raise raised
        return raised

    return await interaction(request(method, **headers))


async def test_a_page_in_a_browser_may_read_what_it_needs_of_an_answer() -> None:
    assert "Access-Control-Expose-Headers" not in (await answered(Answer(200))).headers
    exposed = (await answered(Answer(200), origin="https://app.example.org")).headers["Access-Control-Expose-Headers"]
    assert {"ETag", "Location", "Last-Modified"} <= set(exposed.split(", "))


async def test_what_is_raised_is_answered_with_its_status_and_an_outcome() -> None:
    answer = await answered(errors.Invalid("'status' is required", "Observation.status"))
    assert answer.status_code == 422
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "application/fhir+json; charset=utf-8"
    assert json.loads(answer.get_body())["issue"][0]["expression"] == ["Observation.status"]


async def test_a_bug_answers_500_without_a_word_of_it_and_its_trace_goes_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = await answered(KeyError(SECRET))
    assert answer.status_code == 500
    assert json.loads(answer.get_body())["issue"][0]["code"] == "exception"
    assert SECRET.encode() not in answer.get_body()
    assert "Traceback" in caplog.text


async def test_one_line_is_logged_for_a_request_and_nothing_of_its_content(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await answered(errors.Malformed(SECRET))
    (line,) = [json.loads(record.message) for record in caplog.records]
    assert line.pop("ms") >= 0
    assert line == {"operation": "interaction", "outcome": "refused", "method": "GET", "status": 400}
    assert SECRET not in caplog.text


async def test_a_method_of_the_callers_making_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await answered(errors.Malformed("x"), "ANNA")
    assert json.loads(caplog.records[-1].message)["method"] == "other"
    assert "ANNA" not in caplog.text


async def test_the_worker_finds_the_parameter_and_the_answer_that_it_looks_for() -> None:
    @fhir_http
    async def interaction(req: func.HttpRequest) -> Answer:
        """What the app does."""
        return Answer(204)

    assert interaction.__name__ == "interaction"
    assert interaction.__doc__ == "What the app does."
    assert list(inspect.signature(interaction).parameters) == ["req"]
    assert inspect.signature(interaction).return_annotation in (func.HttpResponse, "func.HttpResponse")


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (errors.Unauthorized("x"), "WWW-Authenticate", 'Bearer realm="health-portal"'),
        (errors.MethodNotAllowed("x", ("GET", "PUT")), "Allow", "GET, PUT"),
        (errors.Busy("x", 7), "Retry-After", "7"),
        (errors.Throttled("x"), "Retry-After", "1"),
    ],
)
def test_a_failure_has_the_header_that_goes_with_it(error: errors.PortalError, name: str, value: str) -> None:
    assert failure(error).headers[name] == value


@pytest.mark.parametrize(
    "accept",
    [
        "",
        " , ",
        "*/*",
        "application/json",
        "text/html;q=0.9, application/*",
        "application/fhir+json;q=1",
        "application/fhir+json;q=0.001",
        "application/json;q=0, */*",
        "application/fhir+json;q=0, application/json",
        "*/*;q=0, application/*;q=0.1",
        "Application/FHIR+JSON; fhirVersion=4.0",
        'application/fhir+json;fhirVersion="4.0"',
        "application/fhir+json;fhirVersion=3.0, application/fhir+json;fhirVersion=4.0;q=0.5",
    ],
)
def test_json_is_accepted(accept: str) -> None:
    require_json_accepted(request(accept=accept))


@pytest.mark.parametrize(
    "accept",
    [
        "application/fhir+xml",
        "text/html",
        "image/*, application/xml",
        "application/fhir+json;q=0",
        "*/*;q=0",
        "*/*; Q=0.000",
        "application/fhir+xml;q=0.9,*/*;q=0",
        "application/fhir+json;q=0, */*",
        "application/*;q=0, */*",
        "application/fhir+json;fhirVersion=3.0",
        "application/fhir+json; fhirVersion=5.0, text/html",
        "*/*;fhirVersion=4.3",
    ],
)
def test_other_formats_are_not_given(accept: str) -> None:
    with pytest.raises(errors.NotAcceptable):
        require_json_accepted(request(accept=accept))


@pytest.mark.parametrize(
    "wanted",
    [
        "json",
        "application/fhir%2Bjson",
        "application/fhir+json",
        "application/json;x=y",
        "application/fhir%2Bjson;%20fhirVersion=4.0",
    ],
)
def test_the_format_parameter_counts_more_than_the_header(wanted: str) -> None:
    require_json_accepted(request(url=f"/x?_format={wanted}", accept="text/html"))
    for refused in ("xml", "application/fhir%2Bjson;fhirVersion=3.0"):
        with pytest.raises(errors.NotAcceptable):
            require_json_accepted(request(url=f"/x?_format={refused}", accept="application/json"))


def test_query_parameters_keep_their_order_and_repeats() -> None:
    assert query_of(request(url="/x?date=ge1&date=lt2&code=a%7Cb&flag=")) == [
        ("date", "ge1"),
        ("date", "lt2"),
        ("code", "a|b"),
        ("flag", ""),
    ]


JSON: dict[str, Any] = {"content_type": "application/fhir+json; charset=utf-8"}


def test_a_body_is_read_as_a_resource() -> None:
    assert resource_of(request(body=b'{"resourceType":"Patient"}', **JSON)) == {"resourceType": "Patient"}


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (b"{}", {}, errors.UnsupportedMediaType),
        (b"{}", {"content_type": "text/plain"}, errors.UnsupportedMediaType),
        (b"", JSON, errors.Malformed),
        (b"[]", JSON, errors.Malformed),
        (b"{", JSON, errors.Malformed),
        (b"{}" + b" " * 20, JSON, errors.TooLarge),
    ],
    ids=["no type", "text", "nothing", "a list", "half", "too much"],
)
def test_a_body_that_is_no_resource_is_refused(
    body: bytes, headers: dict[str, str], error: type[errors.PortalError]
) -> None:
    with pytest.raises(error):
        resource_of(request("POST", body=body, **headers), max_bytes=10)


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ("charset=iso-8859-1", "iso-8859-1"),
        ('Charset="UTF-16"', "utf-16"),
        ("fhirVersion=3.0", "3.0"),
        ("charset=utf-8; fhirVersion=5.0", "5.0"),
    ],
)
def test_a_body_of_another_charset_or_fhir_version_is_refused_with_its_name(parameters: str, named: str) -> None:
    with pytest.raises(errors.UnsupportedMediaType, match=named):
        body_of(request("POST", body='"é"'.encode(), content_type=f"application/fhir+json; {parameters}"), 10)


@pytest.mark.parametrize(
    "parameters",
    ["charset=US-ASCII", 'charset="utf-8";fhirVersion=4.0', "charset=ISO-8859-1", "fhirVersion=4.0.1", "x=y", ""],
)
def test_a_body_in_utf_8_and_of_r4_is_read(parameters: str) -> None:
    assert body_of(request("POST", body=b"{}", content_type=f"application/fhir+json;{parameters}"), 10) == b"{}"


def test_a_body_within_the_limit_is_given_as_it_is() -> None:
    assert body_of(request("POST", body=b"{ }", **JSON), 3) == b"{ }"


@pytest.mark.parametrize(
    ("header", "named"),
    [('W/"3"', True), ('"3"', True), ("*", True), ('W/"2", W/"3"', True), ('W/"33"', False), ("", False), ("3", False)],
)
def test_if_none_match_names_a_version(header: str, named: bool) -> None:
    assert is_one_of('W/"3"', header) is named


def test_a_method_that_a_route_has_not_is_refused_with_those_it_has() -> None:
    require_method(request("GET"), ("GET",))
    with pytest.raises(errors.MethodNotAllowed) as refusal:
        require_method(request("PUT"), ("GET", "HEAD"))
    assert refusal.value.allowed == ("GET", "HEAD")


def test_an_instant_is_written_as_http_does() -> None:
    assert http_date("2026-03-01T08:00:05.123Z") == "Sun, 01 Mar 2026 08:00:05 GMT"
