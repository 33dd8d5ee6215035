import { hasCustomOps } from '../custom-ops.js';
import { type Attribute, attribute } from '../runtime.js';

/** More windows of 2 MiB than that are not made. */
const mostProcesses = 64;

/**
 * What the processes of a cluster that are all on this machine call their shared memory, through which their collectives go:
 * TensorFlow's own go through gRPC, which copies each byte about nine times. Only where the ops for it are: on CPUs, with Linux.
 * That they all are here is known of loopback addresses only.
 *
 * @returns undefined if TensorFlow's collectives are to be used
 */
export function sharedMemoryName(addresses: readonly string[]): string | undefined {
  const isHere = addresses.every((address) => /^(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d+$/.test(address));
  const isAble = process.platform === 'linux' && hasCustomOps() && addresses.length <= mostProcesses;
  // Nobody else on this machine has the port of the first one.
  return isHere && isAble ? addresses[0] : undefined;
}

/** Attributes of the ops of kernel-setup/native/ops/exchange.cc, but for T. */
export function exchangeAttributes(
  { index, count, timeoutSeconds }: { index: number; count: number; timeoutSeconds: number },
  name: string,
): Attribute[] {
  return [
    attribute.string('group', name),
    attribute.int('index', index),
    attribute.int('count', count),
    attribute.float('timeout_seconds', timeoutSeconds),
  ];
}
