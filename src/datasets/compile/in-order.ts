/**
 * Makes the items 0 to count - 1, a few at a time, and takes each in its turn. At most `inFlight` items are being made
 * or waiting to be taken.
 */
export async function inOrder<Item>(
  count: number,
  inFlight: number,
  make: (item: number) => Promise<Item>,
  take: (item: Item) => Promise<void>,
): Promise<void> {
  const begun: Promise<Item>[] = [];
  const begin = (item: number) => {
    const making = make(item);
    // A failure is thrown when its turn comes; until then it is not unhandled.
    making.catch(() => {});
    begun.push(making);
  };
  let next = 0;
  try {
    for (let item = 0; item < count; item++) {
      while (next < count && next < item + inFlight) begin(next++);
      await take(await begun.shift()!);
    }
  } finally {
    await Promise.allSettled(begun);
  }
}
