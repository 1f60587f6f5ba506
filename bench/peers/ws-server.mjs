/** A plain server on the `ws` package, as many are written: a set of sockets per channel, a loop that sends. */
import { WebSocketServer } from 'ws';

const channels = new Map();
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
server.on('connection', (socket) => {
  socket.on('message', (message, binary) => {
    if (binary) {
      const start = message[0] + 1;
      const members = channels.get(message.toString('latin1', 1, start)) ?? [];
      const payload = message.subarray(start);
      for (const member of members) member.send(payload, { binary: false });
      return;
    }
    const channel = message.toString().slice(2);
    if (!channels.has(channel)) channels.set(channel, new Set());
    channels.get(channel).add(socket);
    socket.send('ok');
  });
  socket.on('close', () => {
    for (const members of channels.values()) members.delete(socket);
  });
});
server.on('listening', () => process.send({ port: server.address().port }));
process.on('disconnect', () => process.exit());
