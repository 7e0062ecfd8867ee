"""Runs scim2-tester (https://github.com/python-scim/scim2-tester) against a server, and prints what it found as JSON.

Usage: tester.py BASE_URL TOKEN, with the address of /scim/v2.
"""

import json
import sys

from httpx import Client
from scim2_client.engines.httpx import SyncSCIMClient
from scim2_tester import check_server

base, token = sys.argv[1:]
http = Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60)
client = SyncSCIMClient(http)
client.discover()
results = [
    {
        "status": result.status.name,
        "title": result.title,
        "type": result.resource_type,
        "reason": result.reason,
    }
    for result in check_server(client)
]
print(json.dumps(results))
