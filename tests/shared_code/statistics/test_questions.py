"""What a caller may ask of the statistics, and how it is answered."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared_code import errors
from shared_code.fhir import dump
from shared_code.identity import Caller
from shared_code.statistics.questions import Question, answer, read_question
from tests.builders import person, practitioner, system

WEIGHT = "http://loinc.org|29463-7"


def ask(caller: Caller, **query: str) -> Question:
    return read_question(caller, {name.rstrip("_"): value for name, value in query.items()}.items())


def test_a_question_is_read_from_the_query() -> None:
    question = ask(system(), code=WEIGHT, patient="anna", from_="2024-05-01", to="2024-05-31")
    assert question == Question("Patient/anna", WEIGHT, date(2024, 5, 1), date(2024, 5, 31))


@pytest.mark.parametrize("patient", ["anna", "Patient/anna"])
def test_a_patient_is_named_by_id_or_reference(patient: str) -> None:
    assert ask(person("anna"), code=WEIGHT, patient=patient).person == "Patient/anna"


def test_a_person_who_names_nobody_means_themself() -> None:
    assert ask(person("anna"), code=WEIGHT).person == "Patient/anna"


def test_a_code_without_system_begins_with_a_bar() -> None:
    assert ask(person("anna"), code="|weight").code == "|weight"
    assert ask(person("anna"), code=r"http://example.org|a\|b\\c").code == "http://example.org|a|b\\c"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        pytest.param({"patient": "anna"}, "code", id="no code"),
        pytest.param({"code": "29463-7", "patient": "anna"}, "code", id="code without bar"),
        pytest.param({"code": "http://loinc.org|", "patient": "anna"}, "code", id="system alone"),
        pytest.param({"code": WEIGHT}, "patient", id="no patient"),
        pytest.param({"code": WEIGHT, "patient": "Group/1"}, "patient", id="not a patient"),
        pytest.param({"code": WEIGHT, "patient": ""}, "patient", id="empty patient"),
        pytest.param({"code": WEIGHT, "patient": "anna", "from": "2024-02-30"}, "from", id="no such day"),
        pytest.param({"code": WEIGHT, "patient": "anna", "from": "2024-05"}, "from", id="a month"),
        pytest.param({"code": WEIGHT, "patient": "anna", "to": "20240501"}, "to", id="other notation"),
        pytest.param({"code": WEIGHT, "patient": "anna", "to": ""}, "to", id="empty day"),
        pytest.param({"code": WEIGHT, "patient": "anna", "from": "2024-05-02", "to": "2024-05-01"}, "from", id="order"),
    ],
)
def test_a_faulty_parameter_is_named(query: dict[str, str], named: str) -> None:
    with pytest.raises(errors.Malformed, match=rf"^{named}: "):
        read_question(system(), query.items())


def test_a_parameter_given_twice_is_refused() -> None:
    with pytest.raises(errors.Malformed, match=r"^code: "):
        read_question(person("anna"), [("code", WEIGHT), ("code", WEIGHT)])


@pytest.mark.parametrize("stranger", [person("ben"), practitioner()], ids=["another person", "a practitioner"])
def test_a_stranger_finds_nobody(stranger: Caller) -> None:
    with pytest.raises(errors.NotFound):
        ask(stranger, code=WEIGHT, patient="anna")


@pytest.mark.parametrize("scope", ["patient/Observation.r", "patient/Observation.s", "patient/Patient.cruds", "openid"])
def test_reading_and_searching_observations_must_be_in_scope(scope: str) -> None:
    with pytest.raises(errors.Forbidden):
        ask(person("anna", scope), code=WEIGHT)


def test_an_answer_has_its_numbers_with_their_digits() -> None:
    numbers: dict[str, Any] = {"count": 2, "sum": "145.5", "min": "72.50", "max": "73", "mean": "72.7500"}
    question = Question("Patient/anna", WEIGHT, date(2024, 5, 1), None)
    moment = datetime(2024, 5, 2, 10, tzinfo=UTC)
    assert dump(answer(question, [{"day": "2024-05-01", "unit": "kg", "numbers": numbers}], moment)) == (
        '{"patient":"Patient/anna","code":"http://loinc.org|29463-7","from":"2024-05-01","to":null,'
        '"asOf":"2024-05-02T10:00:00.000Z","days":[{"date":"2024-05-01","unit":"kg","count":2,'
        '"min":72.50,"max":73,"mean":72.7500}]}'
    )
