/**
 * The Links port of the core over gRPC: dials, awaits, names the links, and tells the mesh what happens on them. Each link is
 * two HTTP/2 connections (control and data lane); the parts are in the files beside this one.
 */
import { isIPv6 } from 'node:net';
import type { Frame } from '../core/frames.js';
import type { Lane as LaneName, LinkEvents, LinkId, Links, Log, Meter } from '../core/ports.js';
import { Arrivals } from './arrival.js';
import { type Certificates, loadCertificates } from './certificates.js';
import { Dial } from './dial.js';
import { type Carrier, type Lanes, Link, type LinkOwner } from './link.js';
import { Listener } from './listener.js';
import { DEFAULT_LIMITS, type LinkLimits, type LinksOptions } from './options.js';

export class GrpcLinks implements Links {
  readonly #links = new Map<LinkId, Link | Dial>();
  readonly #limits: LinkLimits;
  readonly #certificates: Certificates | null;
  readonly #listener: Listener;
  readonly #owner: LinkOwner;
  #events: LinkEvents | null = null;
  /** What happened before the mesh was there to hear it. */
  #unheard: ((events: LinkEvents) => void)[] = [];
  #lastId = 0;
  #port = 0;
  /** Called when the last link is gone, once close is under way. */
  #emptied: (() => void) | null = null;

  constructor(
    private readonly options: LinksOptions,
    private readonly log: Log,
    private readonly meter: Meter,
  ) {
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#certificates = loadCertificates(options.tls, log, this.#limits.tlsReloadMs);
    const arrivals = new Arrivals(options, this.#limits, {
      opened: (peer, lanes, remotes) => this.#arrived(peer, lanes, remotes),
      denied: (remote, peer, why) => this.#denied({ remote, peer, why }),
    });
    this.#listener = new Listener(options, this.#limits, this.#certificates, log, meter, {
      called: (lane, call, remote, problem) => arrivals.arrived(lane, call, remote, problem),
    });
    this.#owner = {
      received: (link, lane, frames) => this.#tell((events) => events.received(link, lane, frames)),
      drained: (link, lane) => this.#tell((events) => events.drained(link, lane)),
      closed: (link, end, text) => {
        log[end === 'ended' ? 'debug' : 'info']('peer link ended', {
          peer: link.peer,
          remote: link.carrier.remote,
          end,
          why: text,
        });
        this.#tell((events) => events.closed(link.id, end, text));
      },
      gone: (link) => {
        this.#links.delete(link.id);
        log.debug('peer link given back', { peer: link.peer, remote: link.carrier.remote });
        if (this.#links.size === 0) this.#emptied?.();
      },
      refused: (link, frame) => {
        meter.count('drops_total', 1, 'frame_too_large');
        log.error('frame not sent: it is over cluster.maxFrameBytes', { peer: link.peer, kind: frame.kind });
      },
    };
  }

  /** Takes the port. Rejects with a MeshError that names it when it cannot be had. */
  async listen(): Promise<void> {
    this.#port = await this.#listener.listen();
  }

  /** Whom to tell; what happened before is told at once, in order. */
  attach(events: LinkEvents): void {
    this.#events = events;
    const unheard = this.#unheard;
    this.#unheard = [];
    for (const tell of unheard) tell(events);
  }

  /** host:port on which peers are awaited, with the real port. */
  address(): string {
    const { bind } = this.options;
    return isIPv6(bind) ? `[${bind}]:${this.#port}` : `${bind}:${this.#port}`;
  }

  /** Bytes that wait to be sent on a lane of a link; 0 when there is no such link. */
  queuedBytes(link: LinkId, lane: LaneName): number {
    const found = this.#links.get(link);
    return found instanceof Link ? found.queuedBytes(lane) : 0;
  }

  dial(address: string): LinkId {
    const id = ++this.#lastId;
    const dial = new Dial(address, this.options, this.#limits, this.#certificates, {
      opened: (peer, carrier, lanes) => this.#opened(id, address, peer, carrier, lanes),
      failed: (end, text, peer) => {
        this.#links.delete(id);
        if (end === 'denied') this.#denied({ address, peer, why: text });
        else this.log.debug('peer not reached', { address, end, why: text });
        this.#tell((events) => events.closed(id, end, text));
      },
    });
    this.#links.set(id, dial);
    return id;
  }

  send(link: LinkId, lane: LaneName, frames: readonly Frame[]): boolean {
    const found = this.#links.get(link);
    return found instanceof Link ? found.send(lane, frames) : false;
  }

  close(link: LinkId, reason: string): void {
    const found = this.#links.get(link);
    if (found instanceof Link) found.close(reason);
    else if (found !== undefined) {
      found.cancel();
      this.#links.delete(link);
    }
  }

  /** Reads the certificate files again now, instead of within a few seconds of their change. */
  reloadCertificates(): void {
    this.#certificates?.reload();
  }

  /** Closes all links, politely and in bounded time, and gives the port back. */
  async closeAll(): Promise<void> {
    for (const [id] of this.#links) this.close(id, 'the node stops');
    if (this.#links.size > 0) {
      await new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
    }
    this.#certificates?.stop();
    await this.#listener.close();
  }

  /** Cuts every connection without a word, as the death of the process does. */
  cut(): void {
    for (const link of this.#links.values()) {
      if (link instanceof Link) link.carrier.sever();
      else link.cancel();
    }
  }

  #arrived(peer: string, lanes: Lanes, remotes: readonly string[]): void {
    for (const remote of remotes) this.#listener.adopt(remote);
    const carrier: Carrier = {
      remote: remotes[0],
      release: () => {},
      sever: () => {
        for (const remote of remotes) this.#listener.sever(remote);
      },
    };
    this.#opened(++this.#lastId, null, peer, carrier, lanes);
  }

  #opened(id: LinkId, dialed: string | null, peer: string, carrier: Carrier, lanes: Lanes): void {
    this.#links.set(id, new Link(id, peer, carrier, lanes, this.#limits, this.#owner, this.meter));
    this.log.debug('peer link opened', { peer, remote: carrier.remote, dialed });
    this.#tell((events) => events.opened(id, dialed, carrier.remote));
  }

  #denied(who: {
    readonly remote?: string;
    readonly address?: string;
    readonly peer: string;
    readonly why: string;
  }): void {
    this.meter.count('drops_total', 1, 'peer_denied');
    this.log.warn(who.remote === undefined ? 'peer link denied' : 'peer refused', who);
  }

  #tell(what: (events: LinkEvents) => void): void {
    if (this.#events === null) this.#unheard.push(what);
    else what(this.#events);
  }
}

/** Awaits peers and is ready to dial. Give it the mesh with `attach`. */
export async function createLinks(options: LinksOptions, log: Log, meter: Meter): Promise<GrpcLinks> {
  const links = new GrpcLinks(options, log, meter);
  await links.listen();
  return links;
}
