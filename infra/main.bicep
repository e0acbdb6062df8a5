metadata name = 'Health portal'
metadata description = 'One environment of the portal\'s back end: a resource group with everything in it, and no key anywhere.'

targetScope = 'subscription'

import { sizeType } from 'sizes.bicep'

@description('Required. Name of the environment, such as dev, test or prod: 1 to 20 lowercase letters, digits and hyphens. Part of every name.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('Required. Region of everything: one that offers Functions on Flex Consumption and, for prod, availability zones.')
param location string

@description('Required. What the environment gets; sizes.bicep has one for dev, test and prod.')
param size sizeType

@description('Required. Issuer of the access tokens that the API takes: the exact iss claim, an https URL with a discovery document.')
param tokenIssuer string

@description('Required. Audience of the access tokens that the API takes: the exact aud claim.')
param tokenAudience string

@description('Optional. Base of the FHIR API as callers see it, without a slash at the end. Defaults to the address of the function app.')
param fhirBaseUrl string = ''

@description('Required. Geography in which sent messages are kept at rest, such as Europe or United States; cannot be changed later.')
param emailDataLocation string

@description('Optional. A domain of your own to send mail from; empty for the domain that Azure provides.')
param emailDomain string = ''

@description('Conditional. True once the DNS records of emailDomain are verified; until then mail goes out from the domain that Azure provides. Needs emailDomain.')
param emailDomainVerified bool = false

// The same subscription, environment and region give the same names, so that deploying again changes nothing.
var token = uniqueString(subscription().id, environmentName, location)
var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-portal-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-portal-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-portal-${token}'
    applicationInsightsName: 'appi-portal-${token}'
    publisherPrincipalId: identity.outputs.principalId
    retentionDays: size.logRetentionDays
    location: location
    tags: tags
  }
}

module cosmos 'modules/cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    name: 'cosmos-portal-${token}'
    dataContributorPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    autoscaleMaxThroughput: size.cosmosMaxThroughput
    backupTier: size.cosmosBackupTier
    zoneRedundant: size.zoneRedundant
    location: location
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stportal${token}'
    appPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    skuName: size.zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    softDeleteDays: size.softDeleteDays
    location: location
    tags: tags
  }
}

module blobEvents 'modules/blob-events.bicep' = {
  name: 'blob-events'
  scope: group
  params: {
    name: 'evgt-portal-${token}'
    storageAccountName: storage.outputs.name
    containerName: storage.outputs.bundlesContainer
    queueName: storage.outputs.bundleEventsQueue
    deadLetterContainerName: storage.outputs.deadLettersContainer
    workspaceId: monitoring.outputs.workspaceId
    location: location
    tags: tags
  }
}

module keyVault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: 'kv-portal-${token}'
    readerPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    location: location
    tags: tags
  }
}

module email 'modules/email.bicep' = {
  name: 'email'
  scope: group
  params: {
    name: 'acs-portal-${token}'
    emailServiceName: 'email-portal-${token}'
    senderPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    dataLocation: emailDataLocation
    customDomain: emailDomain
    customDomainVerified: emailDomainVerified
    tags: tags
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    name: 'func-portal-${token}'
    planName: 'plan-portal-${token}'
    identity: { id: identity.outputs.id, clientId: identity.outputs.clientId }
    connections: {
      cosmosEndpoint: cosmos.outputs.endpoint
      cosmosDatabase: cosmos.outputs.databaseName
      storageAccountName: storage.outputs.name
      blobEndpoint: storage.outputs.blobEndpoint
      queueEndpoint: storage.outputs.queueEndpoint
      packagesContainer: storage.outputs.packagesContainer
      emailEndpoint: email.outputs.endpoint
      emailSender: email.outputs.sender
      telemetryEndpoint: monitoring.outputs.telemetryEndpoint
    }
    tokenIssuer: tokenIssuer
    tokenAudience: tokenAudience
    fhirBaseUrl: fhirBaseUrl
    workspaceId: monitoring.outputs.workspaceId
    behaviour: size.behaviour
    instanceMemoryMB: size.instanceMemoryMB
    maximumInstanceCount: size.maximumInstanceCount
    httpConcurrency: size.httpConcurrency
    alwaysReady: size.alwaysReady
    zoneRedundant: size.zoneRedundant
    location: location
    tags: tags
  }
}

@description('The resource group, in which azd finds the app to deploy to.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The function app.')
output functionAppName string = functionApp.outputs.name

@description('The base of the FHIR API as callers see it.')
output fhirEndpoint string = functionApp.outputs.fhirBaseUrl

@description('The storage account; files put into its container bundles are loaded.')
output storageAccountName string = storage.outputs.name

@description('The Cosmos DB account.')
output cosmosAccountName string = cosmos.outputs.name

@description('The Key Vault.')
output keyVaultName string = keyVault.outputs.name

@description('The Application Insights component.')
output applicationInsightsName string = monitoring.outputs.applicationInsightsName

@description('The DNS records to make for emailDomain; empty without one.')
output emailDomainRecords object = email.outputs.domainRecords
