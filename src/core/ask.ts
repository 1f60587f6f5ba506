/** Requests from node to node: one question, one answer, in time or not at all. What `op` and body mean is the asker's. */
import type { Ask, Reply } from './frames.js';
import type { AskOutcome } from './message.js';
import type { Peer } from './peer.js';
import type { Clock } from './ports.js';

export type Answerer = (body: Uint8Array, reply: (ok: boolean, body: Uint8Array) => void) => void;

export interface AskLimits {
  readonly askTimeoutMs: number;
  readonly maxAsks: number;
}

/** A question to a peer that is not answered yet. */
interface Question {
  readonly peer: Peer;
  readonly deadline: number;
  readonly done: (outcome: AskOutcome) => void;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class Asks {
  private readonly answerers = new Map<string, Answerer>();
  /** By id, oldest first. */
  private readonly questions = new Map<number, Question>();
  private readonly openOf = new Map<Peer, number>();
  private lastId = 0;
  private timing = false;

  constructor(
    private readonly clock: Clock,
    private readonly limits: AskLimits,
  ) {}

  answer(op: string, fn: Answerer): void {
    this.answerers.set(op, fn);
  }

  /** `done` is called once, never within this call. */
  ask(peer: Peer, op: string, body: Uint8Array, done: (outcome: AskOutcome) => void): void {
    const open = this.openOf.get(peer) ?? 0;
    if (peer.session === null) return this.refuse(done, 'unreachable', `no session with ${peer.nodeId}`);
    if (open >= this.limits.maxAsks) return this.refuse(done, 'queue_full', `${open} requests to ${peer.nodeId} wait`);
    this.openOf.set(peer, open + 1);
    const id = ++this.lastId;
    this.questions.set(id, { peer, deadline: this.clock.now() + this.limits.askTimeoutMs, done });
    peer.outbox.sendLoose({ kind: 'ask', id, op, body });
    if (!this.timing) this.time(this.limits.askTimeoutMs);
  }

  /** A question to this very node, answered the same way. */
  askSelf(op: string, body: Uint8Array, done: (outcome: AskOutcome) => void): void {
    this.clock.endOfTurn(() =>
      this.give(op, body, (ok, answer) =>
        done(ok ? { ok, body: answer } : { ok, reason: 'refused', text: decoder.decode(answer) }),
      ),
    );
  }

  refuse(
    done: (outcome: AskOutcome) => void,
    reason: 'no_such_node' | 'unreachable' | 'queue_full',
    text: string,
  ): void {
    this.clock.endOfTurn(() => done({ ok: false, reason, text }));
  }

  onAsk(peer: Peer, { id, op, body }: Ask): void {
    const { session } = peer;
    this.give(op, body, (ok, answer) => {
      if (peer.session === session) peer.outbox.sendLoose({ kind: 'reply', id, ok, body: answer });
    });
  }

  private give(op: string, body: Uint8Array, reply: (ok: boolean, body: Uint8Array) => void): void {
    const answerer = this.answerers.get(op);
    if (answerer === undefined) return reply(false, encoder.encode(`this node has no answer to "${op}"`));
    let replied = false;
    answerer(body, (ok, answer) => {
      if (!replied) reply(ok, answer);
      replied = true;
    });
  }

  onReply({ id, ok, body }: Reply): void {
    this.end(id, ok ? { ok, body } : { ok, reason: 'refused', text: decoder.decode(body) });
  }

  sessionLost(peer: Peer): void {
    const outcome = { ok: false, reason: 'unreachable', text: `lost the session with ${peer.nodeId}` } as const;
    for (const [id, question] of [...this.questions]) if (question.peer === peer) this.end(id, outcome);
  }

  private end(id: number, outcome: AskOutcome): void {
    const question = this.questions.get(id);
    if (question === undefined) return;
    this.questions.delete(id);
    const open = this.openOf.get(question.peer)! - 1;
    if (open === 0) this.openOf.delete(question.peer);
    else this.openOf.set(question.peer, open);
    question.done(outcome);
  }

  /** One timer for all: questions are in the order of their deadlines. */
  private time(ms: number): void {
    this.timing = true;
    this.clock.after(ms, () => {
      this.timing = false;
      const now = this.clock.now();
      for (const [id, { peer, deadline }] of this.questions) {
        if (deadline > now) return this.time(deadline - now);
        this.end(id, { ok: false, reason: 'timeout', text: `${peer.nodeId} did not answer in time` });
      }
    });
  }
}
