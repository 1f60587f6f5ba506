/**
 * Who may use the API: users, roles and the addresses they may come from. A login is the value of an Authorization header (or of
 * gRPC's `authorization` metadata): HTTP Basic, or `Bearer name:password`. Passwords are compared in constant time, wrong ones slow
 * their address down (brake.ts). scrypt takes tens of milliseconds, so a login that was right is remembered by its keyed hash.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AccessConfig } from '../config/schema.js';
import { MeshError } from '../errors.js';
import { countedAs } from './address.js';
import { Brake } from './brake.js';
import { verifyScrypt } from './password.js';

export type Role = 'read' | 'write';

/** Who calls. `name` is empty where no users are configured; then everybody who reaches the port may do everything. */
export interface Caller {
  readonly name: string;
  /** Changes with the password and the host pattern: a login is worth nothing after that. */
  readonly credentials: string;
}

export type LoginDone = (error: MeshError | null, caller: Caller) => void;

interface Credentials {
  readonly name: string;
  readonly password: string;
}

type CheckDone = (outcome: 'right' | 'wrong' | 'busy') => void;

interface User extends Caller {
  readonly roles: readonly Role[];
  /** What an address must match; null for any. */
  readonly host: RegExp | null;
  /** Keyed hash of the plain password, or null when only a scrypt hash is known. */
  readonly digest: Buffer | null;
  readonly passwordHash: string;
}

export const ANYBODY: Caller = { name: '', credentials: '' };
const MAX_REMEMBERED = 10_000;
/** Different passwords that are checked at once: scrypt runs in the thread pool, and more would starve whatever else uses it. */
const MAX_CHECKS = 64;

export class Access {
  private users = new Map<string, User>();
  private metricsNeedLogin = false;
  /** Keyed hashes of scrypt logins that were right. */
  private readonly remembered = new Map<string, User>();
  private readonly key = randomBytes(32);
  private readonly brake: Brake;
  /** Who waits for a check that is under way: many connections of one back end often come at once. */
  private readonly checks = new Map<string, CheckDone[]>();

  constructor(config: AccessConfig, now: () => number) {
    this.brake = new Brake(now);
    this.reload(config);
  }

  /** Takes over changed users at once, for open connections with their next call. */
  reload(config: AccessConfig): void {
    this.metricsNeedLogin = config.metrics === 'users';
    this.remembered.clear();
    this.users = new Map();
    for (const { username: name, roles, host, password, passwordHash } of config.users) {
      const digest = passwordHash === '' ? this.digest(password) : null;
      const credentials = `${digest?.toString('base64') ?? passwordHash} ${host}`;
      this.users.set(name, { name, credentials, roles, host: hostPattern(host), digest, passwordHash });
    }
  }

  /** No users: no login is asked for. */
  get open(): boolean {
    return this.users.size === 0;
  }

  /** Whether metrics and health are answered without a login. */
  get metricsOpen(): boolean {
    return this.open || !this.metricsNeedLogin;
  }

  /** Why `caller` may not do what needs `role`, null when it may. Asked on every call, so that a reload takes effect at once. */
  refusal(caller: Caller, role: Role): MeshError | null {
    if (this.open) return null;
    const user = this.users.get(caller.name);
    if (user === undefined || user.credentials !== caller.credentials)
      return new MeshError('not_authorised', 'this login is no longer valid');
    return user.roles.includes(role) ? null : new MeshError('forbidden', `user ${user.name} has no role "${role}"`);
  }

  /** Finds who `authorization` ("" for none) is, coming from `address`. `done` is called once, perhaps at once. */
  login(authorization: string, address: string, done: LoginDone): void {
    if (this.open) return done(null, ANYBODY);
    const from = countedAs(address);
    const wait = this.brake.waitMs(from) / 1000;
    if (wait > 0) return done(new MeshError('overloaded', 'too many wrong logins from this address', wait), ANYBODY);
    const credentials = parseAuthorization(authorization);
    if (credentials === null) {
      return done(new MeshError('not_authorised', 'a login is needed: HTTP Basic, or Bearer name:password'), ANYBODY);
    }
    const named = this.users.get(credentials.name);
    const user = named === undefined || named.host === null || named.host.test(address) ? named : undefined;
    this.check(user, credentials, from, (outcome) => {
      if (outcome === 'busy') return done(new MeshError('overloaded', 'too many logins are being checked', 1), ANYBODY);
      if (outcome === 'right' && user !== undefined && this.users.get(user.name) === user) {
        this.brake.succeeded(from);
        return done(null, user);
      }
      done(new MeshError('not_authorised', `wrong name or password, or not allowed from ${address}`), ANYBODY);
    });
  }

  /** `from`: what a wrong one is counted by. `user` is undefined for a name that nobody has here; it takes as long as a wrong password, so that names cannot be probed. */
  private check(user: User | undefined, { name, password }: Credentials, from: string, done: CheckDone): void {
    const digest = this.digest(password);
    if (user !== undefined && user.digest !== null) {
      const right = timingSafeEqual(user.digest, digest);
      if (!right) this.brake.failed(from);
      return done(right ? 'right' : 'wrong');
    }
    const fingerprint = createHmac('sha256', this.key).update(digest).update(name).digest('base64');
    if (user !== undefined && this.remembered.get(fingerprint) === user) return done('right');
    const hash = (user ?? this.anyHashedUser())?.passwordHash ?? '';
    const key = `${fingerprint} ${hash}`;
    const others = this.checks.get(key);
    if (others !== undefined) return void others.push(done);
    if (this.checks.size >= MAX_CHECKS) return done('busy');
    // A guess counts before its outcome is known: else those that come together would all be looked at before the first one counts.
    this.brake.failed(from);
    if (hash === '') return done('wrong');
    const waiting = [done];
    this.checks.set(key, waiting);
    verifyScrypt(password, hash).then((right) => {
      this.checks.delete(key);
      if (right && user !== undefined && this.users.get(name) === user) this.remember(fingerprint, user);
      for (const tell of waiting) tell(right ? 'right' : 'wrong');
    });
  }

  private anyHashedUser(): User | undefined {
    for (const user of this.users.values()) if (user.passwordHash !== '') return user;
    return undefined;
  }

  private remember(fingerprint: string, user: User): void {
    if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear();
    this.remembered.set(fingerprint, user);
  }

  private digest(password: string): Buffer {
    return createHmac('sha256', this.key).update(password).digest();
  }
}

/** What an Authorization header holds; null when it is nothing of ours. */
function parseAuthorization(header: string): Credentials | null {
  const match = /^(basic|bearer) +(\S.*)$/i.exec(header);
  if (match === null) return null;
  const pair = match[1].toLowerCase() === 'basic' ? Buffer.from(match[2], 'base64').toString() : match[2];
  const colon = pair.indexOf(':');
  return colon < 1 ? null : { name: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** `*` stands for any characters except "."; a lone `*` for every address. */
export function hostPattern(pattern: string): RegExp | null {
  if (pattern === '*' || pattern === '') return null;
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.+?()[\]{}|/]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^.]*')}$`, 'i');
}
