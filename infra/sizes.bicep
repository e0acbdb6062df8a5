metadata name = 'Sizes'
metadata description = 'What differs between a development, a test and a production environment; everything else is the same in all of them.'

@export()
@description('How often each timer function runs, as NCRONTAB with seconds, in UTC. Runs more than a minute apart let the app scale to zero.')
type schedulesType = {
  @description('Required. Looks for appointments, doses and refills that become due.')
  reminders: string
  @description('Required. Sends what is due.')
  outbox: string
  @description('Required. Follows the change feed; the time between runs bounds how far statistics are behind.')
  statistics: string
  @description('Required. Ends transactions that their request did not.')
  transactions: string
}

@export()
@description('When timers run and how updates and reminders behave.')
type behaviourType = {
  @description('Required. When the timer functions run.')
  schedules: schedulesType
  @description('Required. Hours before an appointment at which its reminder is due: 1 to 336.')
  @minValue(1)
  @maxValue(336)
  reminderLeadHours: int
  @description('Required. Refuse an update that does not name the version it edits.')
  requireIfMatch: bool
}

@export()
@description('A scale group of the function app and how many of its instances are kept warm.')
type alwaysReadyType = {
  @description('Required. The group: http, or function: and the name of a timer or queue function.')
  name: string
  @description('Required. Instances that are kept warm: 1 to 1,000.')
  @minValue(1)
  @maxValue(1000)
  instanceCount: int
}

@export()
@description('What one environment gets.')
type sizeType = {
  @description('Required. Memory of an instance of the function app in MB.')
  instanceMemoryMB: 512 | 2048 | 4096
  @description('Required. Most instances at once: 1 to 1,000.')
  @minValue(1)
  @maxValue(1000)
  maximumInstanceCount: int
  @description('Required. HTTP requests that one instance works on at once: 1 to 1,000.')
  @minValue(1)
  @maxValue(1000)
  httpConcurrency: int
  @description('Required. Instances that are kept warm; empty for none.')
  alwaysReady: alwaysReadyType[]
  @description('Required. Most request units per second of the database, in steps of 1,000.')
  @minValue(1000)
  @maxValue(1000000)
  cosmosMaxThroughput: int
  @description('Required. How far back the database can be restored to any second.')
  cosmosBackupTier: 'Continuous7Days' | 'Continuous30Days'
  @description('Required. Days for which a deleted blob or container can be brought back: 1 to 365.')
  @minValue(1)
  @maxValue(365)
  softDeleteDays: int
  @description('Required. Days that logs are kept: 30 to 730.')
  @minValue(30)
  @maxValue(730)
  logRetentionDays: int
  @description('Required. Spread database, storage and instances over availability zones; decided once, when they are made.')
  zoneRedundant: bool
  @description('Required. When timers run and how updates and reminders behave.')
  behaviour: behaviourType
}

@export()
@description('One environment for a developer: scales to zero, and its statistics may be minutes behind.')
var dev = {
  instanceMemoryMB: 2048
  maximumInstanceCount: 40
  httpConcurrency: 16
  alwaysReady: []
  cosmosMaxThroughput: 1000
  cosmosBackupTier: 'Continuous7Days'
  softDeleteDays: 7
  logRetentionDays: 30
  zoneRedundant: false
  behaviour: {
    schedules: {
      reminders: '0 */10 * * * *'
      outbox: '0 */5 * * * *'
      statistics: '0 */5 * * * *'
      transactions: '0 */5 * * * *'
    }
    reminderLeadHours: 24
    requireIfMatch: false
  }
}

@export()
@description('Behaves as production does, at the smallest size.')
var test = {
  ...dev
  cosmosMaxThroughput: 4000
  behaviour: {
    ...dev.behaviour
    schedules: {
      reminders: '0 */5 * * * *'
      outbox: '*/30 * * * * *'
      statistics: '*/10 * * * * *'
      transactions: '*/30 * * * * *'
    }
  }
}

@export()
@description('For people\'s records: survives the loss of a zone, and answers its first request without a cold start.')
var prod = {
  ...test
  maximumInstanceCount: 200
  alwaysReady: [{ name: 'http', instanceCount: 2 }]
  cosmosMaxThroughput: 20000
  cosmosBackupTier: 'Continuous30Days'
  softDeleteDays: 30
  logRetentionDays: 90
  zoneRedundant: true
}
