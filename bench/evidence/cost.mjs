/** Seconds of a step of 32 patches at 64 px on two cores, by notebook; the small ResNet's, but for MAE's. */
const stepSeconds = {
  '11-pretrain-simclr': 0.055,
  '12-pretrain-mocov2': 0.055,
  '13-pretrain-byol': 0.065,
  '14-pretrain-dino': 0.072,
  '15-pretrain-mae': 0.09,
  '20-finetune-ptcga200': 0.03,
  '21-finetune-pcam200': 0.03,
  '30-segment-segpanda200': 0.04,
};
/** A step's of other networks by the small ResNet's. */
const slower = { small_resnet: 1, small_vit: 1, efficientnet_lite0: 8 };
/** Seconds to predict 1,000 patches of 64 px in four orientations. */
const predictionSeconds = 1;
/** Of a page without its trainings. */
const pageSeconds = 60;

/**
 * About how long a run takes on two cores. A third of the patches are for tests.
 *
 * @param {{set: object, notebook: string, backbone: string, parameters: object}} run
 * @param {number} batch of a fine-tuning
 */
export function secondsOf({ set, notebook, backbone, parameters }, batch) {
  const area = (parameters.size / 64) ** 2;
  const train = Math.round((set.patches * 2) / 3);
  const step = stepSeconds[notebook] * slower[backbone] * area;
  if (parameters.epochs !== undefined) return pageSeconds + parameters.epochs * Math.floor(train / 32) * step;
  const masks = notebook.startsWith('30');
  const trainings = parameters.seeds * parameters.init.split(',').length;
  const predicted = ((set.patches - train) / 1000) * predictionSeconds * slower[backbone] * area * (masks ? 0.25 : 1);
  return pageSeconds + trainings * ((parameters.steps * step * batch) / 32 + predicted);
}
