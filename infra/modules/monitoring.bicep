metadata name = 'Monitoring'
metadata description = 'The Log Analytics workspace that every log ends in, and the Application Insights component of the function app.'

@description('Required. Name of the workspace: 4 to 63 letters, digits and hyphens.')
@minLength(4)
@maxLength(63)
param workspaceName string

@description('Required. Name of the Application Insights component: 1 to 260 characters.')
@minLength(1)
@maxLength(260)
param applicationInsightsName string

@description('Required. Object id of the identity that may send telemetry.')
param publisherPrincipalId string

@description('Optional. Days that logs are kept: 30 to 730.')
@minValue(30)
@maxValue(730)
param retentionDays int = 90

@description('Optional. Region. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Tags of the resources.')
param tags { *: string } = {}

var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true // who may see a resource may see its logs, and no others
    }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: applicationInsightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true // telemetry is taken from an identity only; the connection string names the place, it opens nothing
    DisableIpMasking: false // callers are patients: their addresses are not kept
  }
}

resource publisherRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(component.id, publisherPrincipalId, monitoringMetricsPublisher)
  scope: component
  properties: {
    principalId: publisherPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
  }
}

// The component needs no diagnostic setting: it writes into the workspace by itself, and a setting would store all of it twice.
resource workspaceLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: workspace
  properties: {
    workspaceId: workspace.id
    logs: [{ categoryGroup: 'audit', enabled: true }] // who asked what of the logs
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('The id of the workspace, for diagnostic settings.')
output workspaceId string = workspace.id

@description('The name of the Application Insights component.')
output applicationInsightsName string = component.name

@description('Where telemetry is sent, for the app setting APPLICATIONINSIGHTS_CONNECTION_STRING; with local authentication off it is an address, not a key.')
output telemetryEndpoint string = component.properties.ConnectionString
