const isAwake = () => {}

/** Lets one waiter rest until something happens. */
export class Waiter {
  #wake = isAwake

  /** Something happened. Does nothing while the waiter is awake. */
  wake(): void {
    this.#wake()
  }

  /** Resolves with the next `wake`. */
  rest(): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#wake = () => {
        // V8 reports to Node each promise that is resolved again. With a wake for each event, that costs more than the event's header.
        this.#wake = isAwake
        resolve()
      }
    })
  }
}
