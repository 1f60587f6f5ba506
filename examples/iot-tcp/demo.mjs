/** Two devices send readings over TCP, one gets a command; a third has the wrong key. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { COMMAND, decoder, ERROR, hello, reading, STORED, WELCOME } from './frames.mjs';

class Device {
  #frames = [];
  #waiting = null;

  constructor(socket) {
    this.socket = socket;
    socket.on(
      'data',
      decoder((type, body) => this.#frames.push({ type, body }) && this.#match()),
    );
    socket.on('close', () => this.#waiting?.reject(new Error('closed')));
  }

  static async open(address) {
    const [host, port] = address.split(':');
    const device = new Device(connect(Number(port), host));
    await once(device.socket, 'connect');
    return device;
  }

  /** The next frame of this type; its body. */
  next(type) {
    return new Promise((resolve, reject) => {
      this.#waiting = { type, resolve, reject };
      this.#match();
    });
  }

  #match() {
    const index = this.#frames.findIndex(({ type }) => type === this.#waiting?.type);
    if (index < 0) return;
    this.#waiting.resolve(this.#frames.splice(index, 1)[0].body);
    this.#waiting = null;
  }
}

export async function demo({ clients, backend }, say) {
  const meter = await Device.open(clients);
  meter.socket.write(hello('meter-1'));
  await meter.next(WELCOME);
  say('meter-1: welcome');
  // Many frames in one packet, and one frame in two packets: the protocol script sorts them out.
  const third = reading(3, 17, 22.5);
  meter.socket.write(Buffer.concat([reading(1, 17, 21.5), reading(2, 17, 22), third.subarray(0, 6)]));
  meter.socket.write(third.subarray(6));
  for (let i = 1; i <= 3; i++) say(`meter-1: reading ${(await meter.next(STORED)).readUInt32BE(0)} is stored`);

  const valve = await Device.open(clients);
  valve.socket.write(hello('valve-7'));
  await valve.next(WELCOME);
  const command = async (device, text) => {
    const body = JSON.stringify({ device, command: text });
    const { delivered } = await (await fetch(`${backend}/commands`, { method: 'POST', body })).json();
    say(`back end: "${text}" to ${device} ${delivered ? 'is delivered' : 'found nobody'}`);
  };
  await command('valve-7', 'close');
  say(`valve-7: got ${await valve.next(COMMAND)}`);
  await command('valve-8', 'close');

  const thief = await Device.open(clients);
  thief.socket.write(hello('meter-2', 'a wrong secret'));
  say(`meter-2: refused, ${await thief.next(ERROR)}`);

  let stored = [];
  while (stored.length < 3) stored = await (await fetch(`${backend}/readings?device=meter-1`)).json();
  say(`back end: has ${stored.map(({ value }) => value).join(', ')} of meter-1`);
  for (const { socket } of [meter, valve, thief]) socket.destroy();
}
