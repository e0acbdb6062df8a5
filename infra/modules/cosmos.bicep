metadata name = 'Records store'
metadata description = 'The Cosmos DB account, its database and its containers: every FHIR resource, one patient per partition.'

@description('Required. Name of the account: 3 to 44 lowercase letters, digits and hyphens.')
@minLength(3)
@maxLength(44)
param name string

@description('Required. Object id of the identity that reads and writes items.')
param dataContributorPrincipalId string

@description('Required. Id of the Log Analytics workspace that gets the logs.')
param workspaceId string

@description('Optional. Name of the database, for the app setting COSMOS_DATABASE: 1 to 255 characters.')
@minLength(1)
@maxLength(255)
param databaseName string = 'portal'

@description('Optional. Most request units per second that the database scales to, in steps of 1,000; a tenth of it is paid when idle.')
@minValue(1000)
@maxValue(1000000)
param autoscaleMaxThroughput int = 1000

@description('Optional. How far back the account can be restored to any second.')
@allowed(['Continuous7Days', 'Continuous30Days'])
param backupTier string = 'Continuous30Days'

@description('Optional. Spread the replicas over availability zones; cannot be changed once the account is there.')
param zoneRedundant bool = false

@description('Optional. Enabled takes calls from anywhere, but only from identities that have a role; Disabled needs private endpoints.')
@allowed(['Enabled', 'Disabled'])
param publicNetworkAccess string = 'Enabled'

@description('Optional. Region. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Tags of the account.')
param tags { *: string } = {}

var builtInDataContributor = '00000000-0000-0000-0000-000000000002'
var containers = loadJsonContent('../containers.json').containers

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    // A reader of a marked item reads its transaction's header next, and must not get one that is older than the mark.
    consistencyPolicy: { defaultConsistencyLevel: 'Strong' }
    locations: [{ locationName: location, failoverPriority: 0, isZoneRedundant: zoneRedundant }]
    disableLocalAuth: true // identities only: no key exists to leak
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: publicNetworkAccess
    backupPolicy: { type: 'Continuous', continuousModeProperties: { tier: backupTier } }
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-10-15' = {
  parent: account
  name: databaseName
  properties: {
    resource: { id: databaseName }
    // Shared by the containers: most of them are quiet most of the time, and each of its own would cost its own minimum.
    options: { autoscaleSettings: { maxThroughput: autoscaleMaxThroughput } }
  }
}

@batchSize(1) // the account takes one change of a database at a time
resource container 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = [
  for definition in containers: {
    parent: database
    name: definition.name
    properties: {
      resource: union(
        {
          id: definition.name
          partitionKey: definition.partitionKey
          indexingPolicy: definition.indexingPolicy
        },
        contains(definition, 'defaultTtl') ? { defaultTtl: definition.?defaultTtl } : {}
      )
    }
  }
]

resource dataContributor 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = {
  parent: account
  name: guid(account.id, dataContributorPrincipalId, builtInDataContributor)
  properties: {
    principalId: dataContributorPrincipalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${builtInDataContributor}'
    scope: account.id // not the database: the SDK reads the account's properties first
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated' // typed tables, which can be given their own retention
    logs: [
      { category: 'DataPlaneRequests', enabled: true }
      { category: 'ControlPlaneRequests', enabled: true }
      // Texts of queries come without their literals; "full text query" would add them, and is off unless switched on by hand.
      { category: 'QueryRuntimeStatistics', enabled: true }
      { category: 'PartitionKeyStatistics', enabled: true }
      { category: 'PartitionKeyRUConsumption', enabled: true }
    ]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('The name of the account.')
output name string = account.name

@description('The endpoint of the account, for the app setting COSMOS_ENDPOINT.')
output endpoint string = account.properties.documentEndpoint

@description('The name of the database, for the app setting COSMOS_DATABASE.')
output databaseName string = database.name
