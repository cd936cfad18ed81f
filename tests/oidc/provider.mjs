// An OpenID provider on a free port of 127.0.0.1. Says where on its first line, and ends when its input ends: with the
// tests, however those end.
import crypto from 'node:crypto';
import { createServer } from 'node:http';

// Node 20 has neither, and is what many machines have.
URL.parse ??= (url, base) => (URL.canParse(url, base) ? new URL(url, base) : null);
crypto.hash ??= (name, data, encoding) => crypto.createHash(name).update(data).digest(encoding);
console.info = console.warn = () => {};

const { interactionPolicy, Provider } = await import('oidc-provider');

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
const key = crypto.generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
const CALLBACK = '/oidc/callback';

// A native client may come back to any port of a loopback address (RFC 8252, section 7.3). Each login asks once.
const prompts = interactionPolicy.base();
prompts.get('consent').checks.remove('native_client_prompt');

const provider = new Provider(issuer, {
    clients: [{
        client_id: 'app',
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        redirect_uris: [`http://127.0.0.1${CALLBACK}`, `http://localhost${CALLBACK}`],
        id_token_signed_response_alg: 'EdDSA',
        require_auth_time: true,
    }],
    claims: { openid: ['sub', 'amr', 'auth_time'] },
    cookies: { keys: [crypto.randomBytes(32).toString('hex')] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { policy: prompts, url: (_, interaction) => `/login/${interaction.uid}` },
    jwks: { keys: [{ ...key, alg: 'EdDSA', use: 'sig' }] },
    // Who logs in agrees to everything.
    async loadExistingGrant({ oidc }) {
        const { client: { clientId }, session } = oidc;
        // A code is good for the grant of the session that it was made in.
        const known = session.grantIdFor(clientId);
        if (known) return provider.Grant.find(known);
        const grant = new provider.Grant({ clientId, accountId: session.accountId });
        grant.addOIDCScope('openid');
        await grant.save();
        return grant;
    },
});

const PAGE = `<!doctype html><title>Log in</title><form method="post">
<input name="name"><input name="age" type="hidden" value="0"><button>Log in</button></form>`;

async function body(request) {
    let text = '';
    for await (const chunk of request) text += chunk;
    return new URLSearchParams(text);
}

// Without a name, whoever sits there wants no login. `age`: so many seconds ago it was that they proved who they are.
function outcome(form) {
    if (!form.get('name')) return { error: 'access_denied' };
    const ts = Math.floor(Date.now() / 1000) - Number(form.get('age') ?? 0);
    return { login: { accountId: form.get('name'), amr: ['pwd', 'otp'], ts } };
}

const answer = provider.callback();
server.on('request', async (request, response) => {
    try {
        if (!request.url.startsWith('/login/')) return await answer(request, response);
        await provider.interactionDetails(request, response);
        if (request.method === 'POST') {
            return await provider.interactionFinished(request, response, outcome(await body(request)));
        }
        response.writeHead(200, { 'content-type': 'text/html' }).end(PAGE);
    } catch (error) {
        response.writeHead(400).end(String(error));
    }
});

process.stdin.on('end', () => process.exit()).resume();
console.log(issuer);
