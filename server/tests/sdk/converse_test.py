"""AWS's own client for Python against a simulated Bedrock: it signs, asks, and reads whole answers and frames. Then the
signatures of the requests that the gateway sent, which the simulator kept, made once more; see README.md beside this file."""

import base64
import datetime
import json
import os
import sys
import traceback
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session
import botocore.validate

URL, MODEL, REGION = (os.environ[name] for name in ("SDK_BASE_URL", "SDK_CHAT_MODEL", "SDK_REGION"))
ID, SECRET, TOKEN = os.environ["SDK_API_KEY"].split(":", 2)
TOOL = {
    "toolSpec": {
        "name": "look_up_customer",
        "inputSchema": {"json": {"type": "object", "properties": {"key": {"type": "string"}}}},
    }
}


def made(secret=SECRET):
    session = botocore.session.Session()
    config = botocore.config.Config(retries={"max_attempts": 0}, proxies={})
    return session.create_client(
        "bedrock-runtime",
        region_name=REGION,
        endpoint_url=URL,
        aws_access_key_id=ID,
        aws_secret_access_key=secret,
        aws_session_token=TOKEN,
        config=config,
    )


def asked(text, **more):
    return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": text}]}], **more}


def same(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


class Checks:
    def __init__(self):
        self.client = made()

    def check_whole(self):
        answer = self.client.converse(**asked("Hello, Ada"))
        same(answer["stopReason"], "end_turn")
        assert "Hello, Ada" in answer["output"]["message"]["content"][0]["text"], answer
        usage = answer["usage"]
        same(usage["totalTokens"], usage["inputTokens"] + usage["outputTokens"])

    def check_stream(self):
        events = list(self.client.converse_stream(**asked("Hello, Ada"))["stream"])
        names = [next(iter(event)) for event in events]
        same((names[0], names[-2:]), ("messageStart", ["messageStop", "metadata"]))
        text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
        assert "Hello, Ada" in text, text

    def check_tools(self):
        config = {"tools": [TOOL], "toolChoice": {"any": {}}}
        answer = self.client.converse(**asked("Use look_up_customer for x@example.org", toolConfig=config))
        same(answer["stopReason"], "tool_use")
        same(answer["output"]["message"]["content"][-1]["toolUse"]["name"], "look_up_customer")
        stream = self.client.converse_stream(**asked("Use look_up_customer for x@example.org", toolConfig=config))
        events = list(stream["stream"])
        pieces = [event["contentBlockDelta"]["delta"]["toolUse"]["input"] for event in events if "contentBlockDelta" in event]
        same(json.loads("".join(pieces))["key"], "x@example.org")

    def check_thoughts(self):
        more = {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}
        answer = self.client.converse(**asked("Hello", **more))
        thought = answer["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]
        same(thought["text"], "Simulated thought.")
        assert thought["signature"]

    def check_counts(self):
        body = {"converse": {"messages": asked("Hello")["messages"]}}
        assert self.client.count_tokens(modelId=MODEL, input=body)["inputTokens"] > 0

    def check_other_secret(self):
        try:
            made(SECRET[::-1]).converse(**asked("Hello"))
        except botocore.exceptions.ClientError as error:
            same(error.response["Error"]["Code"], "InvalidSignatureException")
            same(error.response["ResponseMetadata"]["HTTPStatusCode"], 403)
        else:
            raise AssertionError("it was not refused")

    def check_complaints(self):
        turns = [{"role": "user", "content": [{"text": "a"}]}] * 2
        try:
            self.client.converse(modelId=MODEL, messages=turns)
        except botocore.exceptions.ClientError as error:
            same(error.response["Error"]["Code"], "ValidationException")
            assert "alternate" in error.response["Error"]["Message"], error
        else:
            raise AssertionError("it was not refused")


def of_the_gateway():
    """What the gateway sent, as the simulator received it."""
    with urllib.request.urlopen(f"{URL}/_received") as answer:
        received = json.load(answer)
    found = [one for one in received if dict(one["headers"]).get("user-agent", "").startswith("bailiwick/")]
    assert len(found) >= 4, len(found)
    return found


def check_signatures(received):
    """Each signature is what botocore makes of the same request at the same time."""
    for one in received:
        headers = dict(one["headers"])
        time = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        botocore.auth.get_current_datetime = lambda *_, **__: time
        body = base64.b64decode(one["body_base64"])
        host = {"content-type": headers["content-type"], "host": headers["host"]}
        request = botocore.awsrequest.AWSRequest(one["method"], f"http://{headers['host']}{one['path']}", data=body, headers=host)
        credentials = botocore.credentials.Credentials(ID, SECRET, TOKEN)
        botocore.auth.SigV4Auth(credentials, "bedrock", REGION).add_auth(request)
        same(headers["authorization"], request.headers["Authorization"])
        same(headers["x-amz-security-token"], TOKEN)


def check_bodies(received):
    """Each body is a request by the service's own description."""
    model = botocore.session.Session().get_service_model("bedrock-runtime")
    for one in received:
        operation = "ConverseStream" if one["path"].endswith("/converse-stream") else "Converse"
        body = blobs(json.loads(base64.b64decode(one["body_base64"])))
        shape = model.operation_model(operation).input_shape
        report = botocore.validate.ParamValidator().validate({"modelId": MODEL, **body}, shape)
        assert not report.has_errors(), report.generate_report()


def blobs(value):
    """The validator wants bytes where JSON has base64."""
    if isinstance(value, dict):
        return {name: base64.b64decode(inner) if name == "bytes" else blobs(inner) for name, inner in value.items()}
    return [blobs(inner) for inner in value] if isinstance(value, list) else value


def main():
    received = of_the_gateway()
    checks = Checks()
    named = {name[6:]: getattr(checks, name) for name in dir(checks) if name.startswith("check_")}
    named["signatures"] = lambda: check_signatures(received)
    named["bodies"] = lambda: check_bodies(received)
    told = []
    for name, check in named.items():
        try:
            check()
            told.append({"name": name, "outcome": "passed"})
        except Exception:
            told.append({"name": name, "outcome": "failed", "detail": traceback.format_exc()})
    json.dump({"checks": told}, sys.stdout)
    sys.exit(any(one["outcome"] != "passed" for one in told))


main()
