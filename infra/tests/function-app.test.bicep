metadata name = 'Test of the function app'
metadata description = 'Deploys the module by itself, twice: the second time must find nothing to change.'

import { dev } from '../sizes.bicep'

@description('Optional. Region. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Short text that keeps the names of several test runs apart: up to 6 lowercase letters and digits.')
@maxLength(6)
param runName string = 'test'

var token = uniqueString(resourceGroup().id, runName)

module identity '../modules/identity.bicep' = {
  name: 'identity'
  params: { name: 'id-${token}', location: location }
}

module monitoring '../modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    workspaceName: 'log-${token}'
    applicationInsightsName: 'appi-${token}'
    publisherPrincipalId: identity.outputs.principalId
    retentionDays: 30
    location: location
  }
}

module storage '../modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: 'st${token}'
    appPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    softDeleteDays: 1
    location: location
  }
}

// No database and no email: an app that has no code asks for neither.
@batchSize(1)
module functionApp '../modules/function-app.bicep' = [
  for run in ['first', 'again']: {
    name: 'function-app-${run}'
    params: {
      name: 'func-${token}'
      planName: 'plan-${token}'
      identity: { id: identity.outputs.id, clientId: identity.outputs.clientId }
      connections: {
        cosmosEndpoint: 'https://portal.example'
        cosmosDatabase: 'portal'
        storageAccountName: storage.outputs.name
        blobEndpoint: storage.outputs.blobEndpoint
        queueEndpoint: storage.outputs.queueEndpoint
        packagesContainer: storage.outputs.packagesContainer
        emailEndpoint: 'https://portal.example'
        emailSender: 'DoNotReply@portal.example'
        telemetryEndpoint: monitoring.outputs.telemetryEndpoint
      }
      tokenIssuer: 'https://portal.example'
      tokenAudience: 'api://health-portal'
      workspaceId: monitoring.outputs.workspaceId
      behaviour: dev.behaviour
      location: location
    }
  }
]
