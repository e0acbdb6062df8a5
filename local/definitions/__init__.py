"""Makes the FHIR definitions that the app reads from the packages that HL7 publishes."""
