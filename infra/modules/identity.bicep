metadata name = 'Identity of the function app'
metadata description = 'The one user-assigned identity that the function app acts as; other modules give it the roles it needs on what they make.'

@description('Required. Name of the identity: 3 to 128 letters, digits, hyphens and underscores.')
@minLength(3)
@maxLength(128)
param name string

@description('Optional. Region. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Tags of the resource.')
param tags { *: string } = {}

// User-assigned, so that its roles exist before the app does: the app starts with everything in reach.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('The resource id of the identity.')
output id string = identity.id

@description('The object id, to which roles are given.')
output principalId string = identity.properties.principalId

@description('The client id, for the app setting AZURE_CLIENT_ID.')
output clientId string = identity.properties.clientId
