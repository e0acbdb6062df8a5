metadata name = 'Test of the blob events'
metadata description = 'Deploys the module by itself, twice: the second time must find nothing to change.'

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

@batchSize(1)
module blobEvents '../modules/blob-events.bicep' = [
  for run in ['first', 'again']: {
    name: 'blob-events-${run}'
    params: {
      name: 'evgt-${token}'
      storageAccountName: storage.outputs.name
      containerName: storage.outputs.bundlesContainer
      queueName: storage.outputs.bundleEventsQueue
      deadLetterContainerName: storage.outputs.deadLettersContainer
      workspaceId: monitoring.outputs.workspaceId
      location: location
    }
  }
]
