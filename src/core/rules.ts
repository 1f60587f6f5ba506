/**
 * The names of the rules that the simulator can switch off one at a time, to show that each is needed (`lumesh sim --without`).
 * A running node never does: the process has no way to set `MeshOptions.without`.
 */

/** Rule name → its number in ROUTING.md and what the node does when it is left out. */
export const RULES = {
  'sync-after-registers': { rule: 2, without: 'the sync mark is promised before the registrations were sent' },
  settled: { rule: 3, without: 'a subscribe is acknowledged before all members know this view' },
  'versioned-register-ack': {
    rule: 4,
    without: 'any acknowledgement of a channel counts, not only the latest version',
  },
  'all-owners-acknowledge': { rule: 5, without: 'one owner is enough to acknowledge a subscribe' },
  'unsynced-members-included': { rule: 6, without: 'an owner answers with its directory alone' },
  'owner-check': { rule: 6, without: 'a node answers whatever it owns and whatever the asker takes for the view' },
  'digest-equality': { rule: 7, without: 'an answer counts whatever view it comes from' },
  'mismatched-announcements-included': { rule: 7, without: 'members that announced another view are not sent to' },
  'lease-wait': { rule: 9, without: 'an owner acknowledges new interest without waiting for lease holders' },
  'holder-clock-from-sending': { rule: 9, without: 'a lease counts from the arrival of the answer' },
  'leases-survive': { rule: 10, without: 'lease records are forgotten on view changes and session loss' },
  'gen-in-digest': { rule: 11, without: 'a member that refuted its death looks like the one that died' },
  'join-gate': { rule: 12, without: 'a node is ready before it met everybody' },
  'merge-members': { rule: 12, without: 'members named in HELLO, ACCEPT, ANN and ANN_ACK are not merged' },
} as const;

export type RuleName = keyof typeof RULES;
export const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];
