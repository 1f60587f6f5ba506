import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { consoleAsset } from '../../src/console/page.js';
import { type LiveOptions, live } from '../api/live.js';
import { browserPath, startBrowser } from './browser.js';
import { furnish } from './mesh.js';

t.test('the page and all it asks for are served, and nothing else', async (t) => {
  const page = String(consoleAsset('/')?.body);
  const asked = [...page.matchAll(/(?:href|src)="(\/console\/[^"]+)"/g)].map((match) => match[1]);
  const modules = ['app', 'live', 'members', 'metrics', 'channel', 'dom'].map((name) => `/console/${name}.js`);
  for (const path of [...asked, ...modules]) t.ok(consoleAsset(path), path);
  for (const path of ['/console/page.js', '/console/', '/index.html', '/console/../page.ts', '/etc/passwd', '']) {
    t.equal(consoleAsset(path), null, path);
  }
  t.match(consoleAsset('/')?.type, 'text/html; charset=utf-8');
  t.match(consoleAsset('/console/app.js')?.type, 'text/javascript; charset=utf-8');
});

t.test('nothing is loaded from anywhere else, and no script or style stands in the page', async (t) => {
  for (const path of ['/', '/console/style.css', '/console/app.js', '/console/live.js', '/console/dom.js']) {
    const text = String(consoleAsset(path)!.body);
    t.notMatch(text, /https?:\/\/(?!www\.w3\.org)/, path);
    t.notMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|eval\(|new Function/, path);
  }
  t.notMatch(String(consoleAsset('/')!.body), /<script(?![^>]*src=)|\son\w+=|style="/);
});

if (browserPath === null) {
  t.pass('no chromium on this machine, the console was not tried in a browser', { skip: true });
} else {
  const browser = await startBrowser();
  t.teardown(() => browser.close());
  t.test('in a browser', (t) => inBrowser(t, browser));
}

async function inBrowser(t: Test, browser: Browser): Promise<void> {
  /** Opens the console of a node; fails the test for anything the browser complains of. */
  const open = async (t: Test, options: LiveOptions = {}, context: BrowserContextOptions = {}) => {
    const node = await live(t, { ...options, asset: consoleAsset });
    furnish(node.mesh);
    const opened = await browser.newContext(context);
    t.teardown(() => opened.close());
    const page = await opened.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(node.url)) complaints.push(`asked for ${request.url()}`);
    });
    return { node, page, complaints };
  };
  const text = (page: Page, selector: string) => page.locator(selector).innerText();

  t.test('the members and the numbers of the node are there', async (t) => {
    const { node, page, complaints } = await open(t);
    await page.goto(node.url);
    await page.locator('#members tbody tr').nth(3).waitFor();
    const rows = await page.locator('#members tbody tr').allInnerTexts();
    t.match(rows[0], /node-1 \(this node\).*alive.*51,307/s);
    t.match(rows[1], /node-2.*0\.4 ms.*830 ms ago/s);
    t.match(rows[2], /leaving.*47\.1 KiB/s);
    t.match(rows[3], /suspect.*3\.2 MiB.*17.*not announced/s);
    t.match(await text(page, '#members-note'), /3 of 4 alive/);
    t.match(await text(page, '#tiles'), /Connections\s+51,307/);
    t.match(await text(page, '#drops'), /slow consumer\s+12/);
    t.notMatch(await text(page, '#drops'), /malformed/);
    t.equal(await text(page, '#ready'), 'ready');
    t.equal(await page.title(), 'node-1 · lumesh');
    t.strictSame(complaints, []);
  });

  t.test('what is published is heard, and what is in it stays text', async (t) => {
    const { node, page, complaints } = await open(t);
    await page.goto(node.url);
    await page.fill('#listen-channels', 'user:1001 news');
    await page.click('#listen-button');
    await page.getByText('Listening to user:1001, news.').waitFor();
    const evil = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>';
    await page.fill('#publish-channel', 'news');
    await page.fill('#publish-data', evil);
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByText('1 subscriber got it.').waitFor();
    await page.locator('#messages li').waitFor();
    t.equal(await text(page, '#messages pre'), evil);
    t.equal(await page.title(), 'node-1 · lumesh');
    await page.fill('#publish-data', 'AAEC/w==');
    await page.check('#publish [name=binary]');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.locator('#messages li').nth(1).waitFor();
    t.match(await page.locator('#messages li').first().innerText(), /news.*binary.*AAEC\/w==/s);
    t.strictSame([...node.mesh.published[1].data], [0, 1, 2, 255]);
    await page.click('#listen-button');
    await page.getByText('Not listening.').waitFor();
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByText('Nobody got it: nobody subscribes to that channel.').waitFor();
    t.strictSame(complaints, []);
  });

  t.test('what is published on a channel that matches a pattern is heard', async (t) => {
    const { node, page, complaints } = await open(t);
    await page.goto(node.url);
    await page.fill('#listen-channels', 'room.*');
    await page.check('#listen-patterns');
    await page.click('#listen-button');
    await page.getByText('Listening to room.*.').waitFor();
    await page.fill('#publish-channel', 'room.7');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.locator('#messages li').waitFor();
    t.match(await page.locator('#messages li').innerText(), /room\.7.*Hello,World!/s);
    t.strictSame(complaints, []);
  });

  t.test('errors of the API are shown in its own words', async (t) => {
    const { node, page } = await open(t);
    await page.goto(node.url);
    await page.fill('#publish-channel', 'not a channel');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByText('a channel must not contain white space').waitFor();
    node.mesh.refusal = 'too many publishes wait';
    await page.fill('#publish-channel', 'fine');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.getByText('too many publishes wait').waitFor();
    node.mesh.subscribeOutcome = { ok: false, reason: 'timeout' };
    await page.fill('#listen-channels', 'c');
    await page.click('#listen-button');
    await page.getByText('cannot subscribe to "c": timeout').waitFor();
    t.equal(await text(page, '#listen-button'), 'Listen');
  });

  t.test('a channel is explained', async (t) => {
    const { node, page, complaints } = await open(t);
    await page.goto(node.url);
    await page.fill('#explain-channel', 'user:ü/1 ');
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.getByText('3 in all, without 1 node that did not answer').waitFor();
    t.match(await text(page, '#explanation'), /node-2\s+said that it has subscribers/);
    t.match(await text(page, '#explanation'), /Patterns with subscribers that it matches\s+user:\* \*\s+Owners/);
    await page.fill('#explain-channel', 'news');
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.getByText('Patterns with subscribers').waitFor({ state: 'detached' });
    t.strictSame(complaints, []);
  });

  t.test('a node that is not ready says why, and one that is gone is noticed', async (t) => {
    const { node, page } = await open(t);
    node.mesh.reasons = ['joining the mesh', 'scripts not loaded'];
    await page.goto(node.url);
    await page.getByText('This node does not serve yet: joining the mesh, scripts not loaded.').waitFor();
    await node.api.close();
    await page.getByText('The node does not answer.').waitFor();
    t.equal(await text(page, '#ready'), 'no answer');
  });

  t.test('with users the browser asks for a login, which then holds for the live stream, too', async (t) => {
    const users = [{ username: 'ann', password: 'right', roles: ['read'] }];
    const httpCredentials = { username: 'ann', password: 'right' };
    const { node, page } = await open(t, { users, metrics: 'users' }, { httpCredentials });
    t.equal((await page.goto(node.url))?.status(), 200);
    await page.locator('#members tbody tr').nth(3).waitFor();
    await page.fill('#listen-channels', 'c');
    await page.click('#listen-button');
    await page.getByText('Listening to c.').waitFor();
    await page.fill('#publish-channel', 'c');
    await page.getByRole('button', { name: 'Publish' }).click();
    await page.locator('#published.bad-text').waitFor();
    t.match(await text(page, '#published'), /write/);
    const refused = await fetch(node.url);
    t.equal(refused.status, 401);
    t.match(refused.headers.get('www-authenticate'), /^Basic /, 'so the browser asks');
  });

  t.test('on a phone nothing is wider than the screen, in light and in dark', async (t) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { node, page } = await open(t, {}, { viewport: { width: 375, height: 740 }, colorScheme });
      await page.goto(node.url);
      await page.locator('#members tbody tr').nth(3).waitFor();
      t.ok((await page.evaluate<number>('document.documentElement.scrollWidth')) <= 375, colorScheme);
    }
  });
}
