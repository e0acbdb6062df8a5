metadata name = 'Test of the identity'
metadata description = 'Deploys the module by itself, twice: the second time must find nothing to change.'

@description('Optional. Region. Defaults to the region of the resource group.')
param location string = resourceGroup().location

@description('Optional. Short text that keeps the names of several test runs apart: up to 6 lowercase letters and digits.')
@maxLength(6)
param runName string = 'test'

var token = uniqueString(resourceGroup().id, runName)

@batchSize(1)
module identity '../modules/identity.bicep' = [
  for run in ['first', 'again']: {
    name: 'identity-${run}'
    params: {
      name: 'id-${token}'
      location: location
    }
  }
]
