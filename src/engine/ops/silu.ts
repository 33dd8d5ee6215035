import { type Tensor, tf, withGradient } from '../runtime.js';

/** x times its sigmoid (Ramachandran et al., 2017; arXiv 1710.05941), also called swish; keeps only x for its gradient. */
export function silu(x: Tensor): Tensor {
  return withGradient([x], (save) => {
    save([x]);
    return {
      value: x.mul(tf.sigmoid(x)),
      gradient: (dy, saved) => {
        const x = saved[0]!;
        const gate = tf.sigmoid(x) as Tensor;
        return [() => dy.mul(gate.mul(x.mul(tf.sub(1, gate)).add(1)))];
      },
    };
  });
}
