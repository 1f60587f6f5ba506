/** Plain JavaScript on uWebSockets.js: every message goes back as it came. */
import uWS from 'uWebSockets.js';

const app = uWS.App().ws('/*', {
  maxPayloadLength: 1 << 16,
  maxBackpressure: 1 << 20,
  idleTimeout: 60,
  message(ws, message, binary) {
    ws.send(message, binary);
  },
});
app.listen('127.0.0.1', 0, (socket) => process.send({ port: uWS.us_socket_local_port(socket) }));
process.on('disconnect', () => process.exit());
