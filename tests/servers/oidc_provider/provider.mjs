// An OpenID Connect provider on loopback in the part of Google and Microsoft: node-oidc-provider with their scopes,
// their way of giving refresh tokens, and a POST /control by which a test makes it slow, broken or forgetful.
// Started by tests/servers/oidc.py with one JSON argument: {port, certificate, key, modules, clients}.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const given = JSON.parse(process.argv[2]);
const entry = createRequire(given.modules + '/package.json').resolve('oidc-provider');
const { default: Provider, interactionPolicy } = await import(pathToFileURL(entry).href);

const calm = {
  accessTtl: 3600,          // seconds
  sayExpiresIn: null,       // what "expires_in" claims in its place: clocks that differ
  rotate: true,             // a new refresh token for each use; the former is good for `grace` seconds more
  grace: 30,
  issueRefresh: true,
  claimEmail: '', // what "email" says in place of the account's own
  dropScopes: [],           // left out of what is said to be granted, as by a box that was unticked
  delayMs: 0,               // of the token endpoint's answer, after the provider has decided
  fail: null,               // {status, body, retryAfter, left}: in place of an answer
};
let state = structuredClone(calm);
const seen = { refreshed: 0, exchanged: 0, reused: 0, revoked: 0, refused: [], given: [] };
const store = new Map();
const byGrant = new Map();

class Adapter {
  constructor(name) { this.name = name; }
  key(id) { return `${this.name}:${id}`; }
  async upsert(id, payload) {
    store.set(this.key(id), payload);
    if (payload.grantId) {
      if (!byGrant.has(payload.grantId)) byGrant.set(payload.grantId, new Set());
      byGrant.get(payload.grantId).add(this.key(id));
    }
  }
  async find(id) {
    const found = store.get(this.key(id));
    if (!found) return undefined;
    const copy = { ...found };
    // RFC 9700 4.14.2: a client whose answer was lost asks again with the former token; later it is taken for stolen.
    if (this.name === 'RefreshToken' && copy.consumed && Date.now() / 1000 - copy.consumed <= state.grace) {
      delete copy.consumed;
    }
    return copy;
  }
  async findByUid(uid) {
    for (const [key, payload] of store) if (key.startsWith(`${this.name}:`) && payload.uid === uid) return payload;
    return undefined;
  }
  async findByUserCode() { return undefined; }
  async consume(id) {
    const found = store.get(this.key(id));
    if (found && !found.consumed) found.consumed = Date.now() / 1000;
  }
  async destroy(id) { store.delete(this.key(id)); }
  async revokeByGrantId(grantId) {
    for (const key of byGrant.get(grantId) ?? []) store.delete(key);
    byGrant.delete(grantId);
  }
}

const policy = interactionPolicy.base();
policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);

const provider = new Provider(`https://localhost:${given.port}`, {
  adapter: Adapter,
  clients: given.clients,
  scopes: [
    'openid', 'offline_access', 'https://mail.google.com/', 'https://outlook.office.com/IMAP.AccessAsUser.All',
    'https://outlook.office.com/SMTP.Send',
  ],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    'https://www.googleapis.com/auth/userinfo.email': ['email', 'email_verified'],
    profile: ['preferred_username'],
  },
  conformIdTokenClaims: false,
  async findAccount(ctx, id) {
    return {
      accountId: id,
      claims: async () => ({ sub: id, email: state.claimEmail || id, email_verified: true, preferred_username: id }),
    };
  },
  interactions: { policy },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: false },
  },
  pkce: { required: () => true },
  rotateRefreshToken: () => state.rotate,
  issueRefreshToken: async (ctx, client) => state.issueRefresh && client.grantTypeAllowed('refresh_token'),
  expiresWithSession: async () => false,
  ttl: {
    AccessToken: () => state.accessTtl,
    AuthorizationCode: 60,
    Grant: 86400 * 30,
    IdToken: 3600,
    Interaction: 600,
    RefreshToken: 86400 * 30,
    Session: 3600,
  },
  cookies: { keys: ['only for tests'] },
});

// Tokens are known by how they begin: tests/planted.py looks for them in all that mailcrm writes.
for (const kind of [provider.AccessToken, provider.RefreshToken]) {
  const made = kind.prototype.generateTokenId;
  kind.prototype.generateTokenId = function generateTokenId() { return `planted-${made.call(this)}`; };
}

provider.on('grant.success', (ctx) => {
  if (ctx.oidc.params.grant_type === 'refresh_token') seen.refreshed += 1;
  else seen.exchanged += 1;
});
provider.on('grant.error', (ctx, error) => {
  seen.refused.push(`${error.error}: ${error.error_detail ?? error.error_description}`);
  if (String(error.error_detail).includes('already used')) seen.reused += 1;
});

provider.use(async (ctx, next) => {
  // Microsoft gives offline access with the first consent; this provider only where a consent is asked for.
  if (ctx.path === '/auth' && String(ctx.query.scope).includes('offline_access')) {
    const prompts = new Set(String(ctx.query.prompt ?? '').split(' ').filter(Boolean)).add('consent');
    ctx.query = { ...ctx.query, prompt: [...prompts].join(' ') };
  }
  if (ctx.path !== '/token') return next();
  if (state.fail && state.fail.left !== 0) {
    state.fail.left -= 1;
    ctx.status = state.fail.status;
    if (state.fail.retryAfter) ctx.set('retry-after', String(state.fail.retryAfter));
    ctx.body = state.fail.body ?? '<html>Service unavailable</html>';
    return undefined;
  }
  await next();
  if (ctx.status === 200 && ctx.body?.access_token) {
    seen.given.push(ctx.body.access_token, ctx.body.refresh_token, ctx.body.id_token);
    if (state.sayExpiresIn !== null) ctx.body.expires_in = state.sayExpiresIn;
    if (state.dropScopes.length) {
      ctx.body.scope = ctx.body.scope.split(' ').filter((scope) => !state.dropScopes.includes(scope)).join(' ');
    }
  }
  if (state.delayMs) await new Promise((done) => { setTimeout(done, state.delayMs); });
  return undefined;
});

const answer = provider.callback();
const server = https.createServer(
  { cert: readFileSync(given.certificate), key: readFileSync(given.key) },
  (request, response) => {
    if (request.url !== '/control') { answer(request, response); return; }
    let text = '';
    request.on('data', (piece) => { text += piece; });
    request.on('end', () => {
      const asked = text ? JSON.parse(text) : {};
      if (asked.reset) state = structuredClone(calm);
      Object.assign(state, asked.set ?? {});
      if (asked.revokeAccount) {  // as on the account's page of connected apps
        for (const [key, payload] of [...store]) {
          if (payload.accountId === asked.revokeAccount) { store.delete(key); seen.revoked += 1; }
        }
      }
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ state, seen }));
    });
  },
);
server.listen(given.port, '127.0.0.1', () => { console.log('listening'); });
