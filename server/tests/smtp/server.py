"""A mail server for tests: aiosmtpd, with STARTTLS, with TLS from the start, and with neither.

    server.py FOLDER CERTIFICATE KEY USER PASSWORD

Prints its ports as one line of JSON. Each mail that it takes becomes a file in FOLDER. Addresses say how it behaves:
`greylisted@` is put off twice, `gone@` refused, `slow@` kept waiting.
"""

import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Handler:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tries = {}
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        self.tries[address] = self.tries.get(address, 0) + 1
        if name == "greylisted" and self.tries[address] <= 2:
            return "451 4.7.1 Greylisted, come again later"
        if name == "gone":
            return "550 5.1.1 There is no such mailbox"
        if name == "slow":
            await asyncio.sleep(600)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        parts = {part: message.get_body((part,)) for part in ("plain", "html")}
        told = {
            "to": envelope.rcpt_tos,
            "from": envelope.mail_from,
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": parts["plain"].get_content() if parts["plain"] else None,
            "html": parts["html"].get_content() if parts["html"] else None,
            "encrypted": session.ssl is not None or server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
        }
        path = self.folder / f"{self.count:03}.json"
        self.count += 1
        path.with_suffix(".part").write_text(json.dumps(told))
        path.with_suffix(".part").rename(path)
        return "250 OK"


async def main():
    folder, certificate, key, user, password = sys.argv[1:6]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    handler = Handler(folder)

    def authenticate(server, session, envelope, mechanism, data):
        known = isinstance(data, LoginPassword) and data == LoginPassword(user.encode(), password.encode())
        return AuthResult(success=known, handled=False, auth_data=data)

    def starttls():
        return SMTP(handler, tls_context=context, require_starttls=True, auth_required=True, authenticator=authenticate)

    def implicit():
        return SMTP(handler, auth_required=True, auth_require_tls=False, authenticator=authenticate)

    def plain():
        return SMTP(handler)

    loop = asyncio.get_running_loop()
    ports = {}
    for name, factory, tls in [("starttls", starttls, None), ("implicit", implicit, context), ("plain", plain, None)]:
        server = await loop.create_server(factory, "127.0.0.1", 0, ssl=tls)
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
