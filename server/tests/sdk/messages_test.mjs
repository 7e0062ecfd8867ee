// Drives a server that speaks Anthropic's API with Anthropic's TypeScript SDK; see README.md beside this file.

import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const PERSON = "ada.lovelace@example.org";
// One red pixel.
const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const TOOL = {
  name: "look_up_customer",
  description: "Finds a customer.",
  input_schema: {
    type: "object",
    properties: { key: { type: "string" }, limit: { type: "integer" } },
    required: ["key"],
  },
};
const env = process.env;
const [baseURL, apiKey, model] = [env.SDK_BASE_URL, env.SDK_API_KEY, env.SDK_CHAT_MODEL];
// Whether the model is served on Anthropic's own wire; on others no tokens are counted.
const native = env.SDK_NATIVE === "1";

let sent = 0;
const make = (key, more = {}) =>
  new Anthropic({
    apiKey: key,
    baseURL,
    timeout: 30_000,
    fetch: (...args) => {
      sent += 1;
      return fetch(...args);
    },
    ...more,
  });
const client = make(apiKey);
const user = (content) => [{ role: "user", content }];
const ask = (content, more = {}, by = client) =>
  by.messages.create({ model, max_tokens: 400, messages: user(content), ...more });

async function refused(call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof Anthropic.APIError, String(error));
    return error;
  }
  assert.fail("was answered");
}

const checks = {
  async chat() {
    const answer = await ask(`Write to ${PERSON}`, { system: "Be brief." });
    assert.equal(answer.type, "message");
    assert.equal(answer.stop_reason, "end_turn");
    assert.ok(answer.content[0].text.includes(PERSON), answer.content[0].text);
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  },

  async headers() {
    const { data, response } = await client.messages
      .create({ model, max_tokens: 50, messages: user(`Write to ${PERSON}`) })
      .withResponse();
    assert.match(response.headers.get("x-bailiwick-decision"), /^dec_/);
    assert.equal(response.headers.get("x-bailiwick-redactions"), "EMAIL=1");
    assert.equal(data._request_id, response.headers.get("x-bailiwick-decision"));
  },

  async stream() {
    let text = "";
    const stream = client.messages
      .stream({ model, max_tokens: 400, messages: user(`Write to ${PERSON}`) })
      .on("text", (piece) => (text += piece));
    const final = await stream.finalMessage();
    assert.ok(text.includes(PERSON), text);
    assert.equal(final.content[0].text, text);
    assert.equal(final.stop_reason, "end_turn");
    assert.ok(final.usage.input_tokens > 0 && final.usage.output_tokens > 0);
  },

  async tools() {
    const question = `Use look_up_customer for ${PERSON}`;
    const answer = await ask(question, { tools: [TOOL], tool_choice: { type: "any" } });
    assert.equal(answer.stop_reason, "tool_use");
    const call = answer.content.at(-1);
    assert.deepEqual([call.name, call.input.key], ["look_up_customer", PERSON]);
    const after = await ask(null, {
      tools: [TOOL],
      messages: [
        ...user(question),
        { role: "assistant", content: answer.content },
        ...user([{ type: "tool_result", tool_use_id: call.id, content: "Found: 42" }]),
      ],
    });
    assert.ok(after.content[0].text.includes("Found: 42"), after.content[0].text);
  },

  async tools_streamed() {
    const stream = client.messages.stream({
      model,
      max_tokens: 400,
      tools: [TOOL],
      tool_choice: { type: "tool", name: "look_up_customer" },
      messages: user(`For ${PERSON}`),
    });
    const final = await stream.finalMessage();
    assert.equal(final.stop_reason, "tool_use");
    assert.equal(final.content.at(-1).input.key, PERSON);
  },

  async image() {
    const source = { type: "base64", media_type: "image/png", data: PNG };
    const content = [{ type: "image", source }, { type: "text", text: "What is it?" }];
    const answer = await ask(content, {}, make(env.SDK_IMAGE_KEY));
    assert.ok(answer.content[0].text.includes("1 image"), answer.content[0].text);
  },

  async count_tokens() {
    const call = () => client.messages.countTokens({ model, messages: user("Hello") });
    if (native) {
      assert.ok((await call()).input_tokens > 0);
    } else {
      assert.equal((await refused(call)).error.bailiwick.code, "not_translatable");
    }
  },

  async models() {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    assert.ok(ids.includes(model), ids.join());
  },

  async errors() {
    const wrong = make("bwk_wrong", { maxRetries: 0 });
    assert.ok((await refused(() => ask("x", {}, wrong))) instanceof Anthropic.AuthenticationError);
    assert.ok((await refused(() => ask("x", { model: "no-such-model" }))) instanceof Anthropic.NotFoundError);
    const denied = await refused(() => ask("x", { model: env.SDK_DENIED_MODEL }));
    assert.ok(denied instanceof Anthropic.PermissionDeniedError, denied.constructor.name);
    for (const name of ["decision", "rules", "excluded", "fix"]) assert.ok(name in denied.error.bailiwick, name);
    assert.ok((await refused(() => ask("x", { inference_geo: "us" }))) instanceof Anthropic.BadRequestError);
  },

  async budget() {
    sent = 0;
    const error = await refused(() => ask("x", {}, make(env.SDK_BROKE_KEY)));
    assert.ok(error instanceof Anthropic.RateLimitError, error.constructor.name);
    assert.equal(error.error.bailiwick.code, "budget_exceeded");
    assert.equal(sent, 1);
  },
};

const results = [];
for (const [name, check] of Object.entries(checks)) {
  const result = { name, outcome: "passed" };
  try {
    await check();
  } catch (error) {
    Object.assign(result, { outcome: "failed", detail: String(error.stack ?? error).slice(0, 2000) });
  }
  results.push(result);
}
const failed = results.filter((r) => r.outcome === "failed").map((r) => r.name);
console.log(JSON.stringify({ sdk: "anthropic-typescript", failed, checks: results }, null, 1));
process.exitCode = failed.length ? 1 : 0;
