metadata name = 'Storage'
metadata description = 'The storage account: files to be loaded, the queue that tells of them, the app package and the state of the Functions host.'

@description('Required. Name of the account: 3 to 24 lowercase letters and digits.')
@minLength(3)
@maxLength(24)
param name string

@description('Required. Object id of the identity that the function app acts as.')
param appPrincipalId string

@description('Required. Id of the Log Analytics workspace that gets the logs.')
param workspaceId string

@description('Optional. How the data is replicated.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param skuName string = 'Standard_LRS'

@description('Optional. Days for which a deleted blob or container can be brought back: 1 to 365.')
@minValue(1)
@maxValue(365)
param softDeleteDays int = 14

@description('Optional. Enabled takes calls from anywhere, but only from identities that have a role; Disabled needs private endpoints.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string = 'Enabled'

@description('Optional. Region. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Tags of the account.')
param tags { *: string } = {}

var bundles = 'bundles'
var bundleEvents = 'bundle-events'
var packages = 'app-packages'
var deadLetters = 'dead-letters'

var storageBlobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var storageQueueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var storageTableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: skuName }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false // identities only: the keys exist but open nothing
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: publicNetworkAccess
  }
}

resource blobService 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: softDeleteDays }
    containerDeleteRetentionPolicy: { enabled: true, days: softDeleteDays }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for containerName in [bundles, packages, deadLetters]: {
    parent: blobService
    name: containerName
    properties: { publicAccess: 'None' }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

// The host would make the poison queue when it first needs it; made here, the app needs no right to make queues.
resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for queueName in [bundleEvents, '${bundleEvents}-poison']: {
    parent: queueService
    name: queueName
  }
]

// Owner is what the Functions host asks for on the blobs of its storage: it makes containers of its own and takes leases.
resource blobRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, storageBlobDataOwner)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataOwner)
  }
}

// Contributor, not Message Processor: giving a message back to the queue and renewing it are updates, which that role lacks.
resource queueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (queueName, i) in [bundleEvents, '${bundleEvents}-poison']: {
    name: guid(account.id, queueName, appPrincipalId, storageQueueDataContributor)
    scope: queue[i]
    properties: {
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataContributor)
    }
  }
]

// The host keeps its diagnostic events, such as a function that could not be loaded, in a table.
resource tableRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, storageTableDataContributor)
  scope: account
  properties: {
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageTableDataContributor)
  }
}

resource accountMetrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account
  properties: {
    workspaceId: workspaceId
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: blobService
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: queueService
  properties: {
    workspaceId: workspaceId
    logs: [
      // Not reads: an idle trigger looks every two seconds, and each look would be a log line.
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('The name of the account, for the app setting AzureWebJobsStorage__accountName.')
output name string = account.name

@description('The endpoint of its blobs, for the app setting DataStorage__blobServiceUri.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('The endpoint of its queues, for the app setting DataStorage__queueServiceUri.')
output queueEndpoint string = account.properties.primaryEndpoints.queue

@description('The container whose new blobs are loaded.')
output bundlesContainer string = container[0].name

@description('The container that holds the deployed package of the app.')
output packagesContainer string = container[1].name

@description('The container for events that could not be delivered.')
output deadLettersContainer string = container[2].name

@description('The queue that tells of new blobs.')
output bundleEventsQueue string = queue[0].name
