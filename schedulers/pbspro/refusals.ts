/** What a refusal means, from the words of qsub. The first pattern that matches anywhere in them decides. */
export interface Refusal {
  readonly words: RegExp;
  readonly kind: 'limit' | 'transient' | 'permanent' | 'unknown';
  readonly exitStatus?: number;
}

/** Exit codes are not used: qsub cuts PBS's error numbers to eight bits, so that different ones fall together. */
export const refusals: readonly Refusal[] = [
  { words: /cannot connect to server|Connection refused|No route to host|Couldn't connect/i, kind: 'transient' },
  {
    words: /Too many connections|Server (is )?busy|server shutting down|Resource temporarily unavailable/i,
    kind: 'transient',
  },
  // The request was sent and its answer lost: the job may well be in the queue.
  {
    words: /End of File|Premature end of message|Communication failure|Protocol .*error|timed? ?out/i,
    kind: 'unknown',
  },
  { words: /authenticat|munge|pbs_iff|Invalid credential|No Permission/i, kind: 'transient' },
  { words: /System error|Internal server error|database|No space left|Input\/output error/i, kind: 'transient' },
  { words: /Queue is not enabled/i, kind: 'transient' },
  { words: /would exceed|Maximum number of jobs|already in (queue|complex)/i, kind: 'limit' },
  { words: /(invalid|unknown|no such) (account|project)/i, kind: 'permanent', exitStatus: 131 },
  // Whatever else qsub or a hook of the site says was said about this very job.
  { words: /qsub:|usage:|not found|No such file/i, kind: 'permanent' },
];
