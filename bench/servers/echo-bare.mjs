/** Plain JavaScript on uWebSockets.js: every message goes back as it came; with `json`, decoded, looked at, and encoded. */
import uWS from 'uWebSockets.js';

const json = process.argv[2] === 'json';

function answerOf(message) {
  const { op, id, text } = JSON.parse(Buffer.from(message).toString());
  return JSON.stringify({ op, id, text });
}

const app = uWS.App().ws('/*', {
  maxPayloadLength: 1 << 16,
  maxBackpressure: 1 << 20,
  idleTimeout: 60,
  message(ws, message, binary) {
    ws.send(json ? answerOf(message) : message, binary);
  },
});
app.listen('127.0.0.1', 0, (socket) => process.send({ port: uWS.us_socket_local_port(socket) }));
for (const end of ['disconnect', 'SIGTERM']) process.on(end, () => process.exit());
