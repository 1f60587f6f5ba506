import t from 'tap';
import { Budget } from '../../src/core/budget.js';

t.test('a budget allows its burst at once, then its rate', async (t) => {
  const budget = new Budget(10, 3, 0);
  t.same(
    [0, 0, 0, 0].map((now) => budget.take(now)),
    [true, true, true, false],
  );
  t.notOk(budget.take(50));
  t.ok(budget.take(150));
  t.notOk(budget.take(160));
  t.same(
    [9000, 9000, 9000, 9000].map((now) => budget.take(now)),
    [true, true, true, false],
  );
});
