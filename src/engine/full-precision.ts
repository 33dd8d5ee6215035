let depth = 0;

/**
 * Calls `body`, whose ops stay in float32 in a step of low precision (see `Precision`): what is computed once, from data, and
 * costs little.
 */
export function inFullPrecision<Result>(body: () => Result): Result {
  depth++;
  try {
    return body();
  } finally {
    depth--;
  }
}

/** Whether what runs now asks for it. */
export function wantsFullPrecision(): boolean {
  return depth > 0;
}
