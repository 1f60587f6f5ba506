import uWS, { type TemplatedApp } from 'uWebSockets.js';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { listenOn, openPort } from '../src/port.js';

const HERE = '127.0.0.1';

function app(t: Test): TemplatedApp {
  const made = uWS.App();
  t.teardown(() => made.close());
  return made;
}

t.test('a free port that somebody else takes before it is opened is left to him, for another one', async (t) => {
  const [ours, theirs] = [app(t), app(t)];
  const tried: number[] = [];
  const port = await openPort(HERE, 0, (free) => {
    tried.push(free);
    if (tried.length === 1) t.ok(listenOn(theirs, HERE, free, false));
    return listenOn(ours, HERE, free, false) !== null;
  });
  t.equal(tried.length, 2);
  t.equal(port, tried[1]);
  const client = connect(port, HERE);
  await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
  client.destroy();
});

t.test('where no free port can be opened, that is said and not tried for ever', async (t) => {
  let tried = 0;
  const opening = openPort(HERE, 0, () => {
    tried++;
    return false;
  });
  await t.rejects(opening, { kind: 'invalid_argument', message: /^port \d+ on 127\.0\.0\.1 can't be opened/ });
  t.equal(tried, 10);
});

t.test('a port that is named is that one or none, and the reason is told', async (t) => {
  const theirs = app(t);
  const port = await openPort(HERE, 0, (free) => listenOn(theirs, HERE, free, false) !== null);
  let tried = 0;
  const opening = openPort(HERE, port, (named) => {
    tried++;
    return listenOn(app(t), HERE, named, false) !== null;
  });
  await t.rejects(opening, { message: `port ${port} on ${HERE} is taken by another process. Free it, or set another` });
  t.equal(tried, 1);
});

t.test('a port on an address of another machine is refused with that reason', async (t) => {
  for (const port of [0, 1])
    await t.rejects(
      openPort('192.0.2.1', port, () => false),
      { message: /this machine has no address 192\.0\.2\.1/ },
    );
});
