import type { ColumnValue } from './types.ts'

/** The decoded values of one image, in the order of the columns that are read, and where each lies in the record. */
export class ImageSlots {
  values: (ColumnValue | undefined)[] = []
  starts = new Int32Array(0)
  ends = new Int32Array(0)
  /** False after a value is undefined: the image does not have that column. */
  complete = true

  reset(size: number): void {
    this.complete = true
    if (this.starts.length >= size) return
    this.values = Array.from({ length: size }, () => undefined)
    this.starts = new Int32Array(size)
    this.ends = new Int32Array(size)
  }
}

/**
 * The before image is kept while the after image is read. An update leaves most columns as they are, and comparing a
 * value's bytes is several times faster than decoding it again.
 */
export const beforeImage = new ImageSlots()
export const afterImage = new ImageSlots()
