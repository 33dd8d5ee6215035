import type { Encoder } from '../evaluate/index.js';
import type { PretrainRecipe } from '../experiments/index.js';
import type { ModelTensors } from '../models/index.js';
import type { AnyMethod } from '../pretrain/index.js';
import type { CardWords } from '../report/index.js';

/** What is exported: a backbone, of a fine-tuned network with what stands behind it. */
export interface ExportedModel extends Encoder {
  fineTuned?: FineTunedModel;
}

/** A network that names the class of an image, or of each of its pixels. */
export interface FineTunedModel {
  /** With `predict`. */
  method: AnyMethod;
  /** All tensors, those of the backbone too. */
  model: ModelTensors;
  classNames: readonly string[];
}

/** What is exported of a run. */
export interface Exported {
  experiment: Pick<PretrainRecipe, 'method' | 'settings' | 'batchSize'>;
  model: ExportedModel;
  words: CardWords;
}

export interface ExportOptions {
  batch: number;
  /** The run's hash. */
  run: string;
  /** Of the form that needs one: the interpreter. */
  python?: string;
}

/** A form that models are exported to. */
export interface ExportForm {
  /** The name of the library that loads it. */
  library: string;
  /** Files beside the card. */
  files: readonly string[];
  /**
   * Writes the files.
   *
   * @throws UsageError for a model that the form has no network for, before anything is written
   */
  write(model: ExportedModel, folder: string, options: ExportOptions): Promise<void>;
  /** Python that loads it. */
  loading(model: ExportedModel, folder: string): string;
}
