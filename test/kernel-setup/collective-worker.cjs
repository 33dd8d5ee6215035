// One worker of the collective test: node collective-worker.cjs TASK PORT,PORT. Joins the cluster, sums a tensor over it
// and prints the sum and where the sum lies.
const util = require('node:util');
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
util.isArray ??= Array.isArray;
process.env.CUDA_VISIBLE_DEVICES = '-1';
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
const tf = require('@tensorflow/tfjs-node-gpu');

const task = Number(process.argv[2]);
const addresses = process.argv[3].split(',').map((port) => `127.0.0.1:${port}`);

/** Protocol buffers by hand: the package has no class for ServerDef. All lengths here are below 128. */
const field = (number, content) => Buffer.concat([Buffer.from([...tag(number, 2), content.length]), content]);
const text = (number, value) => field(number, Buffer.from(value));
const integer = (number, value) => Buffer.from([...tag(number, 0), value]);
const tag = (number, wire) => (number < 16 ? [number * 8 + wire] : [((number * 8 + wire) & 127) | 128, number >> 4]);

const tasks = addresses.map((address, index) => field(2, Buffer.concat([integer(1, index), text(2, address)])));
const cluster = field(1, Buffer.concat([text(1, 'worker'), ...tasks]));
const leader = field(16, text(1, '/job:worker/replica:0/task:0'));
const serverDef = Buffer.concat([
  field(1, cluster),
  text(2, 'worker'),
  integer(3, task),
  field(4, leader),
  text(5, 'grpc'),
]);

const backend = tf.backend();
const { binding } = backend;
binding.enableCollective(new Uint8Array(serverDef), 'worker', task);
const attributes = [
  { name: 'T', type: binding.TF_ATTR_TYPE, value: 1 },
  { name: 'merge_op', type: binding.TF_ATTR_STRING, value: 'Add' },
  { name: 'final_op', type: binding.TF_ATTR_STRING, value: 'Id' },
  { name: 'communication_hint', type: binding.TF_ATTR_STRING, value: 'ring' },
  { name: 'timeout_seconds', type: binding.TF_ATTR_FLOAT, value: 30 },
  { name: 'is_stateless', type: binding.TF_ATTR_BOOL, value: false },
  { name: 'Nordering_token', type: binding.TF_ATTR_INT, value: 0 },
  { name: 'max_subdivs_per_device', type: binding.TF_ATTR_INT, value: -1 },
];
const scalars = [addresses.length, 1, 1].map((value) => tf.scalar(value, 'int32'));
const sum = backend.executeSingleOutput('CollectiveReduceV2', attributes, [tf.fill([3], task + 1), ...scalars]);
const where = binding.listDevices().find(({ name }) => name.includes(`/task:${task}/`));
console.log(`${sum.dataSync().join()} on ${where.name.replace(/\/device.*/, '')}`);
// The other worker may still be reading from this one.
setTimeout(() => process.exit(0), 300);
