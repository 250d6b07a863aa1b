/**
 * Which room of src/ may import from which others. A room may always import its own files, src/errors.ts and
 * src/plugin/. Every line names all that is allowed, so that the direction of imports can be read here:
 *
 *   cli → daemon, server → engine → calcjob, workflow → process → store, broker
 */
const rooms = {
  store: [],
  broker: [],
  // How mistakes in an input are told, and how local files are found, is the same for jobs and for processes.
  process: ['store/', 'broker/', 'config/(issues|nearest|validate|local-files)\\.ts$'],
  // The shapes of jobs, codes and computers are all that calcjobs know of the configuration.
  calcjob: ['process/', 'store/', 'broker/', 'config/(job|computer|staging|code|image-placeholder)\\.ts$'],
  workflow: ['calcjob/', 'process/', 'store/', 'broker/'],
  engine: ['calcjob/', 'workflow/', 'process/', 'store/', 'broker/', 'config/'],
  daemon: ['engine/', 'calcjob/', 'workflow/', 'process/', 'store/', 'broker/', 'config/'],
  server: ['engine/', 'calcjob/', 'workflow/', 'process/', 'store/', 'broker/', 'config/'],
  config: [],
  cli: [
    'daemon/',
    'server/',
    'engine/',
    'calcjob/',
    'workflow/',
    'process/',
    'store/',
    'broker/',
    'config/',
    'index\\.ts$',
  ],
};

const everywhere = ['errors\\.ts$', 'plugin/'];

const roomRules = Object.entries(rooms).map(([room, allowed]) => ({
  name: `${room}-imports-downwards`,
  comment: `src/${room}/ may import from src/ only: ${[room, ...everywhere, ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[`${room}/`, ...everywhere, ...allowed].join('|')})` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'Files that import each other in a circle cannot be understood, tested or loaded one by one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-missing-imports',
      comment: 'An import that leads nowhere fails when it is reached.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'only-declared-packages',
      comment: 'What is imported at run time must be a dependency in package.json.',
      severity: 'error',
      from: { path: '^(src|schedulers|transports)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] },
    },
    ...roomRules,
    {
      name: 'nobody-imports-the-command-line',
      comment: 'The command line stands on top: what others need of it belongs into a room below.',
      severity: 'error',
      from: { pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'plugins-import-the-contract-only',
      comment:
        'A scheduler or transport may import src/plugin.ts, its own folder, packages and Node; so any author can write one.',
      severity: 'error',
      from: { path: '^(schedulers|transports)/([^/]+)/' },
      to: { path: '^(src|schedulers|transports)/', pathNot: '^($1/$2/|src/plugin\\.ts$)' },
    },
    {
      name: 'published-test-tools-import-the-contract-only',
      comment: 'testing/ is for authors of plugins too: it imports src/plugin.ts and its own files.',
      severity: 'error',
      from: { path: '^testing/' },
      to: { path: '^(src|schedulers|transports)/', pathNot: '^src/plugin\\.ts$' },
    },
    {
      name: 'only-the-table-knows-plugins',
      comment: 'src/config/plugins.ts finds plugins by name; nothing else in src/ may import one.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/config/plugins\\.ts$' },
      to: { path: '^(schedulers|transports)/' },
    },
    {
      name: 'the-contract-stands-alone',
      comment:
        'src/plugin.ts and src/plugin/ are what plugins stand on: they import src/errors.ts and each other, nothing else of src/.',
      severity: 'error',
      from: { path: '^src/plugin(/|\\.ts$)' },
      to: { path: '^src/', pathNot: '^src/(errors\\.ts$|plugin/)' },
    },
    {
      name: 'errors-stand-alone',
      comment: 'Everyone imports src/errors.ts, so it imports nothing of ours.',
      severity: 'error',
      from: { path: '^src/errors\\.ts$' },
      to: { path: '^(src|schedulers|transports)/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Imports of types count too: they say who knows whom.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
