/** The guarantee of ROUTING.md, judged: each publication once its result is known, and what is owed at the end. */
import type { Ledger, Publication, Subscription } from './ledger.js';
import type { Views } from './views.js';

/** A miss that a parting of the two nodes excuses, for which the subscriber's node owes a gap. */
interface Debt {
  readonly publication: Publication;
  readonly subscription: Subscription;
}

export class Judge {
  /** Misses that the publisher was told of. */
  reported = 0;
  private readonly debts: Debt[] = [];

  constructor(
    private readonly ledger: Ledger,
    private readonly views: Views,
    /** No miss is excused and every result is complete: only graceful things happen in this run. */
    public lossless: boolean,
  ) {}

  judge(publication: Publication): void {
    const { ledger } = this;
    const { id, channel, success, fail } = publication;
    const result = publication.result!;
    const complete = result.unconfirmed.length === 0;
    if (complete && (result.success !== success || result.fail !== fail)) {
      const text = `#${id} reports ${result.success}/${result.fail} as complete, truth is ${success}/${fail}`;
      ledger.breach('complete counts are exact', text, channel);
    }
    if (result.success > success)
      ledger.breach('success is a lower bound', `#${id} reports ${result.success}, truth is ${success}`, channel);
    // A node that is not ready has no subscribers: nothing is lost with it.
    if (this.lossless && result.unconfirmed.some((nodeId) => this.views.isReady(nodeId)))
      ledger.breach('graceful loses nothing', `#${id} is unconfirmed by ${result.unconfirmed.join(' ')}`, channel);
    for (const subscription of publication.expected) this.cover(publication, subscription);
  }

  private cover(publication: Publication, subscription: Subscription): void {
    if (publication.got.includes(subscription) || subscription.endedAt < publication.doneAt) return;
    const { node: publisher, channel, id } = publication;
    const { node } = subscription.subscriber;
    const from = Math.max(subscription.ackedAt, this.ledger.readyAt.get(publisher) ?? 0);
    const { unconfirmed } = publication.result!;
    if (unconfirmed.includes(node.nodeId)) {
      this.reported++;
      return;
    }
    if (this.views.parted(publisher, node, from, publication.doneAt) && !this.lossless) {
      if (unconfirmed.length === 0) this.debts.push({ publication, subscription });
      return;
    }
    const text = `#${id} from ${publisher.name} never went to ${subscription.subscriber.id} on ${node.name}, acknowledged before`;
    this.ledger.breach('coverage', text, channel);
  }

  /** When the mesh is whole again: counts once more, since late deliveries may have come, and gaps. */
  settle(): void {
    for (const publication of this.ledger.publications) this.recount(publication);
    for (const { publication, subscription } of this.debts) {
      if (publication.got.includes(subscription) || !publication.node.alive) continue;
      if (!subscription.subscriber.node.alive || this.hasGap(publication, subscription)) continue;
      const { id, node, channel } = publication;
      const text = `#${id} from ${node.name} was missed by ${subscription.subscriber.id}, the result was complete and no gap was raised`;
      this.ledger.breach('no silent loss', text, channel);
    }
  }

  private recount(publication: Publication): void {
    const { id, channel, result, node } = publication;
    if (result === null) {
      if (node.alive) this.ledger.breach('every publish ends', `#${id} has no result`, channel);
      return;
    }
    if (result.unconfirmed.length > 0) return;
    if (result.success === publication.success && result.fail === publication.fail) return;
    this.ledger.breach('complete counts are exact', `#${id} was delivered after its result said complete`, channel);
  }

  private hasGap({ at, node, channel }: Publication, { subscriber }: Subscription): boolean {
    return this.ledger.gaps.some(
      (gap) =>
        gap.at > at &&
        gap.node === subscriber.node &&
        gap.peer === node.nodeId &&
        (gap.channel === null || gap.channel === channel),
    );
  }
}
