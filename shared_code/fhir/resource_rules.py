"""The invariants of R4's resources, apart from Bundle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared_code.fhir.datatype_rules import later
from shared_code.fhir.findings import Step
from shared_code.fhir.rule_forms import Broken, Rule, any_of, has, has_coding, needs, not_both, one_of, only_if, rule

_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_ALLERGY_VERIFICATION = f"{_TERMINOLOGY}allergyintolerance-verification"
_CONDITION_VERIFICATION = f"{_TERMINOLOGY}condition-ver-status"
_CONDITION_CLINICAL = f"{_TERMINOLOGY}condition-clinical"

_TYPES_WITH_OPTIONS = {
    "choice", "open-choice", "decimal", "integer", "date", "dateTime", "time", "string", "quantity",
}  # fmt: skip
_NOT_OF_DISPLAY = (
    ("item", "que-1"),
    ("code", "que-3"),
    ("required", "que-6"),
    ("repeats", "que-6"),
    ("readOnly", "que-9"),
)
_TYPES_WITH_LENGTH = {"boolean", "decimal", "integer", "string", "text", "url", "open-choice"}


def _allergy(value: dict[str, Any]) -> Iterator[Broken]:
    mistaken = has_coding(value.get("verificationStatus"), _ALLERGY_VERIFICATION, "entered-in-error")
    if not mistaken and not has(value, "clinicalStatus"):
        yield "is required unless the verification status is entered-in-error (ait-1)", "clinicalStatus"
    if mistaken and has(value, "clinicalStatus"):
        yield "may not be given where the verification status is entered-in-error (ait-2)", "clinicalStatus"


def _condition(value: dict[str, Any]) -> Iterator[Broken]:
    ended = has_coding(value.get("clinicalStatus"), _CONDITION_CLINICAL, "resolved", "remission", "inactive")
    if has(value, "abatement[x]") and not ended:
        yield "must be inactive, remission or resolved where there is an abatement (con-4)", "clinicalStatus"
    mistaken = has_coding(value.get("verificationStatus"), _CONDITION_VERIFICATION, "entered-in-error")
    if mistaken and has(value, "clinicalStatus"):
        yield "may not be given where the verification status is entered-in-error (con-5)", "clinicalStatus"


def _appointment(value: dict[str, Any]) -> Iterator[Broken]:
    start, end = has(value, "start"), has(value, "end")
    if start != end:
        yield ("needs both start and end, or neither (app-2)",)
    if not (start and end) and value.get("status") not in ("proposed", "cancelled", "waitlist"):
        yield ("needs start and end unless it is proposed, cancelled or on the waitlist (app-3)",)


def _repeated_code(value: dict[str, Any]) -> Iterator[Broken]:
    """A value and a component may not both answer the same code."""
    if "component" not in value or not has(value, "value[x]"):
        return
    codes = {_coding(coding) for coding in value.get("code", {}).get("coding", ())}
    for index, component in enumerate(value["component"]):
        if not codes.isdisjoint(_coding(coding) for coding in component["code"].get("coding", ())):
            yield "has the code of the observation itself, which has a value (obs-7)", "component", index, "code"


def _coding(coding: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, part) for name, part in coding.items() if isinstance(part, str | bool)))


def _home_contact(value: dict[str, Any]) -> Iterator[Broken]:
    for name, key in (("address", "org-2"), ("telecom", "org-3")):
        for index, contact in enumerate(value.get(name, ())):
            if contact.get("use") == "home":
                yield f"may not be 'home' for an organization ({key})", name, index, "use"


def _parameter(value: dict[str, Any]) -> Iterator[Broken]:
    given = sum(has(value, name) for name in ("part", "value[x]", "resource"))
    if given != 1:
        yield ("needs exactly one of value, resource and part (inv-1)",)


def _questionnaire(value: dict[str, Any]) -> Iterator[Broken]:
    seen: set[str | None] = set()
    open_items: list[tuple[tuple[Step, ...], dict[str, Any]]]
    open_items = [(("item", index), item) for index, item in reversed(list(enumerate(value.get("item", ()))))]
    while open_items:
        steps, item = open_items.pop()
        link = item.get("linkId")
        if link is not None and link in seen:
            where: tuple[Step, ...] = (*steps, "linkId")
            yield ("is the linkId of another item too (que-2)", *where)
        seen.add(link)
        below = reversed(list(enumerate(item.get("item", ()))))
        open_items += [((*steps, "item", index), child) for index, child in below]


def _question(value: dict[str, Any]) -> Iterator[Broken]:
    kind = value.get("type")
    if kind == "group" and not has(value, "item"):
        yield "is required in a group (que-1)", "item"
    for name, key in _NOT_OF_DISPLAY if kind == "display" else ():
        if has(value, name):
            yield f"may not be given in a display ({key})", name
    if kind not in _TYPES_WITH_OPTIONS and (has(value, "answerOption") or has(value, "answerValueSet")):
        yield "does not go with answers to choose from (que-5)", "type"
    if kind not in _TYPES_WITH_LENGTH and has(value, "maxLength"):
        yield f"may not be given for a {kind} (que-10)", "maxLength"
    if len(value.get("enableWhen", ())) > 2 and not has(value, "enableBehavior"):
        yield "is required where there are more than two conditions (que-12)", "enableBehavior"


def _initial_values(value: dict[str, Any]) -> Iterator[Broken]:
    if value.get("type") in ("group", "display") and has(value, "initial"):
        yield "may not be given in a group or display (que-8)", "initial"
    if value.get("repeats") is not True and len(value.get("initial", ())) > 1:
        yield "may have several values only where the question repeats (que-13)", "initial"


def _percent(value: dict[str, Any]) -> bool:
    return bool(value.get("probabilityDecimal", 0) > 100)


def _stratum(value: dict[str, Any]) -> bool:
    return any(has(value, name) for name in ("code", "description", "criteria")) == has(value, "component")


RESOURCE_RULES: dict[str, tuple[Rule, ...]] = {
    "AllergyIntolerance": (_allergy,),
    "Appointment": (_appointment, only_if("app-4", "cancelationReason", "status", "noshow", "no-show", "cancelled")),
    "Appointment.participant": (any_of("app-1", "type", "actor"),),
    "AppointmentResponse": (any_of("apr-1", "participantType", "actor"),),
    "AuditEvent.entity": (not_both("sev-1", "name", "query"),),
    "CarePlan.activity": (not_both("cpl-3", "detail", "reference"),),
    "Composition.section": (any_of("cmp-1", "text", "entry", "section"), not_both("cmp-2", "emptyReason", "entry")),
    "ConceptMap.group.unmapped": (
        rule("cmd-2", "needs 'code'", lambda value: value.get("mode") == "fixed" and not has(value, "code")),
        rule("cmd-3", "needs 'url'", lambda value: value.get("mode") == "other-map" and not has(value, "url")),
    ),
    "Condition": (_condition,),
    "Condition.evidence": (any_of("con-2", "code", "detail"),),
    "Condition.stage": (any_of("con-1", "summary", "assessment"),),
    "Consent": (any_of("ppc-1", "policy", "policyRule"),),
    "CoverageEligibilityResponse.insurance.item": (one_of("ces-1", "category", "productOrService"),),
    "FamilyMemberHistory": (
        not_both("fhs-1", "age[x]", "born[x]"),
        needs("fhs-2", "estimatedAge", "age[x]"),
    ),
    "Goal.target": (needs("gol-1", "detail[x]", "measure"),),
    "Group": (
        rule(
            "grp-1", "may have members only if it is actual", lambda v: has(v, "member") and v.get("actual") is not True
        ),
    ),
    "Immunization.education": (any_of("imm-1", "documentType", "reference"),),
    "ImmunizationRecommendation.recommendation": (any_of("imr-1", "vaccineCode", "targetDisease"),),
    "InsurancePlan": (any_of("ipn-1", "identifier", "name"),),
    "Linkage": (rule("lnk-1", "must have at least two entries", lambda value: len(value["item"]) < 2, "item"),),
    "List": (
        not_both("lst-1", "emptyReason", "entry"),
        rule(
            "lst-2",
            "may say what was deleted only in a list of changes",
            lambda value: value.get("mode") != "changes" and any(has(e, "deleted") for e in value.get("entry", ())),
            "entry",
        ),
        rule(
            "lst-3",
            "may have dates only in a working list",
            lambda value: value.get("mode") != "working" and any(has(e, "date") for e in value.get("entry", ())),
            "entry",
        ),
    ),
    "Measure.group.stratifier": (rule("mea-1", "needs either component, or code, description or criteria", _stratum),),
    "MeasureReport": (
        rule(
            "mrp-1",
            "may not be given in a data collection",
            lambda v: v.get("type") == "data-collection" and has(v, "group"),
            "group",
        ),
    ),
    "MeasureReport.group.stratifier.stratum": (one_of("mrp-2", "value", "component"),),
    "MedicationAdministration.dosage": (any_of("mad-1", "dose", "rate[x]"),),
    "MedicationDispense": (
        rule(
            "mdd-1",
            "must not be before whenPrepared",
            lambda value: later(value.get("whenPrepared"), value.get("whenHandedOver")),
            "whenHandedOver",
        ),
    ),
    "MolecularSequence": (
        rule("msq-3", "must be 0 or 1", lambda v: v.get("coordinateSystem", 0) not in (0, 1), "coordinateSystem"),
    ),
    "MolecularSequence.referenceSeq": (
        needs("msq-5", "chromosome", "genomeBuild"),
        needs("msq-5", "genomeBuild", "chromosome"),
        one_of("msq-6", "genomeBuild", "referenceSeqId", "referenceSeqPointer", "referenceSeqString"),
    ),
    "Observation": (not_both("obs-6", "dataAbsentReason", "value[x]"), _repeated_code),
    "Observation.referenceRange": (any_of("obs-3", "low", "high", "text"),),
    "Organization": (any_of("org-1", "identifier", "name"), _home_contact),
    "Parameters.parameter": (_parameter,),
    "Patient.contact": (any_of("pat-1", "name", "telecom", "address", "organization"),),
    "Questionnaire": (_questionnaire,),
    "Questionnaire.item": (
        _question,
        _initial_values,
        not_both("que-4", "answerOption", "answerValueSet"),
        not_both("que-11", "answerOption", "initial"),
    ),
    "Questionnaire.item.enableWhen": (
        rule(
            "que-7",
            "needs a boolean answer for the operator 'exists'",
            lambda value: value.get("operator") == "exists" and not has(value, "answerBoolean"),
        ),
    ),
    "QuestionnaireResponse.item": (not_both("qrs-1", "answer", "item"),),
    "RequestGroup.action": (one_of("rqg-1", "resource", "action"),),
    "RiskAssessment.prediction": (rule("ras-2", "must be at most 100", _percent, "probability"),),
    "SearchParameter": (needs("spd-1", "xpath", "xpathUsage"), only_if("spd-2", "chain", "type", "reference")),
    "ServiceRequest": (needs("prr-1", "orderDetail", "code"),),
    "Task": (
        rule(
            "inv-1",
            "must not be before authoredOn",
            lambda value: later(value.get("authoredOn"), value.get("lastModified")),
            "lastModified",
        ),
    ),
    "ValueSet.compose.include": (
        any_of("vsd-1", "valueSet", "system"),
        needs("vsd-2", "concept", "system"),
        needs("vsd-2", "filter", "system"),
        not_both("vsd-3", "concept", "filter"),
    ),
    "ValueSet.expansion.contains": (
        any_of("vsd-6", "code", "display"),
        needs("vsd-10", "code", "system"),
        rule(
            "vsd-9",
            "needs 'code' unless it is abstract",
            lambda v: not has(v, "code") and v.get("abstract") is not True,
        ),
    ),
}
