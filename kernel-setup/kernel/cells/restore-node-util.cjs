// tfjs-node 4.22 calls `util` functions that Node 23 removed; whatever loads it first needs them back.
const util = require('node:util');

util.isArray ??= Array.isArray;
util.isNullOrUndefined ??= (value) => value === null || value === undefined;
