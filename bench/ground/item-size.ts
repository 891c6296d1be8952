import type { AttributeValue } from '@aws-sdk/client-dynamodb'

/**
 * The bytes that DynamoDB charges for an item of texts and numbers: names and values, a number with a byte for two digits and one
 * more. Its developer guide has the rules.
 */
export function itemSize(item: Readonly<Record<string, AttributeValue>>): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + sizeOf(value), 0)
}

function sizeOf({ S, N, NULL, BOOL }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S)
  if (N !== undefined) return numberSize(N)
  if (NULL !== undefined || BOOL !== undefined) return 1
  throw new RangeError('The item has a value that is no text and no number.')
}

/** Zeros at both ends do not count. */
function numberSize(text: string): number {
  const digits = text.replace(/[-.]/g, '').replace(/^0+|0+$/g, '').length
  return Math.ceil(digits / 2) + 1 + (text.startsWith('-') ? 1 : 0)
}
