import { controlConformance } from '../../../conformance/control.js';
import { startProfile } from '../../../rigs/profile.js';

controlConformance('the embedded broker', startProfile);
