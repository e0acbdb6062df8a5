"""Which resource types there are, and which of them are of no single person."""

from __future__ import annotations

from functools import cache
from typing import Any

from shared_code.fhir.definitions import contents

Resource = dict[str, Any]

# Shared is what says something about care in general and nothing about a patient. Left out, though they have no patient
# of their own: what carries others' content or secrets (Bundle, MessageHeader, OperationOutcome, Subscription), what is
# part of a person's affairs by way of another resource (BiologicallyDerivedProduct, DeviceMetric, EnrollmentResponse,
# Linkage, PaymentNotice, PaymentReconciliation, Slot, VerificationResult), who somebody is (Group, Person), TestReport.
SHARED_TYPES = frozenset(
    {
        # who gives care, and where
        "Endpoint", "HealthcareService", "InsurancePlan", "Location", "Organization", "OrganizationAffiliation",
        "Practitioner", "PractitionerRole",
        # what things are: medication, substances, products, devices
        "CatalogEntry", "DeviceDefinition", "Medication", "MedicationKnowledge", "MedicinalProduct",
        "MedicinalProductAuthorization", "MedicinalProductContraindication", "MedicinalProductIndication",
        "MedicinalProductIngredient", "MedicinalProductInteraction", "MedicinalProductManufactured",
        "MedicinalProductPackaged", "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect",
        "ObservationDefinition", "SpecimenDefinition", "Substance", "SubstanceNucleicAcid", "SubstancePolymer",
        "SubstanceProtein", "SubstanceReferenceInformation", "SubstanceSourceMaterial",
        "SubstanceSpecification",
        # how care is given: definitions, knowledge, evidence, studies
        "ActivityDefinition", "ChargeItemDefinition", "EffectEvidenceSynthesis", "EventDefinition", "Evidence",
        "EvidenceVariable", "Library", "Measure", "PlanDefinition", "Questionnaire", "ResearchDefinition",
        "ResearchElementDefinition", "ResearchStudy", "RiskEvidenceSynthesis",
        # how systems speak: conformance and terminology
        "CapabilityStatement", "CodeSystem", "CompartmentDefinition", "ConceptMap", "ExampleScenario",
        "GraphDefinition", "ImplementationGuide", "MessageDefinition", "NamingSystem", "OperationDefinition",
        "SearchParameter", "StructureDefinition", "StructureMap", "TerminologyCapabilities", "TestScript",
        "ValueSet",
    }
)  # fmt: skip


@cache
def resource_types() -> frozenset[str]:
    """The concrete types of R4 that have an endpoint; Parameters is a request or an answer, never stored."""
    return concrete_types() - {"Parameters"}


@cache
def concrete_types() -> frozenset[str]:
    """All types that a resource may be of."""
    return frozenset(contents()["resources"])


@cache
def _homed_types() -> frozenset[str]:
    return frozenset(contents()["homed"]) - SHARED_TYPES


def is_homed_type(resource_type: str) -> bool:
    """Whether a resource of this type may be at home with a person; a Patient is its own home and does not count."""
    return resource_type in _homed_types()
