export { EventLog, type RunEvent, readEvents } from './event-log.js';
export { lockFolder } from './lock-folder.js';
export { commandFor, type Provenance, type ProvenanceFacts, provenanceOf } from './provenance.js';
export {
  attemptIn,
  listRuns,
  type Metric,
  openRun,
  Run,
  type RunParameters,
  type RunResult,
  runFolderFor,
  runIdentity,
} from './run-folder.js';
export { TensorBoardLog } from './tensorboard.js';
