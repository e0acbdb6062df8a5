"""Route templates: what matches, what the parameters are, and what is no template."""

from __future__ import annotations

import pytest

from local.host.errors import StartError
from local.host.routes import Route


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("api/health", "/api/health", {}),
        ("api/health", "/API/Health/", {}),
        ("api/health", "/api/health//", None),
        ("api/health", "/api/healthy", None),
        ("", "/", {}),
        ("api/{a}/{b?}", "/api/x", {"a": "x"}),
        ("api/{a}/{b?}", "/api/x/y", {"a": "x", "b": "y"}),
        ("api/{a}/{b?}", "/api", None),
        ("api/{a=1}/{b=2}", "/api", {"a": "1", "b": "2"}),
        ("api/{a=1}/{b=2}", "/api/9", {"a": "9", "b": "2"}),
        ("api/{*rest}", "/api", {}),
        ("api/{*rest}", "/api/x/y/z", {"rest": "x/y/z"}),
        ("api/{**rest}", "/api/x/y", {"rest": "x/y"}),
        ("api/{name}.{ext}", "/api/a.b.c", {"name": "a.b", "ext": "c"}),
        ("api/${op}", "/api/$export", {"op": "export"}),
        ("api/{{a}}", "/api/{a}", {}),
        ("api/{id:int}", "/api/-12", {"id": "-12"}),
        ("api/{id:int}", "/api/2147483648", None),
        ("api/{id:long}", "/api/2147483648", {"id": "2147483648"}),
        ("api/{id:int?}", "/api", {}),
        ("api/{id:int?}", "/api/x", None),
        ("api/{id:int=5}", "/api", {"id": "5"}),
        ("api/{id:guid}", "/api/0F8FAD5B-D9CB-469F-A165-70867728950E", {"id": "0F8FAD5B-D9CB-469F-A165-70867728950E"}),
        ("api/{id:guid}", "/api/0f8fad5b", None),
        ("api/{b:bool}", "/api/TRUE", {"b": "TRUE"}),
        ("api/{b:bool}", "/api/1", None),
        ("api/{d:decimal}", "/api/1.5", {"d": "1.5"}),
        ("api/{d:double}", "/api/nan", None),
        ("api/{d:datetime}", "/api/2026-01-31T10:00:00", {"d": "2026-01-31T10:00:00"}),
        ("api/{d:datetime}", "/api/2026-13-31", None),
        ("api/{s:alpha}", "/api/aBc", {"s": "aBc"}),
        ("api/{s:alpha}", "/api/a1", None),
        ("api/{s:length(3)}", "/api/abc", {"s": "abc"}),
        ("api/{s:length(2,3)}", "/api/a", None),
        ("api/{s:minlength(2):maxlength(3)}", "/api/abcd", None),
        ("api/{n:min(2):max(4)}", "/api/4", {"n": "4"}),
        ("api/{n:range(2,4)}", "/api/5", None),
        ("api/{s:required}", "/api/x", {"s": "x"}),
        ("api/{t:regex(^(?!metadata$)[A-Z][a-z]+$)}", "/api/patient", {"t": "patient"}),
        ("api/{t:regex(^(?!metadata$)[A-Z][a-z]+$)}", "/api/Metadata", None),
        ("api/{t:regex(^\\d{{4}}$)}", "/api/2026", {"t": "2026"}),
        ("api/{t:regex(^[^/$_]+$)}/x", "/api/_search/x", None),
    ],
)
def test_a_path_matches_a_template(template: str, path: str, values: dict[str, str] | None) -> None:
    assert Route(template).match(path) == values


@pytest.mark.parametrize(
    "template",
    [
        "/leading",
        "a//b",
        "~/a",
        "{a",
        "a}",
        "{a}{b}",
        "{a}/{A}",
        "{a?}/b",
        "{*a}/b",
        "{a=1}/b",
        "{a:nonsense}",
        "{a:length(x)}",
        "{a:regex([)}",
        "{a b}",
        "{}",
    ],
)
def test_what_is_no_template_is_refused_with_the_template_named(template: str) -> None:
    with pytest.raises(StartError, match="route"):
        Route(template)


def test_templates_that_differ_in_case_and_parameter_names_have_one_shape() -> None:
    assert Route("Fhir/{a}").shape == Route("fhir/{b}").shape
    assert Route("fhir/{a}").shape != Route("fhir/{a:int}").shape
