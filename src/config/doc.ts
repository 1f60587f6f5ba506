/** Writes docs/configuration.md from the schema, so that the two cannot differ (test/config/doc.test.ts compares them). */
import { type Setting, settings } from './settings.js';

const HEAD = `# Configuration

One YAML file, then the environment, then flags; the later one wins. \`lumesh start\` without any of them runs with the defaults.

\`\`\`yaml
cluster:
  seeds: [10.0.0.1:6788, 10.0.0.2:6788]
servers:
  - port: 6790
    entry: lua/entry.websocket.lua
\`\`\`

- Environment: the path in upper case with \`_\` between its parts, \`LUMESH_CLUSTER_SEEDS=a:6788,b:6788\`; items of a list by
  index, \`LUMESH_SERVERS_0_PORT=7000\`.
- Flags: \`--set cluster.seeds=a:6788,b:6788 --set servers.0.port=7000\`.
- \`lumesh config print\` shows every setting with its value and where it came from, \`lumesh config check FILE\` only checks.
- Unknown settings, wrong types and broken rules are reported all at once; the process exits with 2 and nothing has started.
- A secret's \`…File\` twin names a file that holds it. Secrets are never printed or logged.
- *live* settings are taken over on SIGHUP or when the file changes; a broken file changes nothing and the log says why.
- Relative paths start at the configuration file's folder, without a file at the working directory.

The table is written by \`npm run docs\` from \`src/config/schema.ts\`. \`0\` in a path stands for any item of the list.
`;

/** The whole document. */
export function configurationDoc(): string {
  const groups = new Map<string, Setting[]>();
  for (const setting of settings()) {
    const group = setting.path.split('.')[0];
    groups.set(group, [...(groups.get(group) ?? []), setting]);
  }
  const parts = [...groups].map(
    ([group, rows]) =>
      `## ${group}\n\n| setting | default | expected | what it does |\n|---|---|---|---|\n${rows.map(row).join('\n')}\n`,
  );
  return `${HEAD}\n${parts.join('\n')}`;
}

function row(setting: Setting): string {
  const fallback = setting.fallback === undefined ? '' : `\`${JSON.stringify(setting.fallback)}\``;
  const expected = [setting.expected, setting.unit].filter(Boolean).join(', ');
  const live = setting.live ? ' *live*' : '';
  return `| \`${setting.path}\` | ${cell(fallback)} | ${cell(expected)} | ${cell(setting.doc)}${live} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
