/** The baseline of the API benchmarks: the least that a uWebSockets.js server does to take a JSON POST and answer it. */
import uWS from 'uWebSockets.js';

const app = uWS.App();
app.post('/v1/mesh/publish', (res) => {
  res.onAborted(() => {});
  let body = Buffer.alloc(0);
  res.onData((chunk, isLast) => {
    body = Buffer.concat([body, Buffer.from(chunk)]);
    if (!isLast) return;
    const { c, d } = JSON.parse(body.toString());
    const done = typeof c === 'string' && typeof d === 'string';
    res.cork(() => {
      res.writeHeader('content-type', 'application/json').end(done ? '{"E":null,"r":{"s":3,"f":0}}' : '{"E":{}}');
    });
  });
});
app.listen('127.0.0.1', 0, (socket) => process.send({ port: uWS.us_socket_local_port(socket) }));
process.on('disconnect', () => process.exit());
