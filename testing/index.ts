/**
 * A simulated cluster for tests, as `wherry/testing`: an engine that is given its transport, its clock and a seed does
 * the same each time.
 * @module
 */
export { VirtualClock } from './clock.js';
export { type ClusterOptions, SimulatedCluster } from './cluster.js';
export type { Answer, Books, Dialect, Question, ShownJob, Submission } from './dialect.js';
export { directDialect } from './direct.js';
export type { Fault, FaultRule, Operation } from './faults.js';
export { type Program, type ProgramRun, simulate } from './job-script.js';
export { pbsProDialect } from './pbspro.js';
export type { SimulatedJob, SimulatedState } from './queue.js';
export { draw, seededRandom } from './random.js';
export { shellWords } from './shell-words.js';
export { slurmDialect } from './slurm.js';
export { virtualTimers } from './timers.js';
export { simulatedTransport } from './transport.js';
