/**
 * The limit: uWebSockets.js with nothing around it. Text "s CHANNEL" subscribes and is answered "ok"; a binary frame (one byte
 * for the channel's length, channel, payload) is published, collected within the event-loop turn and published at its end,
 * which is the cheapest way there is.
 */
import uWS from 'uWebSockets.js';

let pending = [];
const flush = () => {
  const due = pending;
  pending = [];
  for (const bytes of due) {
    const start = bytes[0] + 1;
    app.publish(bytes.subarray(1, start), bytes.subarray(start), false);
  }
};

const app = uWS.App().ws('/*', {
  maxPayloadLength: 1 << 20,
  maxBackpressure: 64 << 20,
  idleTimeout: 0,
  message(ws, message, binary) {
    if (binary) {
      if (pending.push(new Uint8Array(message.slice(0))) === 1) setImmediate(flush);
      return;
    }
    ws.subscribe(Buffer.from(message).toString().slice(2));
    ws.send('ok');
  },
});
app.listen('127.0.0.1', 0, (socket) => process.send({ port: uWS.us_socket_local_port(socket) }));
process.on('disconnect', () => process.exit());
