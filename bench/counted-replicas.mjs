import { tf } from '../dist/engine/index.js';

const bytesOf = ({ size }) => 4 * size;

/**
 * Replicas that count what this process gives to collectives. Count while a step is recorded: that calls each once.
 *
 * @param {import('../dist/training/index.js').Replicas} replicas
 * @returns {{replicas: import('../dist/training/index.js').Replicas, counts: {summedBytes: number, gatheredBytes: number, collectives: number}}}
 *   `gatheredBytes` are those of the own rows; what a gather's gradient sums is counted among `summedBytes`
 */
export function countingReplicas(replicas) {
  const counts = { summedBytes: 0, gatheredBytes: 0, collectives: 0 };
  const count = (kind, bytes, collectives = 1) => {
    counts[kind] += bytes;
    counts.collectives += collectives;
  };
  const { statistics } = replicas;
  const counting = {
    ...replicas,
    gather(rows) {
      count('gatheredBytes', bytesOf(rows));
      // Its gradient.
      count('summedBytes', bytesOf(rows) * replicas.count);
      return replicas.gather(rows);
    },
    mean(tensors) {
      const bytes = Object.values(tensors).reduce((sum, tensor) => sum + bytesOf(tensor), 0);
      count('summedBytes', bytes, Math.ceil(bytes / 50e6));
      return replicas.mean(tensors);
    },
    statistics: statistics && {
      gather(rows) {
        count('gatheredBytes', bytesOf(rows));
        return statistics.gather(rows);
      },
      sum(x) {
        count('summedBytes', bytesOf(x));
        return statistics.sum(x);
      },
    },
  };
  return { replicas: replicas.count === 1 ? replicas : counting, counts };
}

/**
 * Replicas that compute what those of a group do, each by itself, as if all others had the same rows: without them, a step takes
 * so much longer as communication costs.
 *
 * @param {{index: number, count: number}} place
 * @returns {import('../dist/training/index.js').Replicas}
 */
export function aloneReplicas({ index, count }) {
  const repeat = (rows) => (count === 1 ? rows : tf.concat(Array(count).fill(rows)));
  return {
    ...{ index, count, gather: repeat, statistics: { gather: repeat, sum: (x) => x.mul(count) } },
    mean: (tensors) => tensors,
    first: (work) => work(),
    leave: async () => {},
  };
}
