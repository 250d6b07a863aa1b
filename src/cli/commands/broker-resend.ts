import { defineCommand } from '../command.js';
import { parkedChoice, settleParked } from '../parked-tasks.js';

export const command = defineCommand({
  ...parkedChoice,
  examples: [['$0 --all', 'give every parked task another chance, for example after an update']],
  run: (given) =>
    settleParked(given, (communicator, queue, ids) => communicator.resendParked(queue, ids), 'sent again'),
});
