import type { Tensor } from './runtime.js';

let look: ((name: string, output: Tensor) => void) | undefined;

/** Calls `body`, and `onOutput` with what each layer in it makes that has a name (see `probed`), in the order of computation. */
export function withProbe<Result>(onOutput: (name: string, output: Tensor) => void, body: () => Result): Result {
  const before = look;
  look = onOutput;
  try {
    return body();
  } finally {
    look = before;
  }
}

/** Gives a layer's output a name, for who looks into a forward pass (see `withProbe`). It is given back as it is. */
export function probed(name: string, output: Tensor): Tensor {
  look?.(name, output);
  return output;
}
