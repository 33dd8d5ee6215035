/** How a tensor lies in its storage, in elements. */
export interface Layout {
  offset: number;
  shape: readonly number[];
  strides: readonly number[];
}

/** Strides of the last axis first: as they are without gaps. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** The elements from a tensor's first to behind its last. */
export function spanOf({ offset, shape, strides }: Layout): [begin: number, end: number] {
  if (shape.includes(0)) return [offset, offset];
  return [offset, offset + 1 + shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis]!, 0)];
}

/**
 * The elements of a tensor one behind the other.
 *
 * @param bytes those of its span
 * @param width bytes of an element
 */
export function gathered(bytes: ArrayBuffer, { shape, strides }: Layout, width: number): ArrayBuffer {
  const dense = rowMajor(shape);
  if (shape.every((length, axis) => length === 1 || strides[axis] === dense[axis])) return bytes;
  const count = shape.reduce((product, length) => product * length, 1);
  const [from, to] = [new Uint8Array(bytes), new Uint8Array(count * width)];
  const index = shape.map(() => 0);
  let place = 0;
  for (let element = 0; element < count; element++) {
    for (let byte = 0; byte < width; byte++) to[element * width + byte] = from[place * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      place -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return to.buffer;
}
