/** What a publish carries, from the edge it entered by to the subscriber that gets it. */

/** A payload under way on a channel. `data` belongs to the message: whoever builds one copies bytes that are only lent. */
export interface Message {
  readonly channel: string;
  readonly data: Uint8Array;
  /** True for a binary WebSocket frame, false for text (the bytes are UTF-8 then, as the publisher promised). */
  readonly binary: boolean;
}

/** The result of a publish over the mesh (ROUTING.md rule 13). */
export interface PublishResult {
  /** Subscribers that got it; exact when `unconfirmed` is empty, else a lower bound. */
  readonly success: number;
  /** Subscribers that could not get it; an unconfirmed node adds its last known subscriber count, at least 1. */
  readonly fail: number;
  /** Ids of the interested nodes that did not confirm in time. Empty: the counts are complete. */
  readonly unconfirmed: readonly string[];
}

/** How a subscribe ended (ROUTING.md rule 5). `limit`: of the subscriber; `node_limit`: of the whole node. */
export type SubscribeOutcome =
  | { readonly ok: true; readonly degraded: boolean }
  | { readonly ok: false; readonly reason: 'timeout' | 'not_ready' | 'limit' | 'node_limit' | 'closed' };

/** What one request to another node's connection or to a node came back with. */
export type AskOutcome =
  | { readonly ok: true; readonly body: Uint8Array }
  | {
      readonly ok: false;
      readonly reason: 'no_such_node' | 'unreachable' | 'timeout' | 'queue_full' | 'refused';
      readonly text: string;
    };
