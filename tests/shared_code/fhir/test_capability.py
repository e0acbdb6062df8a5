"""What the server says about itself is valid and what it serves."""

from __future__ import annotations

from shared_code.fhir import capability_statement, resource_types, validate


def test_the_statement_is_valid_and_lists_every_type_with_its_parameters() -> None:
    statement = capability_statement("http://127.0.0.1:7071/api/fhir", "1.0", "2026-01-01")
    validate(statement)
    rows = {row["type"]: row for row in statement["rest"][0]["resource"]}
    assert rows.keys() == resource_types()
    names = [row["name"] for row in rows["Observation"]["searchParam"]]
    assert names == ["_id", "_lastUpdated", "code", "date", "identifier", "patient", "status", "subject"]
