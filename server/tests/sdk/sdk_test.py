"""Drives an OpenAI-compatible server with OpenAI's Python SDK; see README.md beside this file."""

import argparse
import asyncio
import json
import os
import sys
import traceback

import openai

PERSON = "ada.lovelace@example.org"
# One red pixel.
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up_customer",
        "description": "Finds a customer.",
        "parameters": {
            "type": "object",
            "properties": {
                "key": {"type": "string"},
                "limit": {"type": "integer"},
                "exact": {"type": "boolean"},
            },
            "required": ["key"],
        },
    },
}


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    env = os.environ.get

    def add(name, default=None, **kwargs):
        parser.add_argument(f"--{name}", default=env("SDK_" + name.upper().replace("-", "_"), default), **kwargs)

    def flag(name):
        parser.add_argument(f"--{name}", action="store_true", default=env("SDK_" + name.upper().replace("-", "_")) == "1")

    add("base-url")
    add("api-key")
    add("chat-model")
    add("embedding-model")
    add("denied-model")
    add("broke-key")
    add("slow-key")
    add("auth-header")
    add("auth-status", 401, type=int)
    add("unknown-status", 404, type=int)
    flag("gateway")
    flag("usage-always")
    chosen = parser.parse_args()
    for needed in ("base_url", "api_key", "chat_model"):
        if not getattr(chosen, needed):
            parser.error(f"--{needed.replace('_', '-')} is needed")
    return chosen


class Skip(Exception):
    """The check needs an option that was not given."""


class Checks:
    def __init__(self, chosen):
        self.options = chosen
        self.sent = 0
        self.client = self.make(chosen.api_key)

    def make(self, key, cls=openai.OpenAI):
        def count(_request):
            self.sent += 1

        async def count_async(_request):
            self.sent += 1

        headers = {self.options.auth_header: key} if self.options.auth_header else None
        http = (
            openai.DefaultHttpxClient(event_hooks={"request": [count]}, trust_env=False)
            if cls is openai.OpenAI
            else openai.DefaultAsyncHttpxClient(event_hooks={"request": [count_async]}, trust_env=False)
        )
        return cls(api_key=key, base_url=self.options.base_url, http_client=http, default_headers=headers, timeout=30)

    def ask(self, text, client=None, **kwargs):
        kwargs.setdefault("model", self.options.chat_model)
        messages = kwargs.pop("messages", [{"role": "user", "content": text}])
        return (client or self.client).chat.completions.create(messages=messages, **kwargs)

    # Each check is a method named check_*; the order is the order of definition.

    def check_chat(self):
        text = f"Please write to {PERSON} today."
        answer = self.ask(text)
        choice = answer.choices[0]
        same(answer.object, "chat.completion")
        same(choice.finish_reason, "stop")
        same(choice.message.role, "assistant")
        holds(choice.message.content, "Simulated")
        holds(choice.message.content, f"You wrote: {text}")
        usage = answer.usage
        truth(usage.prompt_tokens > 0 and usage.completion_tokens > 0, f"usage {usage}")
        same(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def check_chat_unicode(self):
        text = "Grüße an 李雷 🐦‍⬛ – „naïve“ \u2028 \\u0000 \"quoted\" \t tab"
        holds(self.ask(text).choices[0].message.content, f"You wrote: {text}")

    def check_chat_headers(self):
        raw = self.client.chat.completions.with_raw_response.create(
            model=self.options.chat_model, messages=[{"role": "user", "content": "Hello"}]
        )
        holds(raw.parse().choices[0].message.content, "You wrote: Hello")
        if not self.options.gateway:
            raise Skip("--gateway was not given")
        for name in ("decision", "endpoint", "countries", "policy", "cost"):
            truth(raw.headers.get(f"x-bailiwick-{name}"), f"x-bailiwick-{name} is missing")
        for name in ("set-cookie", "openai-organization", "apim-request-id"):
            truth(name not in raw.headers, f"the provider's {name} came through")

    def check_stream(self):
        text = f"Please write to {PERSON} today."
        chunks = list(self.ask(text, stream=True))
        said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        holds(said, f"You wrote: {text}")
        truth(len(chunks) > 3, f"only {len(chunks)} chunks")
        truth(all(c.object in ("chat.completion.chunk", "") for c in chunks), "a chunk of another kind")
        finished = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
        same(finished, ["stop"])
        if not self.options.usage_always:
            same([c.usage for c in chunks if c.usage is not None], [])

    def check_stream_with_usage(self):
        if self.options.usage_always:
            raise Skip("--usage-always: the service refuses stream_options")
        chunks = list(self.ask("Count this.", stream=True, stream_options={"include_usage": True}))
        with_usage = [c for c in chunks if c.usage is not None]
        same(len(with_usage), 1)
        truth(with_usage[0] is chunks[-1], "usage is not in the last chunk")
        same(with_usage[0].choices, [])
        usage = with_usage[0].usage
        truth(usage.prompt_tokens > 0 and usage.completion_tokens > 0, f"usage {usage}")
        same(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)

    def check_stream_async(self):
        async def run():
            client = self.make(self.options.api_key, openai.AsyncOpenAI)
            said = ""
            async with client:
                async for chunk in await self.ask("Hello from the loop.", client=client, stream=True):
                    if chunk.choices:
                        said += chunk.choices[0].delta.content or ""
            return said

        holds(asyncio.run(run()), "You wrote: Hello from the loop.")

    def check_stream_abandoned(self):
        stream = self.ask("A long story. " * 50, stream=True)
        for _ in range(3):
            next(stream)
        stream.close()
        holds(self.ask("Still there?").choices[0].message.content, "You wrote: Still there?")

    def check_tools(self):
        answer = self.ask(f"Use look_up_customer for {PERSON}.", tools=[TOOL])
        choice = answer.choices[0]
        same(choice.finish_reason, "tool_calls")
        call = choice.message.tool_calls[0]
        same(call.function.name, "look_up_customer")
        arguments = json.loads(call.function.arguments)
        same(sorted(arguments), ["exact", "key", "limit"])
        truth(isinstance(arguments["key"], str) and arguments["key"], f"arguments {arguments}")
        second = self.ask(
            None,
            tools=[TOOL],
            messages=[
                {"role": "user", "content": "Use look_up_customer."},
                choice.message.model_dump(exclude_none=True, include={"role", "content", "tool_calls"}),
                {"role": "tool", "tool_call_id": call.id, "content": "Customer 42 is in Hamburg."},
            ],
        )
        same(second.choices[0].finish_reason, "stop")
        holds(second.choices[0].message.content, "Customer 42 is in Hamburg.")

    def check_tools_streamed(self):
        chunks = list(self.ask("Use look_up_customer for order 12345.", tools=[TOOL], stream=True))
        name, arguments, ids = "", "", set()
        for chunk in chunks:
            for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
                same(call.index, 0)
                ids |= {call.id} if call.id else set()
                name += call.function.name or ""
                arguments += call.function.arguments or ""
        same(name, "look_up_customer")
        same(len(ids), 1)
        holds(json.loads(arguments)["key"], "12345")
        same([c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason], ["tool_calls"])

    def check_image(self):
        parts = [{"type": "text", "text": "What colour?"}, {"type": "image_url", "image_url": {"url": PNG}}]
        answer = self.ask(None, messages=[{"role": "user", "content": parts}])
        holds(answer.choices[0].message.content, "1 image")
        holds(answer.choices[0].message.content, "You wrote: What colour?")

    def check_output_limit(self):
        answer = self.ask("Say a great many words, please.", max_tokens=5)
        same(answer.choices[0].finish_reason, "length")
        truth(answer.usage.completion_tokens <= 5, f"usage {answer.usage}")

    def check_embeddings(self):
        model = self.options.embedding_model
        if not model:
            raise Skip("--embedding-model was not given")
        # Asked for no format, the SDK asks for base64 and decodes it.
        two = self.client.embeddings.create(model=model, input=["one", "two"])
        floats = self.client.embeddings.create(model=model, input="one", encoding_format="float")
        same([e.index for e in two.data], [0, 1])
        same(len(two.data[0].embedding), len(floats.data[0].embedding))
        truth(two.data[0].embedding != two.data[1].embedding, "different inputs, same vector")
        close = zip(two.data[0].embedding, floats.data[0].embedding, strict=True)
        truth(all(abs(a - b) < 1e-6 for a, b in close), "base64 and float differ")
        truth(two.usage.prompt_tokens > 0, f"usage {two.usage}")

    def respond(self, text, /, **kwargs):
        kwargs.setdefault("model", self.options.chat_model)
        return self.client.responses.create(input=kwargs.pop("input", text), **kwargs)

    def check_responses(self):
        text = f"Please write to {PERSON} today."
        answer = self.respond(text, instructions="Be brief.")
        same(answer.object, "response")
        same(answer.status, "completed")
        holds(answer.output_text, "Simulated")
        holds(answer.output_text, f"You wrote: {text}")
        usage = answer.usage
        truth(usage.input_tokens > 0 and usage.output_tokens > 0, f"usage {usage}")
        same(usage.total_tokens, usage.input_tokens + usage.output_tokens)

    def check_responses_streamed(self):
        text = f"Please write to {PERSON} today."
        events = list(self.respond(text, stream=True))
        same(events[0].type, "response.created")
        same(events[-1].type, "response.completed")
        same([e.sequence_number for e in events], list(range(len(events))))
        said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        holds(said, f"You wrote: {text}")
        same(events[-1].response.output_text, said)
        truth(events[-1].response.usage.output_tokens > 0, f"usage {events[-1].response.usage}")

    def check_responses_helper(self):
        with self.client.responses.stream(model=self.options.chat_model, input="Hello from the helper.") as stream:
            for _event in stream:
                pass
            holds(stream.get_final_response().output_text, "You wrote: Hello from the helper.")

    def check_responses_tools(self):
        tool = {"type": "function", "strict": False, **TOOL["function"]}
        for streamed in (False, True):
            asked = {"input": [{"role": "user", "content": "Use look_up_customer for order 12345."}], "tools": [tool]}
            if streamed:
                events = list(self.respond(None, stream=True, **asked))
                answer = events[-1].response
                pieces = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
            else:
                answer = self.respond(None, **asked)
            [call] = [item for item in answer.output if item.type == "function_call"]
            same(call.name, "look_up_customer")
            holds(json.loads(call.arguments)["key"], "12345")
            if streamed:
                same("".join(pieces), call.arguments)
            asked["input"] += [item.model_dump(exclude_none=True) for item in answer.output]
            output = {"type": "function_call_output", "call_id": call.call_id, "output": "Customer 42 is in Hamburg."}
            asked["input"].append(output)
            holds(self.respond(None, **asked).output_text, "Customer 42 is in Hamburg.")

    def check_responses_image(self):
        image = {"type": "input_image", "image_url": PNG, "detail": "auto"}
        parts = [{"type": "input_text", "text": "What colour?"}, image]
        answer = self.respond(None, input=[{"role": "user", "content": parts}])
        holds(answer.output_text, "1 image")
        holds(answer.output_text, "You wrote: What colour?")

    def check_responses_structured(self):
        schema = {
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        }
        text = {"format": {"type": "json_schema", "name": "person", "schema": schema, "strict": True}}
        truth(self.respond("Who?", text=text).output_text, "no text")

    def check_responses_refused(self):
        if not self.options.gateway:
            raise Skip("--gateway was not given")
        error = refused(lambda: self.respond("Hello", previous_response_id="resp_1"))
        truth(isinstance(error, openai.BadRequestError), type(error).__name__)
        same((error.code, error.param), ("invalid_request", "previous_response_id"))

    def check_models(self):
        names = [model.id for model in self.client.models.list()]
        truth(self.options.chat_model in names, f"{self.options.chat_model} is not among {names}")
        if self.options.denied_model and self.options.gateway:
            truth(self.options.denied_model not in names, "a denied model is listed")

    def check_wrong_key(self):
        self.sent = 0
        error = refused(lambda: self.ask("Hello", client=self.make("sk-wrong")))
        same(error.status_code, self.options.auth_status)
        if error.status_code == 401:
            truth(isinstance(error, openai.AuthenticationError), type(error).__name__)
        same(self.sent, 1)
        if self.options.gateway:
            same(error.code, "invalid_api_key")

    def check_unknown_model(self):
        error = refused(lambda: self.ask("Hello", model="no-such-model"))
        same(error.status_code, self.options.unknown_status)

    def check_denied(self):
        if not self.options.denied_model:
            raise Skip("--denied-model was not given")
        self.sent = 0
        error = refused(lambda: self.ask("Hello", model=self.options.denied_model))
        truth(isinstance(error, openai.PermissionDeniedError), type(error).__name__)
        same(self.sent, 1)
        truth(error.code in ("policy_denied", "no_eligible_endpoint"), f"code {error.code}")
        # The SDK unwraps `error`; the whole body is on the response.
        told = error.response.json()["bailiwick"]
        for name in ("decision", "rules", "excluded", "fix"):
            truth(name in told, f"bailiwick.{name} is missing: {sorted(told)}")

    def check_budget(self):
        if not self.options.broke_key:
            raise Skip("--broke-key was not given")
        self.sent = 0
        error = refused(lambda: self.ask("Hello", client=self.make(self.options.broke_key)))
        truth(isinstance(error, openai.RateLimitError), type(error).__name__)
        same(error.code, "budget_exceeded")
        same(error.response.headers.get("x-should-retry"), "false")
        same(self.sent, 1)

    def check_rate_limit(self):
        if not self.options.slow_key:
            raise Skip("--slow-key was not given")
        client = self.make(self.options.slow_key).with_options(max_retries=0)
        answer = client.chat.completions.with_raw_response.create(
            model=self.options.chat_model, messages=[{"role": "user", "content": "Hello"}]
        )
        same(answer.headers.get("x-ratelimit-limit-requests"), "1")
        same(answer.headers.get("x-ratelimit-remaining-requests"), "0")
        reset = answer.headers.get("x-ratelimit-reset-requests", "")
        truth(reset.endswith("s"), f"a duration: {reset!r}")
        error = refused(lambda: self.ask("Hello", client=client))
        truth(isinstance(error, openai.RateLimitError), type(error).__name__)
        same(error.code, "rate_limited")
        same(error.response.headers.get("x-ratelimit-remaining-requests"), "0")
        truth(1 <= int(error.response.headers["retry-after"]) <= 60, "retry-after is in seconds")


def same(found, expected):
    assert found == expected, f"expected {expected!r}, found {found!r}"


def holds(text, part):
    assert part in (text or ""), f"expected {part!r} in {text!r}"


def truth(value, message):
    assert value, message


def refused(call):
    try:
        answer = call()
    except openai.APIStatusError as error:
        return error
    raise AssertionError(f"was answered: {answer!r}")


def main():
    checks = Checks(options())
    results = []
    for name in [n for n in vars(Checks) if n.startswith("check_")]:
        result = {"name": name.removeprefix("check_"), "outcome": "passed"}
        try:
            getattr(checks, name)()
        except Skip as why:
            result |= {"outcome": "skipped", "detail": str(why)}
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a failed check
            place = traceback.extract_tb(error.__traceback__)[-1]
            detail = f"{type(error).__name__}: {error} (line {place.lineno})"
            result |= {"outcome": "failed", "detail": detail[:2000]}
        results.append(result)
    failed = [r["name"] for r in results if r["outcome"] == "failed"]
    print(json.dumps({"sdk": "openai-python", "version": openai.__version__, "failed": failed, "checks": results}, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
