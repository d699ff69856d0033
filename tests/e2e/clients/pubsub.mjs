// Pub/Sub as Google's client library for Node speaks to it.
import assert from "node:assert";
import { createRequire } from "node:module";

const { PubSub } = createRequire(process.env.CLIENTS)("@google-cloud/pubsub");

const pubsub = new PubSub({ projectId: "demo-mlemu" });
const [topic] = await pubsub.createTopic("node-topic");
const [subscription] = await topic.createSubscription("node-sub", {
  enableMessageOrdering: true,
  filter: 'attributes.kind = "iris"',
});
const wanted = 200;
const received = [];
const done = new Promise((resolve, reject) => {
  subscription.on("error", reject);
  subscription.on("message", (message) => {
    received.push(message.data.toString());
    message.ack();
    if (received.length === wanted) resolve();
  });
});
const ordered = pubsub.topic("node-topic", { messageOrdering: true });
const published = [];
for (let number = 0; number < wanted; number++) {
  const attributes = { kind: "iris" };
  published.push(ordered.publishMessage({ data: Buffer.from(String(number)), attributes, orderingKey: "a" }));
  published.push(ordered.publishMessage({ data: Buffer.from("no"), attributes: { kind: "rose" }, orderingKey: "a" }));
}
// A flush would send a key's batches beside each other, where nobody keeps their order.
await Promise.all(published);
await done;
assert.deepEqual(received, Array.from({ length: wanted }, (_, number) => String(number)));
await subscription.close();

const [metadata] = await subscription.getMetadata();
assert.equal(metadata.ackDeadlineSeconds, 10);
await subscription.setMetadata({ ackDeadlineSeconds: 20 });
const [changed] = await subscription.getMetadata();
assert.equal(changed.ackDeadlineSeconds, 20);
const [topics] = await pubsub.getTopics();
assert.deepEqual(topics.map((one) => one.name), ["projects/demo-mlemu/topics/node-topic"]);

const once = await topic.createSubscription("node-once", { enableExactlyOnceDelivery: true });
const confirmed = new Promise((resolve, reject) => {
  once[0].on("error", reject);
  once[0].on("message", (message) => message.ackWithResponse().then(resolve, reject));
});
await topic.publishMessage({ data: Buffer.from("x") });
assert.equal(await confirmed, "SUCCESS");
await once[0].close();

await assert.rejects(pubsub.topic("missing").publishMessage({ data: Buffer.from("x") }), /NOT_FOUND/);
await subscription.delete();
await topic.delete();
await pubsub.close();
