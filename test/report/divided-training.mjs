// The coordinator of divided-training.test.ts, to be killed: pretrains in two processes. One argument: the run's folder.
import { openRun, pretrain, pretrainExperiment, pretrainingData, watch } from '../../dist/index.js';

const parameters = { scale: 'smoke', seed: 1 };
const experiment = pretrainExperiment('11-pretrain-simclr', parameters);
const run = await openRun({ notebook: experiment.notebook, parameters, out: process.argv[2] });
const data = await pretrainingData(experiment);
const { method, settings } = experiment;
await pretrain(method, { settings, batches: data.train, processes: 2, ...watch(run, experiment, data) });
