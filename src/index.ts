/**
 * Wherry as a library: open a profile, store calcjobs, drive them, look at them. Authors of plugins import
 * `wherry/plugin` instead.
 *
 * @example
 * await using profile = await openProfile();
 * const { id } = await submitJob(profile, { computer: 'localhost', command: ['echo', 'hello'] });
 * await using engine = new Engine(profile);
 * await engine.pass(AbortSignal.timeout(60_000));
 * console.log(await getProcess(profile, id));
 * @module
 */

export { z } from 'zod';
export {
  type AmqpOptions,
  openAmqp,
} from './broker/amqp/index.js';
export type {
  Address,
  Broadcast,
  BroadcastFilter,
  Communicator,
  CommunicatorOptions,
  Json,
  Method,
  ParkedTask,
  Patience,
  QueueStatus,
  Task,
  TaskIntake,
} from './broker/communicator.js';
export { type EmbeddedOptions, openEmbedded } from './broker/embedded/index.js';
export { ArithmeticAdd, Shell, Stash, Transfer, Unstash } from './calcjob/built-in.js';
export {
  type CalcJobDefinition,
  CalcJobExit,
  type CalcJobSpec,
  type CommonOutputs,
  defineCalcJob,
  type JobOptions,
  type ParseContext,
  type PreparedCalcJob,
} from './calcjob/define-calcjob.js';
export { InputFolder } from './calcjob/input-folder.js';
export type { CodeConfig } from './config/code.js';
export { readCodeFile, writeCode } from './config/code-file.js';
export type { ComputerConfig, Limits } from './config/computer.js';
export { readComputerFile, writeComputer } from './config/computer-file.js';
export type { Job, JobInput } from './config/job.js';
export { readJobFile } from './config/job-file.js';
export { addCode, type Code, getCode, listCodes, removeCode } from './engine/codes.js';
export { type ComputerView, computerView } from './engine/computer-view.js';
export { addComputer, changeComputer, getComputer, listComputers, removeComputer } from './engine/computers.js';
export { Driver, type DriverOptions } from './engine/control/driver.js';
export { type OpenOptions, openCommunicator } from './engine/control/open-communicator.js';
export { type Controlled, type Launched, ProcessControl } from './engine/control/process-control.js';
export { dryRun, Runner, run, type Submitted, submit, wait } from './engine/control/runner.js';
export { type DryRun, dryRunJob } from './engine/dry-run.js';
export { Engine, type EngineOptions, type ForeignDriver } from './engine/engine.js';
export { type Explanation, explain } from './engine/explain.js';
export { type Initialised, initProfile, type ServicesWanted } from './engine/init-profile.js';
export { pause, play, requestKill } from './engine/intents.js';
export { type JobRequest, submitJobs } from './engine/prepare-jobs.js';
export { openProfile, type Profile, type ProfileOptions } from './engine/profile.js';
export { submitJob } from './engine/submit-job.js';
export { type CheckResult, testComputer } from './engine/test-computer.js';
export { getProcess, type ProcessDetails, type ProcessSummary } from './engine/views.js';
export * from './errors.js';
export { Data, FileContent, FileData, FolderData, LocalFile, RemoteFolderData } from './process/data.js';
export type { ExitCodeTemplate, ExitCodeTemplates, ProcessDefinition, ProcessSpec } from './process/definition.js';
export {
  type Exposure,
  exposedCheck,
  exposedInputs,
  exposedOutputs,
  exposeInputs,
  exposeOutputs,
} from './process/expose.js';
export type { LifecycleHooks, ProcessChange } from './process/hooks.js';
export type {
  GivenOutputsOf,
  InputDataOf,
  InputsOf,
  OutputDataOf,
  OutputsOf,
  SeenInputsOf,
} from './process/inputs.js';
export { anyData, file, folder, type NamespaceOptions, namespace, remoteFolder } from './process/namespace.js';
export { currentProcess, type ProcessReference, processStack } from './process/process-stack.js';
export type { EventData, EventType } from './store/events.js';
export type { CallOptions, ProcessHandle, WorkflowContext } from './workflow/context.js';
export { defineWorkflow, type WorkflowDefinition, type WorkflowSpec } from './workflow/define-workflow.js';
export {
  type CalcFunction,
  calcfunction,
  type FunctionOptions,
  type WorkFunction,
  workfunction,
} from './workflow/functions.js';
export { defineRestartWorkflow, type RestartSpec } from './workflow/restart.js';
export type { Attempt, NextTry, RestartHandler } from './workflow/restart-handlers.js';
export { ProcessFailed, type ProcessResult } from './workflow/result.js';
