import {
  addBias,
  batchNormInference,
  batchNormTraining,
  type Conv2dOptions,
  conv2d,
  dilatedConv2d,
  getTensor,
  type NormBefore,
  normConv2d,
  type RunningStatistics,
  relu,
  type Tensor,
  type Tensors,
  tf,
} from '../engine/index.js';

/** What a model is made of: what gradients change, and what the forward pass in training changes. */
export type ModelTensors = {
  /** Weights, `layer1.0.conv1.weight`. */
  parameters: Tensors;
  /** Running statistics, `layer1.0.bn1.running_mean`. */
  state: Tensors;
};

/** Of every batch norm of a network; PyTorch's defaults where it is left out. */
export interface NormSettings {
  /** Added to the variance. */
  epsilon?: number;
  /** Weight of a batch in the running statistics. */
  momentum?: number;
}

/** A convolution without bias and the batch norm behind it. */
export interface ConvNorm extends Conv2dOptions {
  conv: string;
  norm: string;
  /** Px between the places of the kernel; above 1 at stride 1 only. */
  dilation?: number;
}

interface AfterNorm {
  shortcut?: Tensor;
  relu?: boolean;
}

/** One forward pass: looks weights up by name and collects the running statistics that it leaves. */
export class ForwardPass {
  /** The state after the pass; where nothing was trained, the tensors that came in. */
  readonly state: Tensors;

  constructor(
    private readonly model: ModelTensors,
    private readonly training: boolean,
    private readonly settings: NormSettings = {},
  ) {
    this.state = { ...model.state };
  }

  parameter(name: string): Tensor {
    return getTensor(this.model.parameters, name);
  }

  /**
   * Convolutions, each with its batch norm, and relu between them; after the last norm a shortcut is added, and relu follows,
   * if asked for. Without a padding of its own a convolution has as much as keeps an odd kernel's output at the input's size,
   * at stride 1. In training it holds less memory than one after the other would (see `normConv2d`); in inference norms are
   * folded into the weights.
   */
  convs(x: Tensor, layers: readonly [ConvNorm, ...ConvNorm[]], after: AfterNorm = {}): Tensor {
    if (!this.training) {
      return layers.reduce(
        (x, layer, place) => this.folded(x, layer, place < layers.length - 1 ? { relu: true } : after),
        x,
      );
    }
    const [first, ...others] = layers;
    let y = convolve(x, this.weightOf(first), first);
    let before = first;
    for (const layer of others) {
      y = this.normConv(y, before.norm, layer);
      before = layer;
    }
    return this.trainedNorm(y, before.norm, after);
  }

  private weightOf({ conv }: ConvNorm): Tensor {
    return this.parameter(`${conv}.weight`);
  }

  /** A convolution with the fixed statistics of its norm in its weights. */
  private folded(x: Tensor, layer: ConvNorm, { shortcut, relu: rectified }: AfterNorm): Tensor {
    const { parameters, running } = this.normNamed(layer.norm);
    const scale = parameters.weight.mul(tf.rsqrt(running.variance.add(this.settings.epsilon ?? 1e-5)));
    const y = convolve(x, this.weightOf(layer).mul(scale), layer);
    const shifted = addBias(y, parameters.bias.sub(running.mean.mul(scale)));
    const sum = shortcut ? shifted.add(shortcut) : shifted;
    return rectified ? relu(sum) : sum;
  }

  private normConv(x: Tensor, norm: string, layer: ConvNorm): Tensor {
    const weight = this.weightOf(layer);
    if ((layer.dilation ?? 1) > 1) return convolve(this.trainedNorm(x, norm, { relu: true }), weight, layer);
    const { y, running } = normConv2d(x, this.normNamed(norm), weight, conv2dOptions(weight, layer));
    this.keepStatistics(norm, running);
    return y;
  }

  /** Batch norm of `[batch, height, width, channels]`. */
  norm(x: Tensor, name: string): Tensor {
    if (this.training) return this.trainedNorm(x, name);
    const { parameters, running } = this.normNamed(name);
    return batchNormInference(x, parameters, running, this.settings);
  }

  private trainedNorm(x: Tensor, name: string, after: AfterNorm = {}): Tensor {
    const { parameters, running } = this.normNamed(name);
    const { y, running: moved } = batchNormTraining(x, parameters, running, { ...this.settings, ...after });
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
      ...this.settings,
    };
  }

  private keepStatistics(name: string, { mean, variance }: RunningStatistics): void {
    this.state[`${name}.running_mean`] = mean;
    this.state[`${name}.running_var`] = variance;
  }
}

function convolve(x: Tensor, weight: Tensor, layer: ConvNorm): Tensor {
  const { dilation = 1 } = layer;
  if (dilation > 1) return dilatedConv2d(x, weight, { dilation, padding: (dilation * (weight.shape[0]! - 1)) / 2 });
  return conv2d(x, weight, conv2dOptions(weight, layer));
}

function conv2dOptions({ shape }: Tensor, { stride, padding }: Conv2dOptions): Conv2dOptions {
  const [height, width] = shape as [number, number];
  return { stride, padding: padding ?? [(height - 1) / 2, (width - 1) / 2] };
}
