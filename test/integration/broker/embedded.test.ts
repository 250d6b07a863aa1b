import { communicatorConformance } from '../../conformance/communicator/index.js';
import { plainWorld, proxiedWorld } from '../../unit/broker/embedded/world.js';

communicatorConformance('embedded', plainWorld, { cut: false, stall: false, elsewhere: true });
communicatorConformance('embedded, through connections that break', proxiedWorld, {
  cut: true,
  stall: true,
  elsewhere: true,
});
