/** A program that only starts. */
import { answerCalls } from '../ground/calls.ts'
import { usage } from './usage.ts'

const started = (_: null) => ({ ...usage(), at: performance.timeOrigin + performance.now() })
answerCalls({ started }, { call: 'started', argument: null })
