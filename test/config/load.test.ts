import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig, type Origins } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problems.js';
import { settings } from '../../src/config/settings.js';

const folder = mkdtempSync(join(tmpdir(), 'lumesh-config-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function yaml(text: string): string {
  const file = join(folder, 'lumesh.yaml');
  writeFileSync(file, text);
  return file;
}

/** The problems that loading ends with, as "path: text". */
function problemsOf(origins: Origins): string[] {
  try {
    loadConfig(origins);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((p) => `${p.path}: ${p.text}`);
  }
}

t.test('without any source the defaults of CONFIG.md hold', async (t) => {
  const { config, sources } = loadConfig({});
  t.equal(config.cluster.port, 6788);
  t.equal(config.api.port, 6789);
  t.equal(config.servers[0].port, 6790);
  t.equal(config.servers[0].entry, 'lua/entry.websocket.lua');
  t.same(config.servers[0].options, [{ name: 'path', value: '/' }]);
  t.equal(sources.size, 0);
});

t.test('a flag beats the environment, which beats the file, and each source is remembered', async (t) => {
  const file = yaml('cluster: { port: 1, name: of-file }\napi: { port: 2 }\nservers: [{ port: 3 }]\n');
  const env = {
    LUMESH_CLUSTER_PORT: '11',
    LUMESH_SERVERS_0_PORT: '13',
    LUMESH_CLUSTER_RING_REPLICATEALLUPTO: '5',
    PATH: '/bin',
  };
  const { config, sources } = loadConfig({ file, env, flags: ['cluster.port=21', 'cluster.seeds=a:1,b:2'] });
  t.equal(config.cluster.port, 21);
  t.equal(config.cluster.name, 'of-file');
  t.equal(config.api.port, 2);
  t.equal(config.servers[0].port, 13);
  t.equal(config.cluster.ring.replicateAllUpTo, 5);
  t.same(config.cluster.seeds, ['a:1', 'b:2']);
  t.equal(sources.get('cluster.port'), '--set');
  t.equal(sources.get('servers.0.port'), 'LUMESH_SERVERS_0_PORT');
  t.equal(sources.get('api.port'), file);
});

t.test('a structure can be given as one flag', async (t) => {
  const { config } = loadConfig({ flags: ['servers.0.options=[{name: path, value: /ws}]', 'servers.0.port=7000'] });
  t.same(config.servers[0].options, [{ name: 'path', value: '/ws' }]);
});

t.test('every problem is reported at once, with path, value, expectation and the nearest known key', async (t) => {
  const file = yaml(
    'clustr: {}\ncluster: { port: x, ring: { replica: 3 } }\nlogging: { level: loud }\nservers: [{ prot: 1 }]\n',
  );
  const problems = problemsOf({ file, flags: ['api.prt=1', 'nonsense'], env: { LUMESH_API_PROT: '1' } });
  t.same(problems.sort(), [
    'LUMESH_API_PROT: unknown variable; did you mean LUMESH_API_PORT?',
    'api.prt: unknown setting; did you mean "port"?',
    'cluster.port: "x" is not allowed, expected integer 0 to 65535',
    'cluster.ring.replica: unknown setting; did you mean "replicas"?',
    'clustr: unknown setting; did you mean "cluster"?',
    'logging.level: "loud" is not allowed, expected one of debug, info, warn, error',
    'nonsense: expected path=value, such as cluster.port=6788',
    'servers.0.prot: unknown setting; did you mean "port"?',
  ]);
});

t.test('rules across settings name what to set', async (t) => {
  const problems = problemsOf({
    flags: [
      'cluster.bind=0.0.0.0',
      'api.bind=0.0.0.0',
      'api.grpcPort=6789',
      'servers.0.tls.cert=a.pem',
      'access.users.0.username=ann',
      'servers.0.maxPayloadBytes=2000000',
    ],
  });
  t.match(
    problems.find((p) => p.startsWith('cluster.secret')),
    /reachable from other machines/,
  );
  t.match(
    problems.find((p) => p.startsWith('api.grpcPort')),
    /6789 is also api.port/,
  );
  t.match(
    problems.find((p) => p.startsWith('servers.0.tls')),
    /both cert and key/,
  );
  t.match(
    problems.find((p) => p.startsWith('access.users.0')),
    /either password or passwordHash/,
  );
  t.match(
    problems.find((p) => p.startsWith('servers.0.maxBackpressureBytes')),
    /at least maxPayloadBytes/,
  );
  t.match(problemsOf({ flags: ['api.bind=0.0.0.0'] })[0], /set access.users, or api.insecure/);
});

t.test('a secret can come from a file, and never from two places', async (t) => {
  writeFileSync(join(folder, 'secret'), 'from-file\n');
  const { config } = loadConfig({ file: yaml('cluster: { secretFile: secret }') });
  t.equal(config.cluster.secret, 'from-file');
  t.match(problemsOf({ file: yaml('cluster: { secretFile: secret, secret: x }') })[0], /either this or secret/);
  t.match(problemsOf({ file: yaml('cluster: { secretFile: missing }') })[0], /missing cannot be read/);
});

t.test('a wrong secret is not shown', async (t) => {
  t.notMatch(problemsOf({ file: yaml('cluster: { secret: [hunter2] }') }).join(), /hunter2/);
});

t.test('a file that is missing, empty, no YAML or no mapping says so', async (t) => {
  t.match(problemsOf({ file: join(folder, 'nowhere.yaml') })[0], /no such file/);
  t.match(problemsOf({ file: yaml('a: [') })[0], /cannot be read at line/);
  t.match(problemsOf({ file: yaml('[1]') })[0], /expected settings/);
  t.match(problemsOf({ file: yaml(' \n') })[0], /is empty, expected settings/);
  t.equal(loadConfig({ file: yaml('# nothing but defaults\n') }).sources.size, 0);
});

t.test('every setting has a doc, and every number a range', async (t) => {
  for (const setting of settings()) {
    t.ok(setting.doc.length > 10, `${setting.path} has a doc`);
    if (/number|integer/.test(setting.expected))
      t.notMatch(setting.expected, /Infinity|null|-?9007/, `${setting.path} is bounded`);
  }
});
