import { setImmediate } from 'node:timers/promises';
import { throwIfInterrupted } from './interrupt.js';

/** How long a calculation keeps the event loop, ms. */
const turn = 50;

/**
 * Runs a long calculation that yields after each of its parts. The event loop runs in between, so that a notebook's kernel
 * hears interrupts and answers its heartbeat.
 *
 * @param what for the error's message
 * @throws InterruptedError if `signal` aborts
 */
export async function inTurns<Result>(
  calculation: Generator<unknown, Result>,
  what: string,
  signal?: AbortSignal,
): Promise<Result> {
  for (let began = performance.now(); ; ) {
    const next = calculation.next();
    if (next.done) return next.value;
    if (performance.now() - began < turn) continue;
    await setImmediate();
    throwIfInterrupted(signal, what);
    began = performance.now();
  }
}

/** Runs such a calculation at once, for short ones. */
export function atOnce<Result>(calculation: Generator<unknown, Result>): Result {
  for (;;) {
    const next = calculation.next();
    if (next.done) return next.value;
  }
}
