/** What a refusal means, from the words of sbatch. The first pattern that matches anywhere in them decides. */
export interface Refusal {
  readonly words: RegExp;
  readonly kind: 'limit' | 'transient' | 'permanent' | 'unknown';
  readonly exitStatus?: number;
}

/**
 * Texts are those of slurm_strerror and of the wait reasons that sbatch prints before them, as releases 17.11 to 25.11
 * have them; those in the captures are tested against a real Slurm.
 */
export const refusals: readonly Refusal[] = [
  // The request was sent and its answer lost: the job may well be in the queue.
  {
    words:
      /Socket timed out|Zero Bytes were transmitted|\((send|receive|shutdown) failure\)|Unexpected message rec|Message receive failure|Failed to send entire message|Communication (connection|shutdown) failure/i,
    kind: 'unknown',
  },
  { words: /Unable to contact slurm controller|Unable to connect to (the )?controller/i, kind: 'transient' },
  { words: /backup controller in standby|Unable to create job record, try again/i, kind: 'transient' },
  {
    words: /munge|authentication (error|failure)|Expired or replayed credential|generating job credential/i,
    kind: 'transient',
  },
  { words: /slurm_persist|Unable to connect to database|I\/O error writing script/i, kind: 'transient' },
  { words: /configuration source|DNS SRV|resolve.*host|Can't find an address/i, kind: 'transient' },
  { words: /Requested operation is presently disabled|internal error, contact/i, kind: 'transient' },
  { words: /Cannot allocate memory|fork: |Input\/output error|Stale file handle/i, kind: 'transient' },
  // How many jobs somebody may have. Before the general sentence, which is said of sizes too.
  { words: /\b(QOS|Assoc)\w*(Submit\w*|MaxJobs\w*|GrpJobs\w*)Limit\b/, kind: 'limit' },
  { words: /temporarily unable to accept job|job queue full|creation temporarily disabled/i, kind: 'limit' },
  { words: /Resource temporarily unavailable/i, kind: 'limit' },
  // Any other named policy is one that this job breaks by itself: too large, too long.
  { words: /\b(QOS|Assoc)[A-Z]\w+/, kind: 'permanent' },
  { words: /Job violates accounting\/QOS policy/i, kind: 'limit' },
  { words: /Required partition not available|Required node not available/i, kind: 'transient' },
  { words: /reservation is in use|reservation not usable now/i, kind: 'transient' },
  { words: /Invalid account/i, kind: 'permanent', exitStatus: 131 },
  // Whatever else is called an error was said by sbatch or the site's own checks about this very job.
  { words: /error:|invalid|unrecognized|not found|No such file|permission denied/i, kind: 'permanent' },
];
