// Cloud Storage from @google-cloud/storage, with nothing but STORAGE_EMULATOR_HOST.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.CLIENTS);
const { Storage } = require("@google-cloud/storage");

const storage = new Storage({ projectId: process.env.GOOGLE_CLOUD_PROJECT });
const [bucket] = await storage.createBucket("from-node");
const body = Buffer.alloc(6_000_000, "node");
const name = "a b+c/é.bin";

await bucket.file(name).save(body, { resumable: false, metadata: { metadata: { from: "node" } } });
const [metadata] = await bucket.file(name).getMetadata();
assert.deepEqual([metadata.size, metadata.metadata], [String(body.length), { from: "node" }]);
const [got] = await bucket.file(name).download();
assert.ok(body.equals(got));

await bucket.file("resumed").save(body, { resumable: true, chunkSize: 1024 * 1024 });
const [resumed] = await bucket.file("resumed").download();
assert.ok(body.equals(resumed));

const [files] = await bucket.getFiles();
assert.deepEqual(files.map((file) => file.name), [name, "resumed"]);
await bucket.file("resumed").copy(bucket.file("copied"));
assert.deepEqual(await bucket.file("copied").exists(), [true]);
await bucket.file(name).delete();
await assert.rejects(bucket.file(name).download(), { code: 404 });
await bucket.deleteFiles();
await bucket.delete();
