import { startProfile } from '../test/rigs/profile.js';
import { startSshd } from '../test/rigs/sshd.js';
import { type DriverReport, driveInChild } from './child-driver.js';
import type { Measurement } from './measurement.js';

const jobs = Number(process.env.WHERRY_BENCH_JOBS ?? 1000);
const rounds = Number(process.env.WHERRY_BENCH_ROUNDS ?? 3);

/** Many trivial calcjobs through one driver and one connection. */
export const throughput: Measurement = {
  name: 'throughput',
  title: `${jobs} trivial calcjobs, scheduler direct over loopback ssh, one driver`,
  async run() {
    const reports: (DriverReport & { connections: number; perSecond: number })[] = [];
    for (let round = 0; round < rounds; round++) reports.push(await once());
    return {
      setUp: [
        'the jobs are stored before; measured from the start of the driver to the end of the last job',
        'defaults but for limits minPollInterval 1s and safeOpenInterval 0s; direct gives as many slots as there are cores',
        `${rounds} runs, each with a new sshd and a new home; memory is the peak RSS of the driver's own process`,
      ],
      figures: [
        {
          label: 'whole life cycles',
          unit: 'jobs/s',
          samples: reports.map((report) => report.perSecond),
          goal: { kind: 'at least', value: 30 },
        },
        {
          label: 'connections (as the sshd log counts them)',
          unit: 'number',
          samples: reports.map((report) => report.connections),
          goal: { kind: 'exactly', value: 1 },
        },
        {
          label: 'peak memory of the driver',
          unit: 'MB',
          samples: reports.map((report) => report.peakMegabytes),
          goal: { kind: 'at most', value: 250 },
        },
        { label: 'processor time of the driver', unit: 's', samples: reports.map((report) => report.cpuSeconds) },
      ],
    };
  },
};

async function once() {
  await using sshd = await startSshd();
  await using rig = await startProfile();
  const computer = await rig.addComputer({
    label: 'loopback',
    transport: 'ssh',
    connection: sshd.connection,
    scheduler: 'direct',
    workDirectory: `${sshd.home}/wherry`,
    limits: { minPollInterval: 1, safeOpenInterval: 0 },
  });
  for (let job = 0; job < jobs; job++) await rig.submit(computer, { command: ['true'] });
  const report = await driveInChild(`${rig.directory}/home`);
  const good = await rig.profile.store
    .selectFrom('processes')
    .select((columns) => columns.fn.countAll<number>().as('count'))
    .where('exit_status', '=', 0)
    .executeTakeFirstOrThrow();
  if (Number(good.count) !== jobs) throw new Error(`only ${good.count} of ${jobs} jobs ended well`);
  const connections = sshd.log().match(/Accepted publickey/g)?.length ?? 0;
  return { ...report, connections, perSecond: jobs / report.seconds };
}
