using 'main.bicep'

import { dev, test, prod } from 'sizes.bicep'

// azd reads the one parameter file that has the name of the module; its environment says which size it is.
var sizes = { dev: dev, test: test, prod: prod }

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param size = sizes[readEnvironmentVariable('PORTAL_SIZE')]
param tokenIssuer = readEnvironmentVariable('TOKEN_ISSUER')
param tokenAudience = readEnvironmentVariable('TOKEN_AUDIENCE')
param fhirBaseUrl = readEnvironmentVariable('FHIR_BASE_URL', '')
param emailDataLocation = readEnvironmentVariable('EMAIL_DATA_LOCATION')
param emailDomain = readEnvironmentVariable('EMAIL_DOMAIN', '')
param emailDomainVerified = bool(readEnvironmentVariable('EMAIL_DOMAIN_VERIFIED', 'false'))
