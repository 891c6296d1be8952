import kafkajs from 'kafkajs/src/errors.js'
import { DtsError } from '../errors.ts'
import { messageOf } from '../text/thrown.ts'
import { type BrokerAddress, formatAddress } from './address.ts'

/** Sends a request to a broker. @throws DtsError BROKER_FAILED if the request fails */
export async function ask<Result>(
  address: BrokerAddress,
  what: string,
  request: () => Promise<Result>,
): Promise<Result> {
  try {
    return await request()
  } catch (cause) {
    throw brokerFailed(formatAddress(address), what, cause)
  }
}

/** A failed request as a DtsError. The facts contain the broker's error type. */
export function brokerFailed(where: string, what: string, cause: unknown): DtsError {
  if (cause instanceof DtsError) return cause
  const type = cause instanceof kafkajs.KafkaJSProtocolError ? cause.type : null
  const reason = messageOf(cause)
  return new DtsError('BROKER_FAILED', `${where} failed at ${what}: ${reason}. The next run tries again.`, {
    retryable: true,
    facts: { broker: where, request: what, type },
    cause,
  })
}

/** The type of the Kafka protocol error that caused `error` (such as `INVALID_GROUP_ID`), or null. */
export function protocolErrorType(error: unknown): string | null {
  if (error instanceof kafkajs.KafkaJSProtocolError) return error.type
  return error instanceof DtsError && error.cause !== undefined ? protocolErrorType(error.cause) : null
}

/** A partition by name, as requests and answers carry it. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The part of an answer that is about our partition, or undefined. An answer for another partition is no answer. */
export function partOf<Part extends { readonly partition: number }>(
  topics: readonly { readonly topic: string; readonly partitions: readonly Part[] }[],
  { topic, partition }: TopicPartition,
): Part | undefined {
  return topics
    .filter((answer) => answer.topic === topic)
    .flatMap(({ partitions }) => partitions)
    .find((part) => part.partition === partition)
}

/** An answer that lacks our partition. */
export function incomplete(address: BrokerAddress, what: string, { topic, partition }: TopicPartition) {
  const reason = new Error(`the answer does not contain partition ${partition} of ${topic}`)
  return brokerFailed(formatAddress(address), what, reason)
}
