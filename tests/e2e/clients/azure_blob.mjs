// Blob and Queue Storage from @azure/storage-blob and @azure/storage-queue, with nothing but a connection string.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const require = createRequire(process.env.CLIENTS);
const { BlobServiceClient, BlobSASPermissions } = require("@azure/storage-blob");
const { QueueServiceClient } = require("@azure/storage-queue");

const connection = process.env.AZURE_STORAGE_CONNECTION_STRING;
const blobs = BlobServiceClient.fromConnectionString(connection);
const container = blobs.getContainerClient("from-node");
await container.create({ metadata: { owner: "node" } });

const small = container.getBlockBlobClient("a b/é+%.txt");
await small.upload("hello", 5, { metadata: { from: "node" }, blobHTTPHeaders: { blobContentType: "text/plain" } });
assert.equal((await small.downloadToBuffer()).toString(), "hello");
const properties = await small.getProperties();
assert.deepEqual([properties.contentLength, properties.metadata, properties.contentType], [5, { from: "node" }, "text/plain"]);

const eight = Buffer.alloc(8 << 20, "mlemu");
await container.getBlockBlobClient("eight").uploadData(eight, { blockSize: 1 << 20, maxSingleShotSize: 0, concurrency: 4 });
assert.ok(eight.equals(await container.getBlockBlobClient("eight").downloadToBuffer()));

const piece = Buffer.alloc(4 << 20, "x");
async function* endless() {
  for (let at = 0; at < 75; at++) yield piece;
}
const model = container.getBlockBlobClient("model");
await model.uploadStream(Readable.from(endless()), 8 << 20, 2);
assert.equal((await model.getProperties()).contentLength, 300 << 20);
let size = 0;
for await (const chunk of (await model.download()).readableStreamBody) size += chunk.length;
assert.equal(size, 300 << 20);

const names = [];
for await (const blob of container.listBlobsFlat({ includeMetadata: true })) names.push(blob.name);
assert.deepEqual(names, ["a b/é+%.txt", "eight", "model"]);
const walked = [];
for await (const item of container.listBlobsByHierarchy("/")) walked.push(item.kind + " " + item.name);
assert.deepEqual(walked, ["prefix a b/", "blob eight", "blob model"]);

const url = await small.generateSasUrl({ permissions: BlobSASPermissions.parse("r"), expiresOn: new Date(Date.now() + 3600e3) });
assert.equal(await (await fetch(url)).text(), "hello");
assert.equal((await fetch(url.replace("sp=r", "sp=w"))).status, 403);

const append = container.getAppendBlobClient("log");
await append.create();
await append.appendBlock("one,", 4);
await append.appendBlock("two", 3);
assert.equal((await append.downloadToBuffer()).toString(), "one,two");

const poller = await container.getBlobClient("copied").beginCopyFromURL(small.url);
assert.equal((await poller.pollUntilDone()).copyStatus, "success");
const lease = small.getBlobLeaseClient();
await lease.acquireLease(15);
await assert.rejects(small.delete(), { code: "LeaseIdMissing" });
await lease.releaseLease();
await small.setTags({ kind: "rose" });
assert.deepEqual((await small.getTags()).tags, { kind: "rose" });
const batch = await blobs.getBlobBatchClient().deleteBlobs([small, container.getBlobClient("eight")]);
assert.equal(batch.subResponsesSucceededCount, 2);
await assert.rejects(small.download(), { statusCode: 404 });
await container.delete();

const queues = QueueServiceClient.fromConnectionString(connection);
const queue = queues.getQueueClient("from-node");
await queue.create();
const sent = await queue.sendMessage("one <&> ä");
await queue.sendMessage("two");
assert.equal((await queue.peekMessages()).peekedMessageItems[0].messageText, "one <&> ä");
const { receivedMessageItems } = await queue.receiveMessages({ numberOfMessages: 2, visibilityTimeout: 60 });
assert.deepEqual(receivedMessageItems.map((item) => item.messageText), ["one <&> ä", "two"]);
assert.equal(receivedMessageItems[0].messageId, sent.messageId);
const changed = await queue.updateMessage(sent.messageId, receivedMessageItems[0].popReceipt, "three", 0);
await assert.rejects(queue.deleteMessage(sent.messageId, receivedMessageItems[0].popReceipt), { code: "PopReceiptMismatch" });
await queue.deleteMessage(sent.messageId, changed.popReceipt);
assert.equal((await queue.getProperties()).approximateMessagesCount, 1);
await queue.clearMessages();
await queue.delete();
