/** A gRPC client of a node's API, made from proto/lumesh.proto as any back end would make it. */
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../proto/lumesh.proto', import.meta.url));
const definition = loadSync(PROTO, { longs: String, enums: String, defaults: true });
const Lumesh = grpc.makeGenericClientConstructor(definition['lumesh.v1.Lumesh'] as grpc.ServiceDefinition, 'Lumesh');

export const lumeshClient = (address: string): grpc.Client => new Lumesh(address, grpc.credentials.createInsecure());

export function subscribe(
  client: grpc.Client,
  channels: string[],
  metadata = new grpc.Metadata(),
  patterns: string[] = [],
) {
  type Subscribe = (request: object, metadata: grpc.Metadata) => grpc.ClientReadableStream<unknown>;
  return (client as unknown as { subscribe: Subscribe }).subscribe({ channels, patterns }, metadata);
}
