import { afterEach } from 'vitest';
import type { KernelServices } from '../../src/base/index.js';

export type Message = Parameters<KernelServices['display']>[0];

const name = Symbol.for('pathlab.kernel');
const globals = globalThis as Record<symbol, unknown>;
afterEach(() => {
  delete globals[name];
});

/** Stands at the kernel's side of the contract until the test ends, and keeps what crosses it. */
export function openKernel(): Message[] {
  const messages: Message[] = [];
  const services: KernelServices = {
    display: (message) => messages.push(message),
    interruptSignal: () => new AbortController().signal,
  };
  globals[name] = services;
  return messages;
}

/** What was shown, in words. */
export function saidBy(messages: readonly Message[]): string[] {
  return messages.map(({ data }) => String(data['text/plain']));
}
