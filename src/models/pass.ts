import {
  batchNormInference,
  batchNormTraining,
  conv2d,
  relu,
  type Tensor,
  type Tensors,
  tensorNamed,
} from '../engine/index.js';

/** What a model is made of: what gradients change, and what the forward pass in training changes. */
export type ModelTensors = {
  /** Weights, `layer1.0.conv1.weight`. */
  parameters: Tensors;
  /** Running statistics, `layer1.0.bn1.running_mean`. */
  state: Tensors;
};

/** One forward pass: looks weights up by name and collects the running statistics that it leaves. */
export class Pass {
  /** The state after the pass; where nothing was trained, the tensors that came in. */
  readonly state: Tensors;

  constructor(
    private readonly model: ModelTensors,
    private readonly training: boolean,
  ) {
    this.state = { ...model.state };
  }

  parameter(name: string): Tensor {
    return tensorNamed(this.model.parameters, name);
  }

  conv(x: Tensor, name: string, stride: number): Tensor {
    const weight = this.parameter(`${name}.weight`);
    return conv2d(x, weight, { stride, padding: (weight.shape[0]! - 1) / 2 });
  }

  /** Batch norm of `[batch, height, width, channels]`; then a shortcut is added, and relu follows, if asked for. */
  norm(x: Tensor, name: string, after: { shortcut?: Tensor; relu?: boolean } = {}): Tensor {
    const affine = { weight: this.parameter(`${name}.weight`), bias: this.parameter(`${name}.bias`) };
    const running = {
      mean: tensorNamed(this.model.state, `${name}.running_mean`),
      variance: tensorNamed(this.model.state, `${name}.running_var`),
    };
    if (!this.training) {
      const normalized = batchNormInference(x, affine, running);
      const sum = after.shortcut ? normalized.add(after.shortcut) : normalized;
      return after.relu ? relu(sum) : sum;
    }
    const { y, running: moved } = batchNormTraining(x, affine, running, after);
    this.state[`${name}.running_mean`] = moved.mean;
    this.state[`${name}.running_var`] = moved.variance;
    return y;
  }
}
