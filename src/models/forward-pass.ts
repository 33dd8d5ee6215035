import {
  batchNormInference,
  batchNormTraining,
  conv2d,
  getTensor,
  type NormBefore,
  normConv2d,
  type RunningStatistics,
  relu,
  type Tensor,
  type Tensors,
} from '../engine/index.js';

/** What a model is made of: what gradients change, and what the forward pass in training changes. */
export type ModelTensors = {
  /** Weights, `layer1.0.conv1.weight`. */
  parameters: Tensors;
  /** Running statistics, `layer1.0.bn1.running_mean`. */
  state: Tensors;
};

/** One forward pass: looks weights up by name and collects the running statistics that it leaves. */
export class ForwardPass {
  /** The state after the pass; where nothing was trained, the tensors that came in. */
  readonly state: Tensors;

  constructor(
    private readonly model: ModelTensors,
    private readonly training: boolean,
  ) {
    this.state = { ...model.state };
  }

  parameter(name: string): Tensor {
    return getTensor(this.model.parameters, name);
  }

  conv(x: Tensor, name: string, stride: number): Tensor {
    const weight = this.parameter(`${name}.weight`);
    return conv2d(x, weight, { stride, padding: paddingOf(weight) });
  }

  /** Batch norm, relu and a convolution. In training it holds less memory than `norm` and `conv`; see `normConv2d`. */
  normConv(x: Tensor, norm: string, conv: string, stride: number): Tensor {
    if (!this.training) return this.conv(this.norm(x, norm, { relu: true }), conv, stride);
    const weight = this.parameter(`${conv}.weight`);
    const { y, running } = normConv2d(x, this.normNamed(norm), weight, { stride, padding: paddingOf(weight) });
    this.keepStatistics(norm, running);
    return y;
  }

  /** Batch norm of `[batch, height, width, channels]`; then a shortcut is added, and relu follows, if asked for. */
  norm(x: Tensor, name: string, after: { shortcut?: Tensor; relu?: boolean } = {}): Tensor {
    const { parameters, running } = this.normNamed(name);
    if (!this.training) {
      const normalized = batchNormInference(x, parameters, running);
      const sum = after.shortcut ? normalized.add(after.shortcut) : normalized;
      return after.relu ? relu(sum) : sum;
    }
    const { y, running: moved } = batchNormTraining(x, parameters, running, after);
    this.keepStatistics(name, moved);
    return y;
  }

  private normNamed(name: string): NormBefore {
    return {
      parameters: { weight: this.parameter(`${name}.weight`), bias: this.parameter(`${name}.bias`) },
      running: {
        mean: getTensor(this.model.state, `${name}.running_mean`),
        variance: getTensor(this.model.state, `${name}.running_var`),
      },
    };
  }

  private keepStatistics(name: string, { mean, variance }: RunningStatistics): void {
    this.state[`${name}.running_mean`] = mean;
    this.state[`${name}.running_var`] = variance;
  }
}

/** As much as keeps an odd kernel's output at the input's size, at stride 1. */
function paddingOf(weight: Tensor): number {
  return (weight.shape[0]! - 1) / 2;
}
