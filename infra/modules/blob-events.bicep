metadata name = 'Blob events'
metadata description = 'Event Grid tells a storage queue of every blob that has been written completely to one container.'

@description('Required. Name of the system topic: 3 to 50 letters, digits and hyphens.')
@minLength(3)
@maxLength(50)
param name string

@description('Required. Name of the storage account, which holds the container, the queue and the dead letters.')
param storageAccountName string

@description('Required. The container that is watched.')
param containerName string

@description('Required. The queue that is told.')
param queueName string

@description('Required. The container for events that could not be delivered.')
param deadLetterContainerName string

@description('Required. Id of the Log Analytics workspace that gets the logs.')
param workspaceId string

@description('Optional. Region, which must be that of the storage account. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Tags of the topic.')
param tags { *: string } = {}

var storageQueueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'
var storageBlobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageAccountName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: account.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

// On the account, not on the queue and the container: Event Grid looks for the roles there when a subscription is made.
resource topicRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [storageQueueDataMessageSender, storageBlobDataContributor]: {
    name: guid(account.id, topic.id, role)
    scope: account
    properties: {
      principalId: topic.identity.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource subscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: queueName
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      subjectBeginsWith: '/blobServices/default/containers/${containerName}/blobs/'
      isSubjectCaseSensitive: true
      advancedFilters: [
        {
          // The calls after which a blob is whole; others raise the same event while it is still being written.
          operatorType: 'StringIn'
          key: 'data.api'
          values: ['PutBlob', 'PutBlockList', 'CopyBlob', 'FlushWithClose']
        }
      ]
    }
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: {
          resourceId: account.id
          queueName: queueName
          queueMessageTimeToLiveInSeconds: -1 // an event waits for as long as the app is away
        }
      }
    }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: account.id
          blobContainerName: deadLetterContainerName
        }
      }
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
  }
  dependsOn: [topicRole]
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: topic
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('The name of the system topic.')
output name string = topic.name
