import { canonicalJson, key, sha256 } from '../base/index.js';
import { disposeTensors } from '../engine/index.js';
import type { Objective } from '../training/index.js';
import type { Method } from './method.js';
import type { PretrainOptions, PretrainSettings } from './pretrain-options.js';

/** Everything that decides the result of a pretraining, part by part. */
export function identityOf<Name extends string>(
  method: Method<Name>,
  { settings, batches }: PretrainOptions,
  objective: Objective<Name>,
  rest: Readonly<Record<string, string>>,
): Record<string, string> {
  const { name, settings: own, backbone, views } = method;
  return {
    method: name,
    'method settings': canonicalJson(own),
    backbone: backbone.name,
    views: sha256(canonicalJson(views)),
    'initial weights': initialWeightsHash(objective, settings),
    settings: canonicalJson(settings),
    batches: batches.identity,
    ...rest,
  };
}

export const weightsKey = (seed: number | string) => key(seed).fold('training').fold('weights');

function initialWeightsHash<Name extends string>(objective: Objective<Name>, { seed }: PretrainSettings): string {
  const { parameters, state } = objective.initialize(weightsKey(seed));
  const hashes = [parameters, state].map((tensors) =>
    Object.entries(tensors).map(([name, tensor]) => [
      name,
      tensor.shape,
      sha256(new Uint8Array(tensor.dataSync().buffer)),
    ]),
  );
  disposeTensors(parameters, state);
  return sha256(canonicalJson(hashes));
}
