/** Socket.IO with the Redis adapter, one process of a cluster. `process.argv[2]` is the port of Redis. */

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const redis = new Redis(Number(process.argv[2]), '127.0.0.1');
const http = createServer();
const io = new Server(http, {
  transports: ['websocket'],
  perMessageDeflate: false,
  pingInterval: 60000,
  adapter: createAdapter(redis, redis.duplicate()),
});
io.on('connection', (socket) => {
  socket.on('s', async (channel) => {
    await socket.join(channel);
    socket.emit('ok');
  });
  socket.on('p', (channel, payload) => io.to(channel).emit('m', payload));
});
http.listen(0, '127.0.0.1', () => process.send({ port: http.address().port }));
process.on('disconnect', () => process.exit());
