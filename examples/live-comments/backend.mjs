/** The comments' back end: keeps them, and refuses what nobody should read. */
import { serve } from '../backend.mjs';

const KEPT = 50;
const REFUSED = /\bspam\b/i;
/** Video → its latest comments. */
const comments = new Map();
let lastId = 0;

serve(8080, {
  'GET /comments': (_, url) => [200, comments.get(Number(url.searchParams.get('video'))) ?? []],

  'POST /comments': ({ video, name, text }) => {
    if (REFUSED.test(text)) return [422, { error: 'this comment is not welcome' }];
    const comment = { id: ++lastId, name, text };
    const list = comments.get(video) ?? [];
    list.push(comment);
    comments.set(video, list.slice(-KEPT));
    return [200, comment];
  },
});
