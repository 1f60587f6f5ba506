/** The message center's back end: knows whose token it is, and sends messages to users. */
import { publish, serve } from '../backend.mjs';

const users = {
  'token-ann': { uid: 1001, name: 'Ann' },
  'token-bob': { uid: 1002, name: 'Bob' },
};

serve(8080, {
  'POST /login': ({ token }) => (Object.hasOwn(users, token) ? [200, users[token]] : [401, { error: 'unknown token' }]),

  /** { uid, text } → how many of the user's devices got it. */
  'POST /messages': async ({ uid, text }) => {
    const { success } = await publish(`user:${uid}`, { op: 'message', text, sentAt: new Date().toISOString() });
    return [200, { devices: success }];
  },
});
