/** The command line: its commands, their options, and how their failures are shown (CONFIG.md "command line"). */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { configurationDoc } from '../config/doc.js';
import { ConfigError } from '../config/problems.js';
import { InvariantError } from '../errors.js';
import { channel, members, publish, send, subscribe } from './ask.js';
import { version } from './client.js';
import { checkConfig, hashPassword, printConfig } from './configure.js';
import { connect } from './connect.js';
import { demo } from './demo.js';
import { CommandError, EXIT } from './exit.js';
import { readSecret } from './secret.js';

const print = (text: string) => void process.stdout.write(`${text}\n`);

// `start` and `sim` load the whole node, the other commands need not wait for that: hence the two imports on demand.

/** Runs one command line and returns its exit code. */
export async function run(args: readonly string[]): Promise<number> {
  process.stdout.on('error', endWithReader);
  try {
    await program().parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return explain(error);
  }
}

/** `lumesh config print | head`: who reads us has seen enough. */
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
}

/** Says on standard error what went wrong, and gives the exit code. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  const [code, text] = wordsOf(error);
  process.stderr.write(`lumesh: ${text}\n`);
  return code;
}

function wordsOf(error: unknown): readonly [number, string] {
  if (error instanceof CommandError) return [error.code, error.message];
  if (error instanceof ConfigError)
    return [EXIT.usage, `the configuration cannot be used, nothing was started:\n${error.message}`];
  if (error instanceof InvariantError) return [EXIT.bug, error.message];
  return [EXIT.bug, error instanceof Error ? (error.stack ?? error.message) : String(error)];
}

function program(): Command {
  const root = new Command('lumesh')
    .description('A clustered pub/sub gateway for long-lived connections.')
    .version(version())
    .exitOverride()
    .showHelpAfterError('(lumesh --help lists the commands)');
  nodes(root);
  clients(root);
  configuration(root);
  root
    .command('sim')
    .description('try the mesh in the simulator: thousands of seeded runs with faults, every guarantee checked')
    .option('--seeds <n>', 'how many seeds', count, 1000)
    .option('--from <s>', 'the first of these seeds', count, 1)
    .option('--seed <s>', 'replay one seed and print its transcript', count)
    .option('--nodes <n>', 'nodes in each run, instead of what the seed draws', count)
    .option('--profile <name>', 'one kind of trouble (mixed, races, rolling, …), instead of what the seed draws')
    .option('--patterns', 'clients subscribe to patterns as well, in every seed and not only where it says so')
    .option('--no-patterns', 'they never do')
    .option('--rules', 'show for each rule of the protocol that some seed fails without it')
    .option('--without <rule>', 'leave one rule of the protocol out: some seed must then fail')
    .action(async (options) => (await import('./simulate.js')).simulate(options, print));
  root
    .command('version')
    .description('print the version')
    .action(() => print(version()));
  return root;
}

function nodes(root: Command): void {
  root
    .command('start')
    .description('run one node')
    .option('--config <file>', 'YAML file with the settings', process.env.LUMESH_CONFIG)
    .option('--set <path=value>', 'set one setting, such as cluster.port=6788 (repeatable)', collect, [])
    .option('--workers <n>', 'run so many nodes that share the client and API ports', atLeastOne, 1)
    .action(async (options) => (await import('./start.js')).start(options, print));
  root
    .command('demo')
    .description('run three nodes on this machine and print what to try')
    .option('--nodes <n>', 'how many nodes', count, 3)
    .action((options) => demo(options.nodes, print));
}

function clients(root: Command): void {
  const client = (name: string, does: string) =>
    root
      .command(name)
      .description(does)
      .option('--api <url>', 'the node to ask', process.env.LUMESH_API ?? 'http://127.0.0.1:6789')
      .option('--user <name:password>', 'login (or LUMESH_USER)');
  client('publish', 'publish to everybody on a channel')
    .argument('<channel>')
    .argument('<data>')
    .action((name, data, options) => publish(options, name, data, print));
  client('send', 'send to one client by its id')
    .argument('<client-id>')
    .argument('<data>')
    .action((id, data, options) => send(options, id, data, print));
  client('subscribe', 'print what arrives on channels')
    .argument('<channel...>')
    .option('--patterns', 'the channels are patterns: * stands for any run of characters, as in "room.*"')
    .action((names, options) => subscribe(options, names, print));
  client('members', 'show the nodes of the mesh')
    .option('--json', 'for machines')
    .action((options) => members(options, print));
  client('channel', 'explain where a publish to a channel would go')
    .argument('<name>')
    .option('--json', 'for machines')
    .action((name, options) => channel(options, name, print));
  root
    .command('connect')
    .description('be a WebSocket client: send what is typed, print what arrives')
    .argument('<url>', 'such as ws://127.0.0.1:6790')
    .action((url) => connect(url, print));
}

function configuration(root: Command): void {
  const config = root.command('config').description('look at the configuration');
  config
    .command('print')
    .description('every setting with value, source, unit, bounds and doc')
    .option('--config <file>', 'YAML file with the settings', process.env.LUMESH_CONFIG)
    .option('--set <path=value>', 'set one setting (repeatable)', collect, [])
    .option('--json', 'for machines')
    .action((options) =>
      printConfig({ file: options.config, env: process.env, flags: options.set }, options.json ?? false, print),
    );
  config
    .command('check')
    .description('only check a file')
    .argument('<file>')
    .action((file) => checkConfig(file, print));
  config
    .command('docs', { hidden: true })
    .description('write docs/configuration.md to standard output')
    .action(() => void process.stdout.write(configurationDoc()));
  config
    .command('hash')
    .description('print the hash of a password for access.users')
    .argument('[password]', 'shows in the list of processes; without it, or with -, it is read from standard input')
    .action(async (given) => print(hashPassword(given === undefined || given === '-' ? await readSecret() : given)));
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function count(value: string): number {
  if (!/^[0-9]{1,9}$/.test(value)) throw new InvalidArgumentError('expected a whole number');
  return Number(value);
}

function atLeastOne(value: string): number {
  const number = count(value);
  if (number === 0) throw new InvalidArgumentError('expected 1 or more');
  return number;
}
