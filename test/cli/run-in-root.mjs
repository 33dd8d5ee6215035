// Runs a notebook of another root in a process of its own, for tests that send it signals.
import { runNotebook } from '../../dist/cli/run.js';

const [root, name] = process.argv.slice(2);
const { status } = await runNotebook(name, {}, root);
console.log(status);
