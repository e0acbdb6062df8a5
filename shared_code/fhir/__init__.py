"""What FHIR R4 itself says: the JSON door, validation, homes, search values, criteria, outcomes. Pure values only."""

from __future__ import annotations

from shared_code.fhir.bundle_rules import named_by
from shared_code.fhir.capability import capability_statement
from shared_code.fhir.criteria import Criterion, DateRange, criterion
from shared_code.fhir.dates import span
from shared_code.fhir.findings import Place, Pointers, rendered
from shared_code.fhir.homes import home_of, other_patients
from shared_code.fhir.json_door import dump, parse
from shared_code.fhir.outcomes import ANSWERS, answer, outcome
from shared_code.fhir.references import make_relative, own_reference, restful, unversioned
from shared_code.fhir.resource_types import SHARED_TYPES, Resource, is_homed_type, resource_types
from shared_code.fhir.search_values import SearchParameter, search_parameters, search_values
from shared_code.fhir.validation import validate

__all__ = [
    "ANSWERS",
    "SHARED_TYPES",
    "Criterion",
    "DateRange",
    "Place",
    "Pointers",
    "Resource",
    "SearchParameter",
    "answer",
    "capability_statement",
    "criterion",
    "dump",
    "home_of",
    "is_homed_type",
    "make_relative",
    "named_by",
    "other_patients",
    "outcome",
    "own_reference",
    "parse",
    "rendered",
    "resource_types",
    "restful",
    "search_parameters",
    "search_values",
    "span",
    "unversioned",
    "validate",
]
