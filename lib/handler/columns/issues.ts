import type * as z from 'zod'

/**
 * Marks an issue whose message is ours and contains no part of the value. It is the issue's `params`; zod keeps its
 * identity.
 */
export const valueFree: Readonly<Record<string, never>> = Object.freeze({})

/** These replace zod's messages, which can quote keys of a document, and a handler's own, which can contain any data. */
const descriptions: Readonly<Record<z.core.$ZodIssue['code'], string>> = {
  invalid_type: 'has another type than declared',
  too_big: 'is above the declared maximum',
  too_small: 'is below the declared minimum',
  invalid_format: 'has not the declared format',
  not_multiple_of: 'is not a multiple of the declared number',
  unrecognized_keys: 'has members that are not declared',
  invalid_union: 'is none of the declared alternatives',
  invalid_key: 'has a key that is not as declared',
  invalid_element: 'has an element that is not as declared',
  invalid_value: 'is not one of the declared values',
  custom: 'is refused by a check of its schema',
}

/** Why a value is refused, without any part of the value. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  return isValueFree(issue) ? issue.message : descriptions[issue.code]
}

/** True if the issue comes from a check in the handler's own schema. */
export function isHandlersCheck(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && !isValueFree(issue)
}

function isValueFree(issue: z.core.$ZodIssue): boolean {
  return issue.code === 'custom' && issue.params === valueFree
}
