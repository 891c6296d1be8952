import { type DeliveryInput, deliverySchema, type Route } from '../../../lib/dispatch/settings.ts'

/** A route with the defaults, but for `settings`. */
export function route(functionName: string, settings: DeliveryInput = {}): Route {
  return { ...deliverySchema.parse(settings), functionName }
}
