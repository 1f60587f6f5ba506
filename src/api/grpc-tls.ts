/** Certificates of the gRPC port, exchanged without touching open connections. */
import { readFileSync } from 'node:fs';
import grpc, { type ServerCredentials } from '@grpc/grpc-js';
import { checkCertificate } from './listener.js';

type Provider = Parameters<typeof grpc.experimental.createCertificateProviderServerCredentials>[0];
type Listener = Parameters<Provider['addIdentityCertificateListener']>[0];

export interface GrpcCertificate {
  readonly credentials: ServerCredentials;
  /** Reads the files again. Throws, and keeps the old certificate, when they are not usable. */
  reload(): void;
}

/** Empty file names: no TLS. */
export function grpcCertificate(tls: { readonly cert: string; readonly key: string }): GrpcCertificate {
  if (tls.cert === '') return { credentials: grpc.ServerCredentials.createInsecure(), reload() {} };
  const listeners = new Set<Listener>();
  const read = () => {
    checkCertificate(tls);
    return { certificate: readFileSync(tls.cert), privateKey: readFileSync(tls.key) };
  };
  let current = read();
  const provider: Provider = {
    addCaCertificateListener() {},
    removeCaCertificateListener() {},
    addIdentityCertificateListener(listener) {
      listeners.add(listener);
      // Not within this call: grpc-js adds the server to its watchers only after it.
      process.nextTick(() => listener(current));
    },
    removeIdentityCertificateListener(listener) {
      listeners.delete(listener);
    },
  };
  // grpc-js names this function's first two parameters the wrong way round: the first is the server's own certificate.
  const credentials = grpc.experimental.createCertificateProviderServerCredentials(provider, null, false);
  return {
    credentials,
    reload() {
      current = read();
      for (const listener of listeners) listener(current);
    },
  };
}
