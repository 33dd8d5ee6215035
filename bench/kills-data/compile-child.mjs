// Compiles a dataset, to be killed meanwhile. Arguments: the dataset as JSON (definition and slides), the folder for the
// shards, workers. Says "begun" when it is about to begin.
import { readFileSync } from 'node:fs';
import { compileDataset } from '../../dist/datasets/index.js';

const [dataset, data, workers] = process.argv.slice(2);
const content = JSON.parse(readFileSync(dataset, 'utf8'));
console.log('begun');
await compileDataset(content, { data, workers: Number(workers) });
