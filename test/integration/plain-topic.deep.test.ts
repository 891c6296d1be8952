import { after, before, describe } from 'node:test'
import { startDynalite } from '../../infra/local/dynalite.ts'
import { startPlainSource } from '../support/dstore-source.ts'
import { type Rig, startRig } from '../support/world.ts'
import { conditionTests } from './conditions.ts'

describe('poller and recovery on a plain topic', () => {
  let rig: Rig
  before(async () => {
    const stop = async () => {}
    rig = await startRig({ name: '', startDynamo: startDynalite, startSource: startPlainSource, stop })
  })
  after(() => rig.stop())
  conditionTests((t, options) => rig.start(t, options))
})
