import { spawnSync } from 'node:child_process';
import t from 'tap';

t.test(
  'this version of Node.js knows the settings of the collector: it says so on standard error when it does not',
  async (t) => {
    const module = new URL('../../dist/cli/collector.js', import.meta.url);
    const code = `import { collectOnceWhenCalm } from ${JSON.stringify(module)}; collectOnceWhenCalm();`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    t.same({ status, stderr }, { status: 0, stderr: '' });
  },
);
