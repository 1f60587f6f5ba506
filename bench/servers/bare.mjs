/**
 * The limit: uWebSockets.js with nothing around it. Text "s CHANNEL" subscribes and is answered "ok"; a binary frame is
 * published to "c", collected within the event-loop turn and published at its end, which is the cheapest way there is.
 */
import uWS from 'uWebSockets.js';

let pending = [];
const flush = () => {
  const due = pending;
  pending = [];
  for (const message of due) app.publish('c', message, false);
};

const app = uWS.App().ws('/*', {
  maxPayloadLength: 1 << 20,
  maxBackpressure: 64 << 20,
  idleTimeout: 0,
  message(ws, message, binary) {
    if (binary) {
      if (pending.push(message.slice(0)) === 1) setImmediate(flush);
      return;
    }
    ws.subscribe(Buffer.from(message).toString().slice(2));
    ws.send('ok');
  },
});
app.listen('127.0.0.1', 0, (socket) => process.send({ port: uWS.us_socket_local_port(socket) }));
process.on('disconnect', () => process.exit());
