import type { Tensor } from './runtime.js';

/** Lets batch norm see the rows of all replicas. Both give the same bits to each replica. */
export interface StatisticsExchange {
  /** The rows of all, `[rows, ...]` to `[count * rows, ...]`. */
  gather(rows: Tensor): Tensor;
  sum(x: Tensor): Tensor;
}

/** The part that this process has in a batch that several divide among them. */
export interface ReplicaScope {
  index: number;
  count: number;
  /** Of a batch, those that are here. */
  rows: number;
  /** Without it, batch norm has the statistics of the rows that are here. */
  statistics?: StatisticsExchange;
}

let current: ReplicaScope | undefined;

/** Calls `body` as a part of a divided batch: its batch norm and its random rows are those of the whole batch. */
export function withReplicaScope<Result>(scope: ReplicaScope, body: () => Result): Result {
  const before = current;
  current = scope;
  try {
    return body();
  } finally {
    current = before;
  }
}

/** Calls `body` with batch norm that sees the rows of this process only. */
export function withOwnStatistics<Result>(body: () => Result): Result {
  return current ? withReplicaScope({ ...current, statistics: undefined }, body) : body();
}

export function replicaScope(): ReplicaScope | undefined {
  return current;
}
