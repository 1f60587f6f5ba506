import t from 'tap';
import type { GrpcLinks } from '../../../src/links/links.js';
import { freeAddress, startLinks, until, waking } from '../../links/world.js';
import { linksConformance, type Side } from './suite.js';

linksConformance(t, 'gRPC', async () => {
  const started: GrpcLinks[] = [];
  return {
    async node(name) {
      const { links } = await startLinks(name);
      started.push(links);
      return { links, address: links.address(), attach: (events) => links.attach(waking(events)) };
    },
    kill: (side: Side) => (side.links as GrpcLinks).cut(),
    nobody: freeAddress,
    until,
    async end() {
      for (const links of started) await links.closeAll();
    },
  };
});
