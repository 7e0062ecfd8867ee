// A real OpenID provider (panva's oidc-provider) for the sign-in tests. Prints its address, reads where the server under
// test is, and serves until its standard input ends. Whoever gives a login has its name; groups stand in GROUPS.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const GROUPS = { ada: ['admins'], bo: ['nothing-of-ours'] };
let handler = (_, response) => { response.statusCode = 503; response.end(); };
const http = createServer((request, response) => handler(request, response));
await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${http.address().port}`;
console.log(JSON.stringify({ issuer }));

function serve(base) {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'bailiwick-test',
      client_secret: 'client-secret-of-the-test',
      redirect_uris: [`${base}/auth/callback/corp`],
      post_logout_redirect_uris: [`${base}/auth/sign-in`],
      backchannel_logout_uri: `${base}/auth/back-channel-logout/corp`,
      backchannel_logout_session_required: true,
      require_auth_time: true,
    }],
    claims: {
      openid: ['sub', 'sid'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      groups: ['groups'],
    },
    cookies: { keys: ['a key of the test alone'] },
    features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: true } },
    pkce: { required: () => true },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id, name: `${id} of the test`, email: `${id}@acme.example`, email_verified: true,
        groups: GROUPS[id] ?? [],
      }),
    }),
  });
  provider.on('server_error', (_, error) => console.error(error));
  provider.on('backchannel.error', (_, error) => console.error(error));
  handler = provider.callback();
}

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  serve(JSON.parse(line).base);
  console.log(JSON.stringify({ ready: true }));
});
lines.on('close', () => process.exit(0));
