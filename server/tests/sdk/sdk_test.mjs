// Drives an OpenAI-compatible server with OpenAI's Node SDK; see README.md beside this file.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import OpenAI from "openai";

const PERSON = "ada.lovelace@example.org";
// One red pixel.
const PNG =
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const TOOL = {
  type: "function",
  function: {
    name: "look_up_customer",
    description: "Finds a customer.",
    parameters: {
      type: "object",
      properties: { key: { type: "string" }, limit: { type: "integer" }, exact: { type: "boolean" } },
      required: ["key"],
    },
  },
};

const TEXTS = [
  "base-url",
  "api-key",
  "chat-model",
  "embedding-model",
  "denied-model",
  "broke-key",
  "slow-key",
  "auth-header",
  "auth-status",
  "unknown-status",
];
const FLAGS = ["gateway", "usage-always"];

function readOptions() {
  const shape = {};
  for (const name of TEXTS) shape[name] = { type: "string" };
  for (const name of FLAGS) shape[name] = { type: "boolean" };
  const { values } = parseArgs({ options: shape });
  const env = (name) => process.env[`SDK_${name.toUpperCase().replaceAll("-", "_")}`];
  for (const name of TEXTS) values[name] ??= env(name);
  for (const name of FLAGS) values[name] ??= env(name) === "1";
  for (const name of ["base-url", "api-key", "chat-model"]) {
    if (!values[name]) {
      console.error(`--${name} is needed`);
      process.exit(2);
    }
  }
  values["auth-status"] = Number(values["auth-status"] ?? 401);
  values["unknown-status"] = Number(values["unknown-status"] ?? 404);
  return values;
}

class Skip extends Error {}

const options = readOptions();
let sent = 0;

function make(apiKey) {
  const header = options["auth-header"];
  return new OpenAI({
    apiKey,
    baseURL: options["base-url"],
    defaultHeaders: header ? { [header]: apiKey } : undefined,
    timeout: 30_000,
    fetch: (...request) => {
      sent += 1;
      return fetch(...request);
    },
  });
}

const client = make(options["api-key"]);

function ask(text, extra = {}, by = client) {
  const messages = [{ role: "user", content: text }];
  return by.chat.completions.create({ model: options["chat-model"], messages, ...extra });
}

function respond(text, extra = {}) {
  return client.responses.create({ model: options["chat-model"], input: text, ...extra });
}

async function all(stream) {
  const chunks = [];
  for await (const chunk of await stream) chunks.push(chunk);
  return chunks;
}

async function refused(call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    if (error instanceof OpenAI.APIError && error.status) return error;
    throw error;
  }
  assert.fail(`was answered: ${JSON.stringify(answer)}`);
}

function holds(text, part) {
  assert.ok((text ?? "").includes(part), `expected ${JSON.stringify(part)} in ${JSON.stringify(text)}`);
}

function sums(usage) {
  assert.ok(usage.prompt_tokens > 0 && usage.completion_tokens > 0, `usage ${JSON.stringify(usage)}`);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

const finishes = (chunks) => chunks.map((c) => c.choices[0]?.finish_reason).filter(Boolean);

const checks = {
  async chat() {
    const text = `Please write to ${PERSON} today.`;
    const answer = await ask(text);
    const [choice] = answer.choices;
    assert.equal(answer.object, "chat.completion");
    assert.equal(choice.finish_reason, "stop");
    assert.equal(choice.message.role, "assistant");
    holds(choice.message.content, "Simulated");
    holds(choice.message.content, `You wrote: ${text}`);
    sums(answer.usage);
  },

  async chat_unicode() {
    const text = 'Grüße an 李雷 🐦‍⬛ – „naïve“ \u2028 \\u0000 "quoted" \t tab';
    holds((await ask(text)).choices[0].message.content, `You wrote: ${text}`);
  },

  async chat_headers() {
    const { data, response } = await ask("Hello").withResponse();
    holds(data.choices[0].message.content, "You wrote: Hello");
    if (!options.gateway) throw new Skip("--gateway was not given");
    for (const name of ["decision", "endpoint", "countries", "policy", "cost"]) {
      assert.ok(response.headers.get(`x-bailiwick-${name}`), `x-bailiwick-${name} is missing`);
    }
    for (const name of ["set-cookie", "openai-organization", "apim-request-id"]) {
      assert.equal(response.headers.get(name), null, `the provider's ${name} came through`);
    }
  },

  async stream() {
    const text = `Please write to ${PERSON} today.`;
    const chunks = await all(ask(text, { stream: true }));
    const said = chunks.map((c) => c.choices[0]?.delta.content ?? "").join("");
    holds(said, `You wrote: ${text}`);
    assert.ok(chunks.length > 3, `only ${chunks.length} chunks`);
    assert.ok(chunks.every((c) => ["chat.completion.chunk", ""].includes(c.object)), "a chunk of another kind");
    assert.deepEqual(finishes(chunks), ["stop"]);
    if (!options["usage-always"]) {
      assert.deepEqual(chunks.map((c) => c.usage).filter(Boolean), []);
    }
  },

  async stream_with_usage() {
    if (options["usage-always"]) throw new Skip("--usage-always: the service refuses stream_options");
    const chunks = await all(ask("Count this.", { stream: true, stream_options: { include_usage: true } }));
    const withUsage = chunks.filter((c) => c.usage);
    assert.equal(withUsage.length, 1);
    assert.equal(withUsage[0], chunks.at(-1), "usage is not in the last chunk");
    assert.deepEqual(withUsage[0].choices, []);
    sums(withUsage[0].usage);
  },

  async stream_helper() {
    const messages = [{ role: "user", content: "Hello from the helper." }];
    const runner = client.chat.completions.stream({ model: options["chat-model"], messages });
    holds(await runner.finalContent(), "You wrote: Hello from the helper.");
  },

  async stream_abandoned() {
    const stream = await ask("A long story. ".repeat(50), { stream: true });
    let seen = 0;
    for await (const _chunk of stream) if (++seen === 3) break;
    holds((await ask("Still there?")).choices[0].message.content, "You wrote: Still there?");
  },

  async tools() {
    const answer = await ask(`Use look_up_customer for ${PERSON}.`, { tools: [TOOL] });
    const [choice] = answer.choices;
    assert.equal(choice.finish_reason, "tool_calls");
    const [call] = choice.message.tool_calls;
    assert.equal(call.function.name, "look_up_customer");
    const args = JSON.parse(call.function.arguments);
    assert.deepEqual(Object.keys(args).sort(), ["exact", "key", "limit"]);
    assert.ok(typeof args.key === "string" && args.key, `arguments ${JSON.stringify(args)}`);
    const { role, content, tool_calls } = choice.message;
    const messages = [
      { role: "user", content: "Use look_up_customer." },
      { role, content, tool_calls },
      { role: "tool", tool_call_id: call.id, content: "Customer 42 is in Hamburg." },
    ];
    const second = await ask(null, { tools: [TOOL], messages });
    assert.equal(second.choices[0].finish_reason, "stop");
    holds(second.choices[0].message.content, "Customer 42 is in Hamburg.");
  },

  async tools_streamed() {
    const chunks = await all(ask("Use look_up_customer for order 12345.", { tools: [TOOL], stream: true }));
    const calls = chunks.flatMap((c) => c.choices[0]?.delta.tool_calls ?? []);
    assert.ok(calls.every((call) => call.index === 0));
    assert.equal(calls.map((call) => call.function.name ?? "").join(""), "look_up_customer");
    assert.equal(new Set(calls.map((call) => call.id).filter(Boolean)).size, 1);
    holds(JSON.parse(calls.map((call) => call.function.arguments ?? "").join("")).key, "12345");
    assert.deepEqual(finishes(chunks), ["tool_calls"]);
  },

  async image() {
    const content = [
      { type: "text", text: "What colour?" },
      { type: "image_url", image_url: { url: PNG } },
    ];
    const answer = await ask(null, { messages: [{ role: "user", content }] });
    holds(answer.choices[0].message.content, "1 image");
    holds(answer.choices[0].message.content, "You wrote: What colour?");
  },

  async output_limit() {
    const answer = await ask("Say a great many words, please.", { max_tokens: 5 });
    assert.equal(answer.choices[0].finish_reason, "length");
    assert.ok(answer.usage.completion_tokens <= 5, `usage ${JSON.stringify(answer.usage)}`);
  },

  async embeddings() {
    const model = options["embedding-model"];
    if (!model) throw new Skip("--embedding-model was not given");
    // Asked for no format, the SDK asks for base64 and decodes it.
    const two = await client.embeddings.create({ model, input: ["one", "two"] });
    const floats = await client.embeddings.create({ model, input: "one", encoding_format: "float" });
    assert.deepEqual(two.data.map((e) => e.index), [0, 1]);
    const [one, other] = two.data.map((e) => Array.from(e.embedding));
    assert.equal(one.length, floats.data[0].embedding.length);
    assert.notDeepEqual(one, other, "different inputs, same vector");
    assert.ok(one.every((x, i) => Math.abs(x - floats.data[0].embedding[i]) < 1e-6), "base64 and float differ");
    assert.ok(two.usage.prompt_tokens > 0, `usage ${JSON.stringify(two.usage)}`);
  },

  async responses() {
    const text = `Please write to ${PERSON} today.`;
    const answer = await respond(text, { instructions: "Be brief." });
    assert.equal(answer.object, "response");
    assert.equal(answer.status, "completed");
    holds(answer.output_text, "Simulated");
    holds(answer.output_text, `You wrote: ${text}`);
    const { input_tokens, output_tokens, total_tokens } = answer.usage;
    assert.ok(input_tokens > 0 && output_tokens > 0, `usage ${JSON.stringify(answer.usage)}`);
    assert.equal(total_tokens, input_tokens + output_tokens);
  },

  async responses_streamed() {
    const text = `Please write to ${PERSON} today.`;
    const events = await all(respond(text, { stream: true }));
    assert.equal(events[0].type, "response.created");
    assert.equal(events.at(-1).type, "response.completed");
    assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, number) => number));
    const said = events.filter((e) => e.type === "response.output_text.delta").map((e) => e.delta).join("");
    holds(said, `You wrote: ${text}`);
    const [message] = events.at(-1).response.output.filter((item) => item.type === "message");
    assert.equal(message.content[0].text, said);
    assert.ok(events.at(-1).response.usage.output_tokens > 0);
  },

  async responses_helper() {
    const runner = client.responses.stream({ model: options["chat-model"], input: "Hello from the helper." });
    holds((await runner.finalResponse()).output_text, "You wrote: Hello from the helper.");
  },

  async responses_tools() {
    const tools = [{ type: "function", strict: false, ...TOOL.function }];
    for (const streamed of [false, true]) {
      const input = [{ role: "user", content: "Use look_up_customer for order 12345." }];
      let answer, pieces;
      if (streamed) {
        const events = await all(respond(null, { input, tools, stream: true }));
        answer = events.at(-1).response;
        pieces = events.filter((e) => e.type === "response.function_call_arguments.delta").map((e) => e.delta);
      } else {
        answer = await respond(null, { input, tools });
      }
      const [call] = answer.output.filter((item) => item.type === "function_call");
      assert.equal(call.name, "look_up_customer");
      holds(JSON.parse(call.arguments).key, "12345");
      if (streamed) assert.equal(pieces.join(""), call.arguments);
      const output = { type: "function_call_output", call_id: call.call_id, output: "Customer 42 is in Hamburg." };
      const second = await respond(null, { input: [...input, ...answer.output, output], tools });
      holds(second.output_text, "Customer 42 is in Hamburg.");
    }
  },

  async responses_image() {
    const content = [
      { type: "input_text", text: "What colour?" },
      { type: "input_image", image_url: PNG, detail: "auto" },
    ];
    const answer = await respond(null, { input: [{ role: "user", content }] });
    holds(answer.output_text, "1 image");
    holds(answer.output_text, "You wrote: What colour?");
  },

  async responses_structured() {
    const schema = {
      type: "object",
      properties: { name: { type: "string" } },
      required: ["name"],
      additionalProperties: false,
    };
    const text = { format: { type: "json_schema", name: "person", schema, strict: true } };
    assert.ok((await respond("Who?", { text })).output_text);
  },

  async responses_refused() {
    if (!options.gateway) throw new Skip("--gateway was not given");
    const error = await refused(() => respond("Hello", { previous_response_id: "resp_1" }));
    assert.ok(error instanceof OpenAI.BadRequestError, error.constructor.name);
    assert.deepEqual([error.code, error.param], ["invalid_request", "previous_response_id"]);
  },

  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes(options["chat-model"]), `${options["chat-model"]} is not among ${names}`);
    if (options["denied-model"] && options.gateway) {
      assert.ok(!names.includes(options["denied-model"]), "a denied model is listed");
    }
  },

  async wrong_key() {
    sent = 0;
    const error = await refused(() => ask("Hello", {}, make("sk-wrong")));
    assert.equal(error.status, options["auth-status"]);
    if (error.status === 401) assert.ok(error instanceof OpenAI.AuthenticationError, error.constructor.name);
    assert.equal(sent, 1);
    if (options.gateway) assert.equal(error.code, "invalid_api_key");
  },

  async unknown_model() {
    const error = await refused(() => ask("Hello", { model: "no-such-model" }));
    assert.equal(error.status, options["unknown-status"]);
  },

  async denied() {
    if (!options["denied-model"]) throw new Skip("--denied-model was not given");
    sent = 0;
    const error = await refused(() => ask("Hello", { model: options["denied-model"] }));
    assert.ok(error instanceof OpenAI.PermissionDeniedError, error.constructor.name);
    assert.equal(sent, 1);
    assert.ok(["policy_denied", "no_eligible_endpoint"].includes(error.code), `code ${error.code}`);
    // The SDK keeps only `error` of the body; the rest is reached by asking without it.
    const response = await fetch(`${options["base-url"]}/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${options["api-key"]}`, "content-type": "application/json" },
      body: JSON.stringify({ model: options["denied-model"], messages: [{ role: "user", content: "Hello" }] }),
    });
    assert.equal(response.status, 403);
    const told = (await response.json()).bailiwick;
    for (const name of ["decision", "rules", "excluded", "fix"]) {
      assert.ok(name in told, `bailiwick.${name} is missing: ${Object.keys(told)}`);
    }
  },

  async budget() {
    if (!options["broke-key"]) throw new Skip("--broke-key was not given");
    sent = 0;
    const error = await refused(() => ask("Hello", {}, make(options["broke-key"])));
    assert.ok(error instanceof OpenAI.RateLimitError, error.constructor.name);
    assert.equal(error.code, "budget_exceeded");
    assert.equal(error.headers.get("x-should-retry"), "false");
    assert.equal(sent, 1);
  },

  async rate_limit() {
    if (!options["slow-key"]) throw new Skip("--slow-key was not given");
    const client = make(options["slow-key"]).withOptions({ maxRetries: 0 });
    const { response } = await client.chat.completions
      .create({ model: options["chat-model"], messages: [{ role: "user", content: "Hello" }] })
      .withResponse();
    assert.equal(response.headers.get("x-ratelimit-limit-requests"), "1");
    assert.equal(response.headers.get("x-ratelimit-remaining-requests"), "0");
    assert.match(response.headers.get("x-ratelimit-reset-requests"), /^[0-9hm]+s$/);
    const error = await refused(() => ask("Hello", {}, client));
    assert.ok(error instanceof OpenAI.RateLimitError, error.constructor.name);
    assert.equal(error.code, "rate_limited");
    assert.equal(error.headers.get("x-ratelimit-remaining-requests"), "0");
    const wait = Number(error.headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 60, `retry-after is in seconds: ${wait}`);
  },
};

function sdkVersion() {
  const entry = fileURLToPath(import.meta.resolve("openai"));
  return JSON.parse(readFileSync(new URL("package.json", `file://${entry}`), "utf8")).version;
}

const results = [];
for (const [name, check] of Object.entries(checks)) {
  const result = { name, outcome: "passed" };
  try {
    await check();
  } catch (error) {
    if (error instanceof Skip) Object.assign(result, { outcome: "skipped", detail: error.message });
    else Object.assign(result, { outcome: "failed", detail: String(error.stack ?? error).slice(0, 2000) });
  }
  results.push(result);
}
const failed = results.filter((r) => r.outcome === "failed").map((r) => r.name);
console.log(JSON.stringify({ sdk: "openai-node", version: sdkVersion(), failed, checks: results }, null, 1));
process.exitCode = failed.length ? 1 : 0;
