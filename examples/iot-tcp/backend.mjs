/** The devices' back end: takes readings from lumesh's queue, keeps them, and sends commands to devices. */
import { WebSocket } from 'ws';
import { publish, serve, whenLumeshIsUp } from '../backend.mjs';

const KEPT = 1000;
const readings = [];

serve(8080, {
  'GET /readings': (_, url) => {
    const device = url.searchParams.get('device');
    return [200, readings.filter((reading) => device === null || reading.device === device)];
  },

  /** { device, command } → whether the device is connected, to whichever node. */
  'POST /commands': async ({ device, command }) => {
    const counts = await publish(`device:${device}`, { command });
    return [200, { delivered: counts.success === 1 }];
  },
});

/** Several back ends may consume the same topic: each reading goes to one of them. */
whenLumeshIsUp((url) => {
  const api = new WebSocket(`${url.replace('http', 'ws')}/ws/v1`);
  api.on('open', () => api.send(JSON.stringify({ m: 'queue.pop', p: { t: ['readings'] }, i: 1 })));
  api.on('message', (bytes) => {
    const message = JSON.parse(bytes.toString());
    if (message.e !== 'queue.pop') return;
    readings.push(message.p.d);
    if (readings.length > KEPT) readings.shift();
  });
  api.on('error', (error) => console.error(`lumesh is not reachable: ${error.message}`));
});
