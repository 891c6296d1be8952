/**
 * The first line of the service's own code that a stack names, as `functions/tables/orders.ts:12:7`; null if there is none.
 * The bundles' stacks name the lines of the source. Handlers, and what they import, come before the code that calls them.
 */
export function placeIn(stack: string): string | null {
  const places = stack.split('\n').flatMap((line) => {
    const [, place] =
      /^\s+at (?:.* \()?((?!node:|file:|\/|.*node_modules\/)[^()]+:\d+:\d+)\)?$/.exec(line) ?? []
    return place === undefined ? [] : [place]
  })
  return places.find((place) => !place.startsWith('lib/')) ?? null
}
