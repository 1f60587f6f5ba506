/**
 * What every call passes before it runs, whatever it came by: login, role, rate limits; and what is counted about it. One gate
 * serves all transports of a node.
 */
import type { AccessConfig, ApiConfig } from '../config/schema.js';
import { MeshError } from '../errors.js';
import { Access, type Caller, type Role } from './access.js';
import { countedAs } from './address.js';
import { RateLimit } from './limits.js';
import type { Backplane } from './roles.js';

const TRANSPORTS = ['http', 'websocket', 'grpc'] as const;
const LOOPBACK_HOST = /^(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?$/i;

export type Transport = (typeof TRANSPORTS)[number];

export class Gate {
  readonly access: Access;
  /** From drain() on: readiness is false and no new connection is taken. */
  draining = false;
  readonly allowedOrigins: ReadonlySet<string>;
  private readonly insecure: boolean;
  private readonly rate: RateLimit;
  /** Calls of this turn, by transport; counting each by itself would cost as much as reading it. */
  private readonly calls = { http: 0, websocket: 0, grpc: 0 };
  private callsWait = false;

  constructor(
    api: ApiConfig,
    access: AccessConfig,
    private readonly backplane: Backplane,
    now: () => number,
  ) {
    this.access = new Access(access, now);
    this.rate = new RateLimit(api.requestsPerSecond, now);
    this.allowedOrigins = new Set(api.origins);
    this.insecure = api.insecure;
  }

  /**
   * Refuses what a browser sends for a page of another site: such a page could otherwise publish through the login that the
   * browser remembers, or through a node that trusts its own machine. Back ends send no Origin header.
   */
  originRefusal(origin: string, host: string): MeshError | null {
    if (origin === '' || this.allowedOrigins.has(origin)) return null;
    // A node without logins trusts this machine only. Any site can give itself a name that leads to 127.0.0.1.
    const trusted = !this.access.open || this.insecure || LOOPBACK_HOST.test(host);
    if (trusted && (origin === `http://${host}` || origin === `https://${host}`)) return null;
    return new MeshError('forbidden', `pages of ${origin.slice(0, 200)} may not call this API (api.origins)`);
  }

  /** Whether a call must know its address: only then is it worth asking the socket for it. */
  get needsAddress(): boolean {
    return !this.access.open || this.rate.perSecond > 0;
  }

  /** Counts a call and says why it may not run; null when it may. */
  refusal(transport: Transport, caller: Caller, address: string, role: Role): MeshError | null {
    this.calls[transport]++;
    if (!this.callsWait) this.countLater();
    return (
      this.access.refusal(caller, role) ?? this.rate.refusal(caller.name === '' ? countedAs(address) : caller.name)
    );
  }

  private countLater(): void {
    this.callsWait = true;
    setImmediate(() => {
      this.callsWait = false;
      for (const transport of TRANSPORTS) {
        const calls = this.calls[transport];
        if (calls > 0) this.backplane.meter.count('api_requests_total', calls, transport);
        this.calls[transport] = 0;
      }
    });
  }

  /** Counts an error that a back end was answered with. */
  failed(error: MeshError): void {
    this.backplane.meter.count('api_errors_total', 1, error.kind);
  }

  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const { ready, reasons } = this.backplane.readiness();
    if (!this.draining) return { ready, reasons };
    return { ready: false, reasons: reasons.includes('draining') ? reasons : [...reasons, 'draining'] };
  }

  /** An exception out of our own code: a bug, answered as such and logged, never passed on. */
  bug(error: unknown): MeshError {
    this.backplane.log.error('a call of the API failed inside', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    return new MeshError('internal', 'internal error; the log of this node says more');
  }
}
