import { hostname } from 'node:os';
import { join } from 'node:path';

/** What the configuration files of one rig are made from. */
export interface SlurmLayout {
  readonly folder: string;
  readonly owner: string;
  readonly nodes: readonly string[];
  readonly ports: { readonly controller: number; readonly database: number; readonly daemon: number };
  readonly nodePorts: readonly number[];
  readonly databaseServerPort: number;
  readonly accounting: boolean;
  readonly cgroups: boolean;
  readonly minJobAge: number;
  readonly maxJobCount: number;
  readonly messageTimeout: number;
}

export const partitions = {
  default: 'debug',
  long: 'long',
  small: 'small',
  down: 'down',
  private: 'priv',
  /** Its jobs are requeued when one of `urgent` needs their place. */
  spare: 'spare',
  urgent: 'urgent',
} as const;

const lines = (settings: Readonly<Record<string, string | number>>) =>
  Object.entries(settings).map(([key, value]) => `${key}=${value}`);

/** The text of slurm.conf. */
export function slurmConfiguration(layout: SlurmLayout): string {
  const { folder, nodes, accounting, cgroups } = layout;
  const settings = {
    ClusterName: 'wherry',
    SlurmctldHost: `${hostname().split('.')[0]}(127.0.0.1)`,
    SlurmUser: layout.owner,
    SlurmdUser: layout.owner,
    SlurmctldPort: layout.ports.controller,
    AuthType: 'auth/munge',
    AuthInfo: `socket=${join(folder, 'munge.socket')}`,
    // Keeps the daemons on the loopback.
    CommunicationParameters: 'NoCtldInAddrAny,NoInAddrAny',
    StateSaveLocation: join(folder, 'state'),
    SlurmdSpoolDir: join(folder, 'spool', '%n'),
    SlurmctldPidFile: join(folder, 'slurmctld.pid'),
    SlurmdPidFile: join(folder, 'slurmd.%n.pid'),
    SlurmctldLogFile: join(folder, 'slurmctld.log'),
    SlurmdLogFile: join(folder, 'slurmd.%n.log'),
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: cgroups ? 'task/cgroup' : 'task/none',
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_Core_Memory',
    // Lets the nodes claim more processors than the machine has.
    SlurmdParameters: 'config_overrides',
    ReturnToService: 2,
    MpiDefault: 'none',
    SchedulerParameters: 'bf_interval=1,sched_interval=1,batch_sched_delay=0,sched_max_job_start=100',
    EnforcePartLimits: 'ALL',
    PreemptType: 'preempt/partition_prio',
    PreemptMode: 'REQUEUE',
    JobAcctGatherType: 'jobacct_gather/linux',
    JobAcctGatherFrequency: 1,
    KillWait: 2,
    MinJobAge: layout.minJobAge,
    MaxJobCount: layout.maxJobCount,
    SlurmctldTimeout: 30,
    SlurmdTimeout: 15,
    MessageTimeout: layout.messageTimeout,
    DefMemPerCPU: 50,
  };
  return [
    ...lines(settings),
    ...lines(
      accounting
        ? {
            AccountingStorageType: 'accounting_storage/slurmdbd',
            AccountingStorageHost: '127.0.0.1',
            AccountingStoragePort: layout.ports.database,
            AccountingStoragePass: join(folder, 'munge.socket'),
            AccountingStorageEnforce: 'associations,limits,qos',
          }
        : { AccountingStorageType: 'accounting_storage/none' },
    ),
    ...nodes.map((node, index) =>
      [
        `NodeName=${node} NodeHostname=${hostname().split('.')[0]} NodeAddr=127.0.0.1`,
        `Port=${layout.nodePorts[index]} CPUs=4 RealMemory=2000 State=UNKNOWN`,
      ].join(' '),
    ),
    ...partitionLines(nodes),
    '',
  ].join('\n');
}

function partitionLines(nodes: readonly string[]): string[] {
  const last = nodes.at(-1) ?? '';
  const first = nodes.slice(0, 2).join(',');
  const short = `Nodes=${last} MaxTime=00:05:00 State=UP`;
  return [
    `PartitionName=${partitions.default} Nodes=${first} Default=YES DefaultTime=00:10:00 MaxTime=01:00:00 State=UP`,
    `PartitionName=${partitions.long} Nodes=${nodes.join(',')} DefaultTime=01:00:00 MaxTime=7-00:00:00 State=UP`,
    `PartitionName=${partitions.small} Nodes=${last} MaxTime=00:05:00 MaxNodes=1 State=UP`,
    `PartitionName=${partitions.down} Nodes=${last} State=DOWN`,
    `PartitionName=${partitions.private} Nodes=${last} AllowGroups=root State=UP`,
    `PartitionName=${partitions.spare} ${short} PriorityTier=1 PreemptMode=REQUEUE`,
    `PartitionName=${partitions.urgent} ${short} PriorityTier=10 PreemptMode=OFF`,
  ];
}

/** The text of slurmdbd.conf, which must be readable by its owner alone. */
export function databaseConfiguration(layout: SlurmLayout): string {
  const { folder } = layout;
  return `${lines({
    DbdHost: 'localhost',
    DbdAddr: '127.0.0.1',
    DbdPort: layout.ports.database,
    SlurmUser: layout.owner,
    AuthType: 'auth/munge',
    AuthInfo: `socket=${join(folder, 'munge.socket')}`,
    CommunicationParameters: 'NoInAddrAny',
    StorageType: 'accounting_storage/mysql',
    StorageHost: '127.0.0.1',
    StoragePort: layout.databaseServerPort,
    StorageUser: 'slurm',
    StoragePass: 'slurm',
    StorageLoc: 'slurm_accounting',
    LogFile: join(folder, 'slurmdbd.log'),
    PidFile: join(folder, 'slurmdbd.pid'),
  }).join('\n')}\n`;
}

/** The text of cgroup.conf: memory limits by cgroup version 1, so that OUT_OF_MEMORY can be seen. */
export const cgroupConfiguration = `${lines({
  CgroupPlugin: 'cgroup/v1',
  CgroupMountpoint: '/sys/fs/cgroup',
  CgroupAutomount: 'no',
  ConstrainRAMSpace: 'yes',
}).join('\n')}\n`;
