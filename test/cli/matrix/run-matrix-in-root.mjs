// Runs a matrix of another root in a process of its own, for tests that send it signals.
import { main } from '../../../dist/cli/matrix/main.js';

const [root, ...args] = process.argv.slice(2);
process.exitCode = await main(args, root).catch((error) => {
  console.error(error.message);
  return 1;
});
