import { softmaxCrossEntropy, type Tensor, tf } from '../engine/index.js';

/**
 * DINO's loss (Caron et al., 2021, arXiv 2104.14294, equations 1 to 3): cross entropy of the student's outputs of a view
 * against the teacher's of another, averaged over the pairs and the batch.
 *
 * @param student `[views x batch, outputs]`: all of the first view, of the second...; the first two are the global ones
 * @param teacher `[2 x batch, outputs]`, of the global views; no gradient should flow to it
 * @param center `[1, outputs]`, is taken from the teacher's outputs
 * @returns a scalar in nats
 */
export function dinoLoss(
  student: Tensor,
  teacher: Tensor,
  center: Tensor,
  options: { views: number; studentTemperature: number; teacherTemperature: Tensor },
): Tensor {
  const { views, studentTemperature, teacherTemperature } = options;
  const batch = teacher.shape[0]! / 2;
  if (views < 2 || student.shape[0] !== views * batch) {
    throw new RangeError(
      `dinoLoss takes ${views} views (two or more) of ${batch} patches from the student; got [${student.shape}]`,
    );
  }
  const [first, second] = tf.split(tf.softmax(teacher.sub(center).div(teacherTemperature)), 2) as [Tensor, Tensor];
  const locals = views - 2;
  // A local view meets both targets: as much as their mean, twice.
  const mean = first.add(second).mul(0.5);
  const targets = tf.concat([second, first, ...Array.from({ length: locals }, () => mean)]);
  const terms = tf.tensor1d(Array.from({ length: views * batch }, (_, row) => (row < 2 * batch ? 1 : 2)));
  const losses = softmaxCrossEntropy(student.div(studentTemperature) as Tensor, targets);
  return losses
    .mul(terms)
    .sum()
    .div((2 + 2 * locals) * batch);
}
