/**
 * Loaded into the local process that hosts the functions (`node --import`). After each rebuild, serverless-offline ends the workers of
 * all functions. A poller that ends in the middle of a run keeps its lease for a minute, and the stream waits. With this, a worker
 * that is at work ends after its invocation. New invocations get a new worker, with the new code.
 */
import { isMainThread } from 'node:worker_threads'

/** The part of serverless-offline's class that is used here: a function's worker, as the pool of workers holds it. */
interface LambdaFunction {
  readonly status: 'IDLE' | 'BUSY'
  runHandler(): Promise<unknown>
  cleanup(): Promise<void>
}

if (isMainThread) {
  const path = './lambda/LambdaFunction.js'
  const { default: Class } = (await import(
    new URL(path, import.meta.resolve('serverless-offline')).href
  )) as { default: { prototype: LambdaFunction } }
  letWorkersFinish(Class.prototype)
}

/** @param prototype of `LambdaFunction` */
export function letWorkersFinish(prototype: LambdaFunction): void {
  const { runHandler, cleanup } = prototype
  const retired = new WeakSet<LambdaFunction>()
  prototype.cleanup = async function () {
    // The pool forgets the worker after this, so that it gets no other invocation.
    if (this.status === 'BUSY') retired.add(this)
    else await cleanup.call(this)
  }
  prototype.runHandler = async function () {
    try {
      return await runHandler.call(this)
    } finally {
      if (retired.has(this)) await cleanup.call(this)
    }
  }
}
