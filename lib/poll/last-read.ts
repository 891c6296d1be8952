/** Finds the offset at which the last bytes that a run has read begin. */
export class LastRead {
  readonly #bytes: number
  readonly #parts: { readonly from: bigint; readonly bytes: number }[] = []
  #sum = 0

  /** @param bytes how many; the parts that hold them may hold a little more */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  add(from: bigint, bytes: number): void {
    this.#parts.push({ from, bytes })
    this.#sum += bytes
    for (;;) {
      const rest = this.#sum - (this.#parts[0]?.bytes ?? 0)
      if (rest < this.#bytes) return
      this.#parts.shift()
      this.#sum = rest
    }
  }

  /**
   * The offset where they begin.
   * @param share above 0 and at most 1: of the last part of them
   */
  from(share: number): bigint {
    let rest = share * this.#bytes
    let at = share < 1 ? this.#parts.length : 0
    while (at > 0 && rest > 0) {
      at -= 1
      rest -= this.#parts[at]?.bytes ?? 0
    }
    return this.#parts[at]?.from ?? 0n
  }
}
