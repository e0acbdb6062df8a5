metadata name = 'Function app'
metadata description = 'The functions on the Flex Consumption plan, with the app settings that tell them where everything is.'

import { alwaysReadyType, behaviourType } from '../sizes.bicep'

@description('What the app is told of the resources it uses; each field becomes one or two app settings.')
type connectionsType = {
  @description('Required. Endpoint of the Cosmos DB account.')
  cosmosEndpoint: string
  @description('Required. Name of the database.')
  cosmosDatabase: string
  @description('Required. Name of the storage account.')
  storageAccountName: string
  @description('Required. Endpoint of its blobs.')
  blobEndpoint: string
  @description('Required. Endpoint of its queues.')
  queueEndpoint: string
  @description('Required. Container of the storage account that holds the deployed package.')
  packagesContainer: string
  @description('Required. Endpoint of Communication Services.')
  emailEndpoint: string
  @description('Required. Address that mail comes from.')
  emailSender: string
  @description('Required. Where telemetry goes: the connection string of Application Insights.')
  telemetryEndpoint: string
}

@description('The identity that the app acts as.')
type identityType = {
  @description('Required. Its resource id.')
  id: string
  @description('Required. Its client id.')
  clientId: string
}

@description('Required. Name of the function app: 2 to 60 letters, digits and hyphens.')
@minLength(2)
@maxLength(60)
param name string

@description('Required. Name of its plan: 1 to 60 letters, digits and hyphens.')
@minLength(1)
@maxLength(60)
param planName string

@description('Required. The identity that the app acts as, with its roles already given.')
param identity identityType

@description('Required. The resources that the app uses.')
param connections connectionsType

@description('Required. Issuer of the access tokens that the API takes: the exact iss claim, an https URL with a discovery document.')
param tokenIssuer string

@description('Required. Audience of the access tokens that the API takes: the exact aud claim.')
param tokenAudience string

@description('Optional. Base of the FHIR API as callers see it, without a slash at the end. Defaults to the address of the app itself.')
param fhirBaseUrl string = ''

@description('Required. Id of the Log Analytics workspace that gets the logs.')
param workspaceId string

@description('Required. When timers run and how updates and reminders behave.')
param behaviour behaviourType

@description('Optional. Memory of an instance in MB; the share of a core grows with it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Optional. Most instances at once: 1 to 1,000.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Optional. HTTP requests that one instance works on at once: 1 to 1,000.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('Optional. Instances that are kept warm, per scale group; each is paid for as long as it is kept.')
param alwaysReady alwaysReadyType[] = []

@description('Optional. Spread the instances over availability zones.')
param zoneRedundant bool = false

@description('Optional. Region. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Tags of the resources; the function app also gets the name by which azd deploys to it.')
param tags { *: string } = {}

var appSettings = {
  // The host and its triggers.
  AzureWebJobsStorage__accountName: connections.storageAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.clientId
  DataStorage__blobServiceUri: connections.blobEndpoint
  DataStorage__queueServiceUri: connections.queueEndpoint
  DataStorage__credential: 'managedidentity'
  DataStorage__clientId: identity.clientId
  REMINDERS_SCHEDULE: behaviour.schedules.reminders
  OUTBOX_SCHEDULE: behaviour.schedules.outbox
  STATISTICS_SCHEDULE: behaviour.schedules.statistics
  TRANSACTIONS_SCHEDULE: behaviour.schedules.transactions
  APPLICATIONINSIGHTS_CONNECTION_STRING: connections.telemetryEndpoint
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
  // The functions.
  AZURE_CLIENT_ID: identity.clientId
  COSMOS_ENDPOINT: connections.cosmosEndpoint
  COSMOS_DATABASE: connections.cosmosDatabase
  TOKEN_ISSUER: tokenIssuer
  TOKEN_AUDIENCE: tokenAudience
  FHIR_BASE_URL: empty(fhirBaseUrl) ? 'https://${name}.azurewebsites.net/api/fhir' : fhirBaseUrl
  EMAIL_ENDPOINT: connections.emailEndpoint
  EMAIL_SENDER: connections.emailSender
  REMINDER_LEAD_HOURS: string(behaviour.reminderLeadHours)
  REQUIRE_IF_MATCH: behaviour.requireIfMatch ? 'true' : 'false'
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: {
    reserved: true // Linux
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'api' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${connections.blobEndpoint}${connections.packagesContainer}'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReady
        // Left out, Python gets one request per instance, though the functions mostly wait for Cosmos DB.
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
      remoteDebuggingEnabled: false
      appSettings: [for setting in items(appSettings): { name: setting.key, value: setting.value }]
    }
  }
}

// Deployments come with the deployer's own sign-in; the passwords of the publishing profile open nothing.
resource publishingPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = [
  for door in ['ftp', 'scm']: {
    parent: app
    name: door
    properties: { allow: false }
  }
]

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FunctionAppLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('The name of the function app.')
output name string = app.name

@description('Base of the FHIR API as callers see it.')
output fhirBaseUrl string = appSettings.FHIR_BASE_URL
