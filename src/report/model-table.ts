import { type ModelFacts, modelFacts } from '../models/index.js';
import { showTable } from './table.js';

/** Shows the networks of `backbone`: sizes, cost and sources. */
export async function modelTable(): Promise<void> {
  await showTable(modelFacts(), {
    columns: {
      name: 'Backbone',
      parameters: 'Parameters, millions',
      macs: 'MACs, billions',
      inputSize: 'at px',
      featureSize: 'Features',
      source: 'Source',
    },
    format: {
      parameters: (count: ModelFacts['parameters']) => (count / 1e6).toFixed(1),
      macs: (count: ModelFacts['macs']) => (count / 1e9).toFixed(2),
    },
  });
}
