"""Structure, primitives, codes and references: what is valid R4 is taken, what is not is refused where it is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared_code.errors import Invalid, Malformed
from shared_code.fhir import Resource, validate


def patient(**elements: Any) -> Resource:
    return {"resourceType": "Patient", **elements}


def observation(**elements: Any) -> Resource:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "Weight"}, **elements}


def faults(resource: Any) -> list[tuple[str | None, str]]:
    with pytest.raises(Invalid) as refusal:
        validate(resource)
    return [(issue.path, issue.text) for issue in refusal.value.issues]


DIV = '<div xmlns="http://www.w3.org/1999/xhtml">'


@pytest.mark.parametrize(
    "resource",
    [
        pytest.param(patient(), id="nothing but a type"),
        pytest.param(
            {
                "resourceType": "Observation",
                "code": {"text": "x"},
                "_status": {
                    "extension": [
                        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
                    ]
                },
            },
            id="a required primitive that only has an extension",
        ),
        pytest.param(
            patient(
                name=[{"given": ["An", None], "_given": [None, {"extension": [{"url": "http://x", "valueCode": "y"}]}]}]
            ),
            id="null where the partner list has something",
        ),
        pytest.param(
            patient(name=[{"given": ["An", "Bo"], "_given": [{"id": "g1"}]}]), id="a partner list that is shorter"
        ),
        pytest.param(patient(birthDate="1974", deceasedDateTime="2015-02-14T13:42:00+10:00"), id="partial dates"),
        pytest.param(patient(birthDate="2024-02-29"), id="a leap day"),
        pytest.param(patient(name=[{"id": "Patient.name[x]:é/1", "family": "X"}]), id="any id of an element"),
        pytest.param(observation(issued="2016-12-31T23:59:60.123456789Z"), id="a leap second and nine digits"),
        pytest.param(observation(valueQuantity={"value": Decimal("72.50")}), id="a decimal"),
        pytest.param(observation(valueQuantity={"value": 72}), id="a decimal written as an integer"),
        pytest.param(observation(valueString="72 kg", _valueString={"id": "v"}), id="a choice with its own extension"),
        pytest.param(
            observation(subject={"reference": "https://x.example/fhir/Patient/1"}), id="an absolute reference"
        ),
        pytest.param(
            observation(subject={"reference": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}), id="urn:uuid"
        ),
        pytest.param(observation(subject={"identifier": {"value": "7"}, "type": "Patient"}), id="a logical reference"),
        pytest.param(observation(focus=[{"reference": "Slot/1"}]), id="a reference to any type"),
        pytest.param(
            patient(text={"status": "generated", "div": f'{DIV}<p>A &amp; <b class="x">b</b><br/></p></div>'}),
            id="xhtml",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"\n{DIV}<!-- > --><img src='#a' alt='>'/></div >\n"}),
            id="xhtml with a comment and only an image",
        ),
        pytest.param(
            patient(
                text={
                    "status": "generated",
                    "div": "<div lang='nl' xmlns = 'http://www.w3.org/1999/xhtml'>&eacute;&apos;&#233;&#xe9;&#x1F600;&nbsp;a</div>",
                }
            ),
            id="xhtml with the namespace after another attribute, and entities",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}<!-- &bogus; <?x?> --><![CDATA[&bogus; <?x?>]]></div>"}),
            id="xhtml with markup that is only text",
        ),
        pytest.param(
            {
                "resourceType": "ActivityDefinition",
                "status": "draft",
                "dosage": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}],
            },
            id="a choice whose type has a profile",
        ),
        pytest.param(
            observation(
                contained=[{"resourceType": "Patient", "id": "p", "name": [{"family": "X"}]}],
                subject={"reference": "#p"},
            ),
            id="a contained resource that is referred to",
        ),
        pytest.param(
            observation(contained=[observation(id="o", hasMember=[{"reference": "#"}])]),
            id="a contained resource that refers to the one that contains it",
        ),
        pytest.param({"resourceType": "Parameters", "parameter": [{"name": "a", "valueCode": "b"}]}, id="Parameters"),
        pytest.param(patient(name=[{"family": "名前"}], contact=[{"name": {"text": "é"}}]), id="other scripts"),
        pytest.param(
            {
                "resourceType": "Condition",
                "subject": {"reference": "Patient/1"},
                "clinicalStatus": {
                    "coding": [
                        {"system": "http://local", "code": "x"},
                        {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"},
                    ]
                },
            },
            id="a required code beside a local one",
        ),
    ],
)
def test_valid(resource: Resource) -> None:
    validate(resource)


@pytest.mark.parametrize(
    ("resource", "path", "says"),
    [
        # structure
        pytest.param({}, "resourceType", "resourceType is required", id="no type"),
        pytest.param({"resourceType": "Patiënt"}, "resourceType", "no resource type", id="no type of R4"),
        pytest.param({"resourceType": "DomainResource"}, "resourceType", "no resource type", id="an abstract type"),
        pytest.param({"resourceType": ["Patient"]}, "resourceType", "no resource type", id="a type that is no string"),
        pytest.param(
            patient(nickname="An"), "Patient.nickname", "Patient.nickname is not an element", id="unknown element"
        ),
        pytest.param(
            patient(name=[{"nick": "An"}]), "Patient.name[0].nick", "is not an element", id="unknown element inside"
        ),
        pytest.param(
            patient(fhir_comments=["x"]), "Patient.fhir_comments", "is not an element", id="comments of DSTU2"
        ),
        pytest.param(
            patient(name=[{"resourceType": "HumanName"}]),
            "Patient.name[0].resourceType",
            "is not an element",
            id="type in a data type",
        ),
        pytest.param(patient(name={"family": "X"}), "Patient.name", "must be a list, not an object", id="no list"),
        pytest.param(patient(gender=["male"]), "Patient.gender", "must be a string, not a list", id="a list"),
        pytest.param(patient(name=["X"]), "Patient.name[0]", "must be an object, not a string", id="no object"),
        pytest.param(
            patient(name=[{"given": "An"}]),
            "Patient.name[0].given",
            "must be a list, not a string",
            id="no list inside",
        ),
        pytest.param(patient(active="true"), "Patient.active", "true or false, not a string", id="boolean as string"),
        pytest.param(patient(active=1), "Patient.active", "true or false, not a number", id="boolean as number"),
        pytest.param(
            patient(birthDate=1974), "Patient.birthDate", "must be a string, not a number", id="date as number"
        ),
        pytest.param(patient(maritalStatus=None), "Patient.maritalStatus", "must be an object, not null", id="null"),
        pytest.param(patient(birthDate=None), "Patient.birthDate", "must be a string, not null", id="null primitive"),
        pytest.param(patient(name=[]), "Patient.name", "empty list", id="empty list"),
        pytest.param(patient(name=[{}]), "Patient.name[0]", "must not be empty", id="empty object"),
        pytest.param(patient(name=[{"id": "n"}]), "Patient.name[0]", "ele-1", id="an object with only an id"),
        pytest.param(patient(name=[{"family": ""}]), "Patient.name[0].family", "must not be empty", id="empty string"),
        pytest.param(patient(name=[None]), "Patient.name[0]", "must not be null", id="null in a list of objects"),
        pytest.param(
            patient(name=[{"given": [None]}]), "Patient.name[0].given[0]", "must not be null", id="null without partner"
        ),
        pytest.param(
            patient(name=[{"given": [None], "_given": [None]}]),
            "Patient.name[0].given[0]",
            "must not be null",
            id="null and null",
        ),
        pytest.param(
            patient(_birthDate={"id": "a"}), "Patient.birthDate", "an id alone is nothing (ele-1)", id="only an id"
        ),
        pytest.param(
            {"resourceType": "Observation", "_status": {"id": "a"}, "code": {"text": "x"}},
            "Observation.status",
            "ele-1",
            id="only an id of what is required",
        ),
        pytest.param(
            patient(extension=[{"url": "http://x", "_valueString": {"id": "x"}}]),
            "Patient.extension[0].value.ofType(string)",
            "ele-1",
            id="only an id of a choice",
        ),
        pytest.param(
            patient(name=[{"given": [None], "_given": [{"id": "x"}]}]),
            "Patient.name[0].given[0]",
            "ele-1",
            id="null and only an id",
        ),
        pytest.param(
            patient(name=[{"given": ["An"], "_given": [{"id": "x"}, {"id": "y"}]}]),
            "Patient.name[0].given[1]",
            "ele-1",
            id="only an id after the last value",
        ),
        pytest.param(
            patient(name=[{"_given": [{"id": "x"}]}]), "Patient.name[0].given[0]", "ele-1", id="only ids in a list"
        ),
        pytest.param(
            {"resourceType": "Observation", "code": {"text": "x"}}, "Observation.status", "required", id="no status"
        ),
        pytest.param({"resourceType": "Observation", "status": "final"}, "Observation.code", "required", id="no code"),
        pytest.param(
            {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": {"display": "X"}},
            "MedicationRequest.medication",
            "medication is required",
            id="no medication of any type",
        ),
        pytest.param(
            observation(component=[{"valueString": "x"}]),
            "Observation.component[0].code",
            "required",
            id="required inside",
        ),
        pytest.param(
            observation(valueString="a", valueInteger=1),
            "Observation.value",
            "not as valueString and valueInteger",
            id="two choices",
        ),
        pytest.param(
            observation(
                valueString="a", _valueInteger={"id": "x", "extension": [{"url": "http://x", "valueCode": "y"}]}
            ),
            "Observation.value",
            "in one type only",
            id="a choice and the extension of another",
        ),
        pytest.param(observation(value="a"), "Observation.value", "is not an element", id="a choice without type"),
        pytest.param(
            observation(valueMoney={"value": 1}),
            "Observation.valueMoney",
            "is not an element",
            id="a type that is no choice",
        ),
        pytest.param(
            observation(valueQuantity={"value": "72"}),
            "Observation.value.ofType(Quantity).value",
            "must be a number, not a string",
            id="decimal as string",
        ),
        # primitives
        pytest.param(patient(id="a b"), "Patient.id", "must be an id", id="blank in an id"),
        pytest.param(patient(id="x" * 65), "Patient.id", "must be an id", id="an id of 65 characters"),
        pytest.param(patient(id="a/b"), "Patient.id", "must be an id", id="slash in an id"),
        pytest.param(patient(id="a\n"), "Patient.id", "must be an id", id="line end after an id"),
        pytest.param(
            patient(name=[{"id": "a b", "family": "x"}]), "Patient.name[0].id", "without spaces", id="element's id"
        ),
        pytest.param(
            patient(birthDate="2000", _birthDate={"id": "a\tb"}),
            "Patient.birthDate.id",
            "without spaces",
            id="id of a primitive",
        ),
        pytest.param(
            observation(component=[{"id": " ", "code": {"text": "x"}}]),
            "Observation.component[0].id",
            "without spaces",
            id="id of a backbone element",
        ),
        pytest.param(patient(birthDate="2021-02-30"), "Patient.birthDate", "the calendar has", id="30 February"),
        pytest.param(patient(birthDate="2023-02-29"), "Patient.birthDate", "the calendar has", id="29 February 2023"),
        pytest.param(patient(birthDate="2021-04-31"), "Patient.birthDate", "the calendar has", id="31 April"),
        pytest.param(patient(birthDate="2021-13"), "Patient.birthDate", "must be a date", id="month 13"),
        pytest.param(patient(birthDate="0000"), "Patient.birthDate", "must be a date", id="year 0"),
        pytest.param(patient(birthDate="2021-1-1"), "Patient.birthDate", "must be a date", id="short month"),
        pytest.param(
            patient(birthDate="2021-01-01T00:00:00Z"), "Patient.birthDate", "must be a date", id="a time in a date"
        ),
        pytest.param(
            patient(birthDate="２０２１"), "Patient.birthDate", "must be a date", id="digits of another script"
        ),
        pytest.param(
            observation(effectiveDateTime="2021-01-01T10:00Z"),
            "Observation.effective.ofType(dateTime)",
            "with seconds",
            id="a time without seconds",
        ),
        pytest.param(
            observation(effectiveDateTime="2021-01-01T10:00:00"),
            "Observation.effective.ofType(dateTime)",
            "time zone",
            id="a time without zone",
        ),
        pytest.param(
            observation(effectiveDateTime="2021-02-30T10:00:00Z"),
            "Observation.effective.ofType(dateTime)",
            "the calendar has",
            id="30 February with a time",
        ),
        pytest.param(
            observation(issued="2021-01-01"), "Observation.issued", "must be an instant", id="an instant without time"
        ),
        pytest.param(
            observation(issued="2021-01-01T10:00:00"), "Observation.issued", "time zone", id="an instant without zone"
        ),
        pytest.param(
            observation(valueTime="24:00:00"), "Observation.value.ofType(time)", "must be a time", id="24:00:00"
        ),
        pytest.param(
            observation(valueInteger=Decimal("1.0")), "Observation.value.ofType(integer)", "whole number", id="1.0"
        ),
        pytest.param(
            observation(valueInteger=2**31), "Observation.value.ofType(integer)", "must be a number from", id="2^31"
        ),
        pytest.param(
            observation(valueInteger=True), "Observation.value.ofType(integer)", "not a boolean", id="true as number"
        ),
        pytest.param(
            patient(telecom=[{"system": "phone", "value": "1", "rank": 0}]),
            "Patient.telecom[0].rank",
            "from 1",
            id="rank 0",
        ),
        pytest.param(
            patient(multipleBirthInteger=-(2**31) - 1),
            "Patient.multipleBirth.ofType(integer)",
            "must be a number",
            id="below -2^31",
        ),
        pytest.param(
            patient(identifier=[{"system": "a b"}]), "Patient.identifier[0].system", "uri", id="blank in a uri"
        ),
        pytest.param(patient(language=" en"), "Patient.language", "must be a code", id="blank before a code"),
        pytest.param(patient(language="e  n"), "Patient.language", "must be a code", id="two blanks in a code"),
        pytest.param(patient(name=[{"family": "a\x07"}]), "Patient.name[0].family", "control", id="control character"),
        pytest.param(
            patient(name=[{"family": "x" * 1_048_577}]), "Patient.name[0].family", "1,048,576", id="a long string"
        ),
        pytest.param(
            patient(photo=[{"contentType": "image/png", "data": "a=b"}]),
            "Patient.photo[0].data",
            "base64",
            id="no base64",
        ),
        # codes
        pytest.param(
            patient(gender="man"),
            "Patient.gender",
            "none of female, male, other, unknown",
            id="code outside the binding",
        ),
        pytest.param(
            observation(status="done"),
            "Observation.status",
            "has the code 'done', which is none of amended",
            id="status",
        ),
        pytest.param(
            {
                "resourceType": "Condition",
                "subject": {"reference": "Patient/1"},
                "clinicalStatus": {"coding": [{"system": "http://x", "code": "active"}]},
            },
            "Condition.clinicalStatus",
            "needs one of the codes active",
            id="a concept of another system",
        ),
        # references
        pytest.param(
            observation(subject={"reference": "Patient"}), "Observation.subject.reference", "Type/id", id="no id"
        ),
        pytest.param(
            observation(subject={"reference": "patient/1"}),
            "Observation.subject.reference",
            "Type/id",
            id="small letter",
        ),
        pytest.param(
            observation(subject={"reference": "Nobody/1"}),
            "Observation.subject.reference",
            "no resource type",
            id="no type",
        ),
        pytest.param(
            observation(subject={"reference": "Patient/1/2"}),
            "Observation.subject.reference",
            "Type/id",
            id="three parts",
        ),
        pytest.param(
            observation(subject={"reference": "Practitioner/1"}),
            "Observation.subject",
            "may refer to Device, Group, Location or Patient, not to Practitioner",
            id="a type that is not allowed",
        ),
        pytest.param(
            observation(subject={"reference": "http://x.example/fhir/Practitioner/1"}),
            "Observation.subject",
            "not to Practitioner",
            id="a type that is not allowed, absolute",
        ),
        pytest.param(
            observation(subject={"reference": "Patient/1", "type": "Group"}),
            "Observation.subject.type",
            "says Group",
            id="two types",
        ),
        pytest.param(
            observation(subject={"reference": "Patient?identifier=x|1"}),
            "Observation.subject.reference",
            "transaction",
            id="conditional",
        ),
        pytest.param(
            observation(subject={"reference": "#p"}), "Observation.subject.reference", "ref-1", id="not contained"
        ),
        pytest.param(
            observation(contained=[{"resourceType": "Practitioner", "id": "o"}], subject={"reference": "#o"}),
            "Observation.subject",
            "may refer to Device, Group, Location or Patient, not to Practitioner",
            id="a type that is not allowed, contained",
        ),
        pytest.param(
            observation(subject={"reference": "#"}),
            "Observation.subject",
            "not to Observation",
            id="a type that is not allowed, the resource itself",
        ),
        pytest.param(
            observation(
                contained=[{"resourceType": "Patient", "id": "o"}], subject={"reference": "#o", "type": "Group"}
            ),
            "Observation.subject.type",
            "says Group",
            id="two types, contained",
        ),
        # contained
        pytest.param(
            patient(contained=[{"resourceType": "Organization", "id": "o", "name": "X"}]),
            "Patient.contained[0]",
            "dom-3",
            id="contained and not referred to",
        ),
        pytest.param(
            patient(
                contained=[
                    {
                        "resourceType": "Organization",
                        "id": "o",
                        "name": "X",
                        "contained": [{"resourceType": "Location", "id": "l"}],
                    }
                ],
                managingOrganization={"reference": "#o"},
            ),
            "Patient.contained[0]",
            "dom-2",
            id="contained in contained",
        ),
        pytest.param(
            patient(
                contained=[{"resourceType": "Organization", "id": "o", "name": "X", "meta": {"versionId": "1"}}],
                managingOrganization={"reference": "#o"},
            ),
            "Patient.contained[0]",
            "dom-4",
            id="a version of a contained resource",
        ),
        pytest.param(
            patient(
                contained=[{"resourceType": "Organization", "id": "o", "nom": "X", "name": "X"}],
                managingOrganization={"reference": "#o"},
            ),
            "Patient.contained[0].nom",
            "is not an element",
            id="an unknown element of a contained resource",
        ),
        pytest.param(
            observation(
                contained=[
                    {"resourceType": kind, "id": own}
                    for kind, own in [("Patient", "p"), ("Device", "q"), ("Patient", "p")]
                ],
                subject={"reference": "#p"},
                focus=[{"reference": "#q"}],
            ),
            "Observation.contained[2].id",
            "another contained resource",
            id="two contained resources with one id",
        ),
        pytest.param(
            patient(contained=["x"]), "Patient.contained[0]", "must be a resource", id="contained is no object"
        ),
        # narrative
        pytest.param(patient(text={"status": "generated"}), "Patient.text.div", "required", id="no narrative"),
        pytest.param(patient(text={"status": "generated", "div": "hello"}), "Patient.text.div", "<div>", id="no div"),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}<script>x()</script></div>"}),
            "Patient.text.div",
            "<script>",
            id="script",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f'{DIV}<p onclick="x()">a</p></div>'}),
            "Patient.text.div",
            "onclick",
            id="handler",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}<a href='javascript:x()'>a</a></div>"}),
            "Patient.text.div",
            "script",
            id="script in a link",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}<p>a</div>"}),
            "Patient.text.div",
            "closes",
            id="not closed",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a</div><p></p>"}),
            "Patient.text.div",
            "nothing after it",
            id="an element after the div",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a</div>b>"}),
            "Patient.text.div",
            "nothing after it",
            id="text after the div",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}<p>a"}),
            "Patient.text.div",
            "<p> is not closed",
            id="cut off",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": "<div>a</div>"}),
            "Patient.text.div",
            'must be a <div xmlns="http://www.w3.org/1999/xhtml">',
            id="no namespace",
        ),
        pytest.param(
            patient(
                text={"status": "generated", "div": '<div title="xmlns" xmlns="http://www.w3.org/2000/svg">a</div>'}
            ),
            "Patient.text.div",
            "1999/xhtml",
            id="another namespace",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a &amp; &bogus; b</div>"}),
            "Patient.text.div",
            "'&bogus;', which is no entity of XHTML",
            id="an entity that nobody defines",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a & b</div>"}),
            "Patient.text.div",
            "every '&' that begins no entity is written &amp;",
            id="an ampersand by itself",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a &#x0; b</div>"}),
            "Patient.text.div",
            "'&#x0;', which is no character of XML",
            id="the number of no character",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a &#1f; b</div>"}),
            "Patient.text.div",
            "'&#1f;', which is no number",
            id="a number that is none",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f'{DIV}<p title="&rsqb;">a</p></div>'}),
            "Patient.text.div",
            "'&rsqb;'",
            id="an entity of HTML 5 in an attribute",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a<?php echo 1 ?></div>"}),
            "Patient.text.div",
            "processing instruction",
            id="a processing instruction",
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV}a < b</div>"}), "Patient.text.div", "&lt;", id="a bare <"
        ),
        pytest.param(
            patient(text={"status": "generated", "div": f"{DIV} </div>"}), "Patient.text.div", "txt-2", id="only blanks"
        ),
    ],
)
def test_invalid(resource: Resource, path: str | None, says: str) -> None:
    found = faults(resource)
    assert len(found) == 1
    assert found[0][0] == path
    assert says in found[0][1]


@pytest.mark.parametrize("value", [[], "Patient", 1, None], ids=str)
def test_what_is_no_object_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed, match="JSON object"):
        validate(value)


def test_every_fault_is_named_up_to_a_hundred() -> None:
    assert faults(patient(gender="x", birthDate="1", name=[{"x": 1}])) == [
        ("Patient.gender", "Patient.gender has the code 'x', which is none of female, male, other, unknown"),
        ("Patient.birthDate", "Patient.birthDate must be a date such as 2024, 2024-05 or 2024-05-17"),
        ("Patient.name[0].x", "Patient.name[0].x is not an element that R4 has here"),
    ]
    assert len(faults(patient(name=[{"x": 1}] * 1000))) == 100


def test_conditional_references_are_valid_where_a_caller_resolves_them() -> None:
    conditional = observation(subject={"reference": "Patient?identifier=x|1"})
    validate(conditional, conditional_references=True)
    entry = {"resource": conditional, "request": {"method": "POST", "url": "Observation"}}
    validate({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})


def test_parameters_and_bundles_have_contained_resources_of_their_own() -> None:
    inner = observation(contained=[{"resourceType": "Patient", "id": "p", "active": True}], subject={"reference": "#p"})
    validate({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": inner}]})
    del inner["contained"]
    assert faults({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": inner}]}) == [
        (
            "Parameters.parameter[0].resource.subject.reference",
            "Parameters.parameter[0].resource.subject.reference refers to '#p', which is not contained here (ref-1)",
        )
    ]


@pytest.mark.parametrize(
    "address",
    [
        "java&#115;cript:x()",
        "&#106;avascript:x()",
        "java&#x09;script:x()",
        "java\tscript:x()",
        "\x01 JavaScript:x()",
        "&#xA0;vbscript:x()",
        "data:text/html,x",
        "data:image/svg+xml;base64,AAAA",
        "blob:x",
    ],
)
def test_a_link_in_a_narrative_runs_nothing(address: str) -> None:
    (fault,) = faults(patient(text={"status": "generated", "div": f'{DIV}<a href="{address}">a</a></div>'}))
    assert fault[0] == "Patient.text.div"


@pytest.mark.parametrize(
    "address",
    ["http://x.example/a:b", "#part", "Patient/1", "mailto:a@b.example", "urn:uuid:1", "tel:+31", "x/y?t=12:30"],
)
def test_a_link_in_a_narrative_may_lead_anywhere(address: str) -> None:
    div = f'{DIV}<a href="{address}"><img src="data:image/png;base64,AAAA"/>a</a></div>'
    validate(patient(text={"status": "generated", "div": div}))
