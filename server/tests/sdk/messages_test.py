"""Drives a server that speaks Anthropic's API with Anthropic's Python SDK; see README.md beside this file."""

import asyncio
import json
import os
import sys
import traceback

import anthropic

PERSON = "ada.lovelace@example.org"
# One red pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
TOOL = {
    "name": "look_up_customer",
    "description": "Finds a customer.",
    "input_schema": {
        "type": "object",
        "properties": {"key": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["key"],
    },
}
URL, KEY, MODEL = (os.environ[name] for name in ("SDK_BASE_URL", "SDK_API_KEY", "SDK_CHAT_MODEL"))
# Whether the model is served on Anthropic's own wire; on others no tokens are counted.
NATIVE = os.environ.get("SDK_NATIVE") == "1"


class Checks:
    def __init__(self):
        self.sent = 0
        self.client = self.make(KEY)

    def make(self, key, **kwargs):
        def count(_request):
            self.sent += 1

        http = anthropic.DefaultHttpxClient(event_hooks={"request": [count]}, trust_env=False)
        return anthropic.Anthropic(api_key=key, base_url=URL, http_client=http, timeout=30, **kwargs)

    def ask(self, text, client=None, **kwargs):
        kwargs.setdefault("model", MODEL)
        kwargs.setdefault("max_tokens", 400)
        messages = kwargs.pop("messages", [{"role": "user", "content": text}])
        return (client or self.client).messages.create(messages=messages, **kwargs)

    def check_chat(self):
        answer = self.ask(f"Write to {PERSON}", system="Be brief.")
        same((answer.type, answer.role, answer.stop_reason), ("message", "assistant", "end_turn"))
        holds(answer.content[0].text, PERSON)
        truth(answer.usage.input_tokens > 0 and answer.usage.output_tokens > 0, answer.usage)

    def check_headers(self):
        raw = self.client.messages.with_raw_response.create(
            model=MODEL, max_tokens=50, messages=[{"role": "user", "content": f"Write to {PERSON}"}]
        )
        truth(raw.headers["x-bailiwick-decision"].startswith("dec_"), raw.headers)
        same(raw.headers["x-bailiwick-redactions"], "EMAIL=1")
        same(raw.parse()._request_id, raw.headers["x-bailiwick-decision"])

    def check_stream(self):
        with self.client.messages.stream(
            model=MODEL, max_tokens=400, messages=[{"role": "user", "content": f"Write to {PERSON}"}]
        ) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()
        holds(text, PERSON)
        same(final.content[0].text, text)
        same(final.stop_reason, "end_turn")
        truth(final.usage.input_tokens > 0 and final.usage.output_tokens > 0, final.usage)

    def check_stream_async(self):
        async def run():
            http = anthropic.DefaultAsyncHttpxClient(trust_env=False)
            async with anthropic.AsyncAnthropic(api_key=KEY, base_url=URL, http_client=http) as client:
                events = await client.messages.create(
                    model=MODEL, max_tokens=400, stream=True, messages=[{"role": "user", "content": "Hello"}]
                )
                return [event.type async for event in events]

        kinds = asyncio.run(run())
        same((kinds[0], kinds[-1]), ("message_start", "message_stop"))
        truth("content_block_delta" in kinds, kinds)

    def check_tools(self):
        answer = self.ask(f"Use look_up_customer for {PERSON}", tools=[TOOL], tool_choice={"type": "any"})
        same(answer.stop_reason, "tool_use")
        call = answer.content[-1]
        same((call.type, call.name, call.input["key"]), ("tool_use", "look_up_customer", PERSON))
        answer = self.ask(
            None,
            tools=[TOOL],
            messages=[
                {"role": "user", "content": f"Use look_up_customer for {PERSON}"},
                {"role": "assistant", "content": answer.content},
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Found: 42"}],
                },
            ],
        )
        holds(answer.content[0].text, "Found: 42")

    def check_tools_streamed(self):
        with self.client.messages.stream(
            model=MODEL,
            max_tokens=400,
            tools=[TOOL],
            tool_choice={"type": "tool", "name": "look_up_customer"},
            messages=[{"role": "user", "content": f"For {PERSON}"}],
        ) as stream:
            final = stream.get_final_message()
        same(final.stop_reason, "tool_use")
        same(final.content[-1].input["key"], PERSON)

    def check_image(self):
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
        client = self.make(os.environ["SDK_IMAGE_KEY"])
        answer = self.ask(None, client=client, messages=[{"role": "user", "content": content}])
        holds(answer.content[0].text, "1 image")

    def check_structured(self):
        schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
        config = {"format": {"type": "json_schema", "schema": schema}}
        answer = self.ask("Hello", extra_body={"output_config": config})
        truth("name" in json.loads(answer.content[0].text), answer)

    def check_count_tokens(self):
        call = lambda: self.client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "Hello"}])
        if NATIVE:
            truth(call().input_tokens > 0, "tokens")
        else:
            error = refused(call)
            same(error.body["bailiwick"]["code"], "not_translatable")

    def check_models(self):
        truth(MODEL in [model.id for model in self.client.models.list()], "the model is listed")

    def check_errors(self):
        wrong = self.make("bwk_wrong", max_retries=0)
        truth(isinstance(refused(lambda: self.ask("x", client=wrong)), anthropic.AuthenticationError), "401")
        unknown = refused(lambda: self.ask("x", model="no-such-model"))
        truth(isinstance(unknown, anthropic.NotFoundError), "404")
        denied = refused(lambda: self.ask("x", model=os.environ["SDK_DENIED_MODEL"]))
        truth(isinstance(denied, anthropic.PermissionDeniedError), type(denied).__name__)
        same(denied.body["type"], "error")
        for name in ("decision", "rules", "excluded", "fix"):
            truth(name in denied.body["bailiwick"], name)
        bad = refused(lambda: self.ask("x", extra_body={"inference_geo": "us"}))
        truth(isinstance(bad, anthropic.BadRequestError), type(bad).__name__)

    def check_budget(self):
        self.sent = 0
        client = self.make(os.environ["SDK_BROKE_KEY"])
        error = refused(lambda: self.ask("x", client=client))
        truth(isinstance(error, anthropic.RateLimitError), type(error).__name__)
        same(error.body["bailiwick"]["code"], "budget_exceeded")
        same(self.sent, 1)


def same(found, expected):
    assert found == expected, f"expected {expected!r}, found {found!r}"


def holds(text, part):
    assert part in (text or ""), f"expected {part!r} in {text!r}"


def truth(value, message):
    assert value, message


def refused(call):
    try:
        answer = call()
    except anthropic.APIStatusError as error:
        return error
    raise AssertionError(f"was answered: {answer!r}")


def main():
    checks = Checks()
    results = []
    for name in [n for n in vars(Checks) if n.startswith("check_")]:
        result = {"name": name.removeprefix("check_"), "outcome": "passed"}
        try:
            getattr(checks, name)()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a failed check
            place = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {error} (line {place.lineno})"
            result |= {"outcome": "failed", "detail": detail[:2000]}
        results.append(result)
    failed = [r["name"] for r in results if r["outcome"] == "failed"]
    print(json.dumps({"sdk": "anthropic-python", "version": anthropic.__version__, "failed": failed, "checks": results}, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
