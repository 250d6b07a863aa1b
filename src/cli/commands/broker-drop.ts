import { defineCommand } from '../command.js';
import { parkedChoice, settleParked } from '../parked-tasks.js';

export const command = defineCommand({
  ...parkedChoice,
  examples: [['$0 0b8e3c1e-5f0c-4a52-9c51-1d3a4f1f7a55', 'throw one parked task away']],
  run: (given) => settleParked(given, (communicator, queue, ids) => communicator.dropParked(queue, ids), 'thrown away'),
});
