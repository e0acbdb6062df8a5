metadata name = 'Email'
metadata description = 'Communication Services with an email domain of Azure\'s own and, on request, one of the operator\'s.'

@description('Required. Name of the Communication Services resource: 1 to 63 letters, digits and hyphens.')
@minLength(1)
@maxLength(63)
param name string

@description('Required. Name of the email service: 1 to 63 letters, digits and hyphens.')
@minLength(1)
@maxLength(63)
param emailServiceName string

@description('Required. Object id of the identity that sends email.')
param senderPrincipalId string

@description('Required. Id of the Log Analytics workspace that gets the logs.')
param workspaceId string

@description('Required. Geography in which messages are kept at rest, such as Europe or United States; cannot be changed later.')
param dataLocation string

@description('Optional. A domain of your own to send from, such as mail.portal.example; empty for the domain that Azure provides.')
param customDomain string = ''

@description('Conditional. True once the DNS records of customDomain are verified; only then can it send. Needs customDomain.')
param customDomainVerified bool = false

@description('Optional. Tags of the resources.')
param tags { *: string } = {}

var communicationAndEmailServiceOwner = '09976791-48a7-449e-bb21-39d1a415f350'
var sendsFromCustomDomain = !empty(customDomain) && customDomainVerified

resource emailService 'Microsoft.Communication/emailServices@2025-09-01' = {
  name: emailServiceName
  location: 'global'
  tags: tags
  properties: { dataLocation: dataLocation }
}

resource azureDomain 'Microsoft.Communication/emailServices/domains@2025-09-01' = {
  parent: emailService
  name: 'AzureManagedDomain'
  location: 'global'
  tags: tags
  properties: {
    domainManagement: 'AzureManaged'
    userEngagementTracking: 'Disabled' // who opened which reminder is nobody's business
  }
}

resource ownDomain 'Microsoft.Communication/emailServices/domains@2025-09-01' = if (!empty(customDomain)) {
  parent: emailService
  name: empty(customDomain) ? 'none' : customDomain // a name is checked even when the resource is not made
  location: 'global'
  tags: tags
  properties: {
    domainManagement: 'CustomerManaged'
    userEngagementTracking: 'Disabled'
  }
}

resource communication 'Microsoft.Communication/communicationServices@2025-09-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    dataLocation: dataLocation
    disableLocalAuth: true // no access keys
    linkedDomains: [sendsFromCustomDomain ? ownDomain.id : azureDomain.id]
  }
}

// The least that can send: Communication Services honours no custom roles, and none of its own roles is narrower.
resource senderRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(communication.id, senderPrincipalId, communicationAndEmailServiceOwner)
  scope: communication
  properties: {
    principalId: senderPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', communicationAndEmailServiceOwner)
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: communication
  properties: {
    workspaceId: workspaceId
    logs: [
      // Not the status updates: they carry the recipients' addresses.
      { category: 'EmailSendMailOperational', enabled: true }
      { category: 'AuthOperational', enabled: true }
    ]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('The endpoint, for the app setting EMAIL_ENDPOINT.')
output endpoint string = 'https://${communication.properties.hostName}'

@description('The address that mail comes from, for the app setting EMAIL_SENDER.')
output sender string = sendsFromCustomDomain
  ? 'DoNotReply@${customDomain}'
  : 'DoNotReply@${azureDomain.properties.fromSenderDomain}'

@description('The DNS records that prove customDomain to be yours and let it send (Domain, SPF, DKIM, DKIM2, DMARC); empty without one.')
output domainRecords object = empty(customDomain) ? {} : ownDomain!.properties.verificationRecords
