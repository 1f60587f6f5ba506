/** Random choices from lists, through the Random port. */
import type { Random } from './ports.js';

/** The items in random order; the list itself is left alone. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  return sample(items, items.length, random);
}

/** Up to `count` distinct items in random order (the first steps of a Fisher-Yates shuffle). */
export function sample<T>(items: readonly T[], count: number, random: Random): T[] {
  const rest = [...items];
  const size = Math.min(count, rest.length);
  for (let i = 0; i < size; i++) {
    const j = i + Math.floor(random.fraction() * (rest.length - i));
    [rest[i], rest[j]] = [rest[j], rest[i]];
  }
  rest.length = size;
  return rest;
}
