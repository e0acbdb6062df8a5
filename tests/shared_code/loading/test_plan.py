"""How a bundle's entries hang together: where references lead once it is known what is created and what exists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared_code import errors
from shared_code.fhir import home_of, validate
from shared_code.loading.entries import Entry, read_entries, require_read
from shared_code.loading.plan import Plan
from shared_code.records import Condition
from tests.builders import observation, organization, patient
from tests.system.fhir_answers import post, put, transaction

BASE = "https://portal.example.org/api/fhir"
PATIENT, CLINIC, WEIGHT = "urn:uuid:of-patient", "urn:uuid:of-clinic", "urn:uuid:of-weight"


def planned(*raw: dict[str, Any]) -> Plan:
    bundle = transaction(*raw)
    return Plan(require_read(read_entries(bundle)), validate(bundle), BASE)


def settled(plan: Plan, matches: dict[str, list[str]] | None = None) -> Plan:
    """The plan, settled and resolved; `matches` has the ids by a condition's query."""
    found: dict[Condition, list[str]] = {}
    for condition in [*map(plan.create_condition, plan.entries), *plan.link_conditions(plan.entries)]:
        if condition:
            found[condition] = (matches or {}).get(condition.query, [])
    numbers = iter(range(100))

    def new_id(entry: Entry) -> str:
        return f"new-{next(numbers)}"

    plan.settle(found, new_id)
    for entry in plan.entries:
        plan.resolve(entry, found)
    return plan


def references(plan: Plan, index: int) -> list[str]:
    return [link.holder["reference"] for link in plan.links[index]]


def weight(subject: str, **elements: Any) -> dict[str, Any]:
    return observation() | {"subject": {"reference": subject}} | elements


def test_references_lead_to_what_is_created_whatever_the_order() -> None:
    plan = settled(
        planned(
            post(weight(PATIENT, performer=[{"reference": CLINIC}]), WEIGHT),
            post(patient(managingOrganization={"reference": CLINIC}), PATIENT),
            post(organization(), CLINIC),
        )
    )
    ids = plan.ids
    assert references(plan, 0) == [f"Patient/{ids[1]}", f"Organization/{ids[2]}"]
    assert references(plan, 1) == [f"Organization/{ids[2]}"]
    assert plan.failures == {}


def test_people_get_their_ids_before_what_is_at_home_with_them() -> None:
    order: list[int] = []
    plan = planned(post(weight(PATIENT), WEIGHT), post(patient(), PATIENT), post(organization(), CLINIC))

    def new_id(entry: Entry) -> str:
        order.append(entry.index)
        if entry.index == 0:
            assert entry.resource is not None
            assert entry.resource["subject"]["reference"] == "Patient/id-1"
        return f"id-{entry.index}"

    plan.settle({}, new_id)
    assert order == [1, 2, 0]


@pytest.mark.parametrize(
    ("full_url", "sent"),
    [
        ("http://elsewhere.example.org/fhir/Patient/p1", "http://elsewhere.example.org/fhir/Patient/p1"),
        ("http://elsewhere.example.org/fhir/Patient/p1", "Patient/p1"),
        (PATIENT, f"{PATIENT}#part"),
    ],
)
def test_an_entry_is_known_by_its_full_url_and_the_relative_form_of_it(full_url: str, sent: str) -> None:
    plan = settled(
        planned(post(patient(), full_url), post(weight(sent), "http://elsewhere.example.org/fhir/Observation/w"))
    )
    assert references(plan, 1)[0].startswith(f"Patient/{plan.ids[0]}")


def test_a_relative_reference_begins_where_its_own_entry_is() -> None:
    here, there = "http://a.example.org/fhir", "http://b.example.org/fhir"
    plan = settled(
        planned(
            post(patient(), f"{here}/Patient/9"),
            post(patient(), f"{there}/Patient/9"),
            post(weight("Patient/9"), f"{here}/Observation/1"),
            post(weight("Patient/9"), f"{there}/Observation/1"),
            post(weight("Patient/9"), f"{BASE}/Observation/1"),
        )
    )
    assert references(plan, 2) == [f"Patient/{plan.ids[0]}"]
    assert references(plan, 3) == [f"Patient/{plan.ids[1]}"]
    assert references(plan, 4) == ["Patient/9"]
    assert list(plan.outside()) == ["Patient/9"]


def test_a_name_that_two_entries_have_leads_to_neither() -> None:
    plan = settled(
        planned(
            post(patient(), "http://a.example.org/fhir/Patient/9"),
            post(patient(), "http://b.example.org/fhir/Patient/9"),
            post(weight("Patient/9"), WEIGHT),
        )
    )
    assert plan.failures[2].issues[0].code == "multiple-matches"


def test_a_create_gets_its_id_once_it_is_known_whose_it_is() -> None:
    conditional = weight("Patient?identifier=http://example.org/ids|7")
    bundle = transaction(post(conditional), post(weight(f"{BASE}/Patient/p1")))
    plan = Plan(require_read(read_entries(bundle)), validate(bundle), BASE)
    homes: list[str | None] = []

    def new_id(entry: Entry) -> str:
        homes.append(home_of(entry.resource or {}))
        return f"new-{entry.index}"

    (condition,) = plan.link_conditions(plan.entries)
    plan.settle({condition: []}, new_id)
    assert homes == ["Patient/p1"]
    assert plan.ids == {1: "new-1"}
    plan.settle({condition: ["p7"]}, new_id)
    assert homes[1:] == ["Patient/p7", "Patient/p1"]


def test_a_put_keeps_its_id_and_its_name_elsewhere_leads_to_it() -> None:
    raw = put(patient(id="p1")) | {"fullUrl": PATIENT}
    plan = settled(planned(raw, post(weight(PATIENT)), post(weight("Patient/p1"))))
    assert references(plan, 1) == references(plan, 2) == ["Patient/p1"]
    assert plan.outside() == {}


def test_what_a_condition_matches_is_not_created_and_references_lead_to_it() -> None:
    query = "identifier=http://example.org/clinics|1"

    def referring() -> Plan:
        return planned(
            post(organization(), CLINIC, query),
            post(patient(managingOrganization={"reference": CLINIC}), PATIENT),
        )

    plan = settled(referring(), {query: ["there"]})
    assert (plan.matched, 0 in plan.ids) == ({0: "there"}, False)
    assert references(plan, 1) == ["Organization/there"]
    plan = settled(referring(), {query: []})
    assert references(plan, 1) == [f"Organization/{plan.ids[0]}"]


def test_a_condition_that_several_match_is_its_entrys_failure() -> None:
    query = "identifier=http://example.org/clinics|1"
    plan = settled(planned(post(organization(), CLINIC, query)), {query: ["a", "b"]})
    assert isinstance(plan.failures[0], errors.VersionConflict)
    assert plan.failures[0].issues[0].path == "Bundle.entry[0].request.ifNoneExist"


@pytest.mark.parametrize(
    ("ids", "code"), [(["one"], None), ([], "not-found"), (["one", "two"], "multiple-matches")], ids=["1", "0", "2"]
)
def test_a_conditional_reference_leads_to_the_one_that_matches(ids: list[str], code: str | None) -> None:
    query = "identifier=http://example.org/clinics|1"
    plan = settled(planned(post(weight("Patient/x", performer=[{"reference": f"Organization?{query}"}]))), {query: ids})
    if code is None:
        assert references(plan, 0)[1] == "Organization/one"
    else:
        (issue,) = plan.failures[0].issues
        assert (issue.code, issue.path) == (code, "Bundle.entry[0].resource.performer[0].reference")


def test_the_same_condition_is_looked_up_once() -> None:
    reference = {"reference": "Organization?identifier=http://example.org/clinics|1"}
    plan = planned(*(post(weight("Patient/x", performer=[reference])) for _ in range(5)))
    assert len(set(plan.link_conditions(plan.entries))) == 1


@pytest.mark.parametrize("condition", ["name=x", "identifier=x", "identifier", "=&="])
def test_a_condition_that_cannot_be_looked_up_is_named(condition: str) -> None:
    plan = planned(post(organization(), CLINIC, condition))
    assert plan.failures[0].issues[0].path == "Bundle.entry[0].request.ifNoneExist"
    plan = planned(post(weight("Patient/x", performer=[{"reference": f"Organization?{condition}"}])))
    assert plan.failures[0].issues[0].path == "Bundle.entry[0].resource.performer[0].reference"


def test_a_urn_that_no_entry_has_leads_to_nothing() -> None:
    plan = settled(planned(post(weight("urn:uuid:nowhere"))))
    assert plan.failures[0].issues[0].path == "Bundle.entry[0].resource.subject.reference"
    with pytest.raises(errors.Malformed, match="leads to nothing"):
        plan.raise_failures()


def test_references_to_what_is_not_of_the_bundle_are_known() -> None:
    plan = settled(
        planned(
            post(weight("Patient/there", performer=[{"reference": f"{BASE}/Organization/o"}, {"reference": CLINIC}])),
            post(organization(), CLINIC),
            post(
                weight(
                    "https://elsewhere.example.org/Patient/p",
                    focus=[{"reference": "#c"}],
                    contained=[{"resourceType": "Organization", "id": "c", "name": "C"}],
                )
            ),
        )
    )
    assert list(plan.outside()) == ["Patient/there", "Organization/o"]
    assert references(plan, 0)[1] == "Organization/o"
    assert references(plan, 2) == ["https://elsewhere.example.org/Patient/p"]


def test_a_plan_that_is_settled_once_more_begins_with_what_was_sent() -> None:
    link = {"url": "http://example.org/see", "valueUri": PATIENT}
    plan = planned(post(weight(PATIENT, extension=[link])), post(patient(), PATIENT))
    first = list(references(settled(plan), 0))

    def others() -> Iterator[str]:
        yield from (f"other-{n}" for n in range(10))

    ids = others()
    plan.settle({}, lambda _: next(ids))
    for entry in plan.entries:
        plan.resolve(entry, {})
    assert references(plan, 0) != first
    assert references(plan, 0) == [f"Patient/{plan.ids[1]}"]
    assert link["valueUri"] == f"Patient/{plan.ids[1]}"


def test_what_cannot_be_created_gets_no_id() -> None:
    plan = planned(post(organization(), CLINIC), post(patient(managingOrganization={"reference": CLINIC})))
    plan.failures[0] = errors.Invalid("of another fault")
    settled(plan)
    assert 0 not in plan.ids
    assert plan.failures[1].issues[0].code == "not-found"


def test_failures_of_the_first_kind_are_raised_together() -> None:
    plan = planned(*(post(weight(f"urn:uuid:{n}")) for n in range(3)))
    with pytest.raises(errors.Malformed) as refusal:
        settled(plan).raise_failures()
    assert len(refusal.value.issues) == 3


def test_urls_and_narratives_that_name_an_entry_exactly_follow_it() -> None:
    div = f'<div xmlns="http://www.w3.org/1999/xhtml"><a href="{PATIENT}">p</a><img src="{PATIENT}x"/> {PATIENT}</div>'
    document = {
        "resourceType": "DocumentReference",
        "status": "current",
        "text": {"status": "generated", "div": div},
        "description": PATIENT,
        "content": [{"attachment": {"url": PATIENT}}, {"attachment": {"url": f"{PATIENT}/x"}}],
    }
    plan = settled(planned(post(document), post(patient(), PATIENT)))
    target = f"Patient/{plan.ids[1]}"
    assert document["content"] == [{"attachment": {"url": target}}, {"attachment": {"url": f"{PATIENT}/x"}}]
    assert document["text"]["div"].count(target) == 1  # type: ignore[index]
    assert document["description"] == PATIENT
