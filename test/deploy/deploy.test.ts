/** What deploy/ ships is valid, and asks only for what nodes have. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { loadConfig } from '../../src/config/load.js';
import { METRICS, type MetricRow } from '../../src/core/metrics.js';
import { createMetrics } from '../../src/ops/metrics.js';

const file = (path: string) => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), 'utf8');
const ROWS: Readonly<Record<string, MetricRow>> = METRICS;

/** Every metric name that a node shows: the table's, and those of the process. */
async function shown(): Promise<Set<string>> {
  const names = new Set<string>(['up']);
  for (const [name, { type }] of Object.entries(ROWS)) {
    if (type === 'histogram') for (const part of ['bucket', 'sum', 'count']) names.add(`lumesh_${name}_${part}`);
    else names.add(`lumesh_${name}`);
  }
  for (const line of (await createMetrics().text()).split('\n')) {
    const name = /^([a-z_][a-z0-9_]*)[ {]/.exec(line)?.[1];
    if (name !== undefined) names.add(name);
  }
  return names;
}

/** Names of metrics, and of the labels asked of them, in a PromQL expression. */
function metricsOf(query: string): { name: string; labels: string[] }[] {
  const found = [...query.matchAll(/\b((?:lumesh|process|nodejs)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?/g)];
  return found.map(([, name, selector]) => ({
    name,
    labels: [...(selector ?? '').matchAll(/(\w+)=/g)].map((m) => m[1]),
  }));
}

const ANY_NODE = ['instance', 'job', 'le'];

/** Labels that an expression may ask of a metric. */
function labelsOf(name: string): string[] {
  const row = ROWS[name.replace(/^lumesh_/, '').replace(/_(bucket|sum|count)$/, '')];
  return [...ANY_NODE, ...(row?.label === undefined ? [] : [row.label])];
}

function check(t: import('tap').Test, where: string, query: string, names: Set<string>): void {
  const used = metricsOf(query);
  t.ok(used.length > 0, `${where} asks for a metric: ${query}`);
  for (const { name, labels } of used) {
    t.ok(names.has(name), `${where}: ${name} is a metric`);
    const grouped = [...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap((match) => match[1].split(/,\s*/));
    for (const label of [...labels, ...grouped])
      t.ok(labelsOf(name).includes(label), `${where}: ${name} has the label ${label}`);
  }
}

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { x: number; y: number; w: number; h: number };
  readonly targets?: { expr: string; legendFormat: string }[];
}

t.test('every query of the Grafana dashboard names a metric and labels that exist', async (t) => {
  const names = await shown();
  const { panels } = JSON.parse(file('grafana/lumesh.json')) as { panels: Panel[] };
  const graphs = panels.filter((panel) => panel.type !== 'row');
  t.ok(graphs.length >= 20);
  for (const panel of graphs) {
    t.ok(panel.description, `${panel.title} says what it shows`);
    for (const { expr, legendFormat } of panel.targets ?? []) {
      check(t, panel.title, expr, names);
      const allowed = metricsOf(expr).flatMap(({ name }) => labelsOf(name));
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        t.ok(allowed.includes(label), `${panel.title}: {{${label}}}`);
    }
  }
});

t.test('every metric of a node is on the dashboard', async (t) => {
  const dashboard = file('grafana/lumesh.json');
  // Per peer since it is known: shown by drops{reason="peer_queue_full"} over time.
  const elsewhere = new Set(['peer_dropped']);
  for (const name of Object.keys(ROWS)) if (!elsewhere.has(name)) t.ok(dashboard.includes(`lumesh_${name}`), name);
});

t.test('Prometheus scrapes /metrics and its alerts name metrics that exist', async (t) => {
  const names = await shown();
  const config = parse(file('prometheus/prometheus.yml'));
  t.equal(config.scrape_configs[0].metrics_path, '/metrics');
  t.same(config.rule_files, ['alerts.yml']);
  for (const group of parse(file('prometheus/alerts.yml')).groups) {
    for (const { alert, expr, annotations } of group.rules) {
      check(t, alert, expr, names);
      t.ok(annotations.summary, `${alert} says what happened`);
    }
  }
});

t.test('the Kubernetes manifests fit together and start nodes with a valid configuration', async (t) => {
  const documents = parseAllDocuments(file('kubernetes/lumesh.yaml'));
  for (const document of documents) t.same(document.errors, []);
  const objects = documents.map((document) => document.toJS());
  const find = (kind: string, name: string) => objects.find((o) => o.kind === kind && o.metadata.name === name);
  const set = find('StatefulSet', 'lumesh');
  const nodes = find('Service', 'lumesh-nodes');
  t.equal(set.spec.serviceName, 'lumesh-nodes');
  t.equal(nodes.spec.clusterIP, 'None');
  t.equal(nodes.spec.publishNotReadyAddresses, true);
  const [container] = set.spec.template.spec.containers;
  t.equal(container.readinessProbe.httpGet.path, '/readyz');
  t.equal(find('PodDisruptionBudget', 'lumesh').spec.maxUnavailable, 1);
  const ports = new Set(container.ports.map((port: { containerPort: number }) => port.containerPort));
  for (const service of objects.filter((o) => o.kind === 'Service')) {
    t.same(service.spec.selector, set.spec.template.metadata.labels);
    for (const { port } of service.spec.ports) t.ok(ports.has(port), `${service.metadata.name}: ${port}`);
  }

  const folder = t.testdir({ 'cluster-secret': 'a', 'api-password': 'b' });
  const text = find('ConfigMap', 'lumesh').data['lumesh.yaml'].replaceAll('/etc/lumesh-secret', folder);
  const { config } = loadConfig({ settings: parse(text) });
  t.equal(config.cluster.secret, 'a');
  t.equal(config.access.users[0].password, 'b');
  t.ok(set.spec.template.spec.terminationGracePeriodSeconds > config.drainSeconds * 2);
});

t.test('docs/operations.md lists every metric as the table has it, and no other', async (t) => {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `lumesh_(\w+)` \((\w+)\) \| (\w*) \| (.+) \|$/gm)].map((row) => row.slice(1));
  const table = Object.entries(ROWS).map(([name, { type, label, help }]) => [name, type, label ?? '', help]);
  t.same(rows.sort(), table.sort(), 'copy the row of src/core/metrics.ts into the table, or take it out');
});
