// Cloud Storage from @google-cloud/storage, with nothing but STORAGE_EMULATOR_HOST.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.CLIENTS);
const { Storage } = require("@google-cloud/storage");

const storage = new Storage({ projectId: process.env.GOOGLE_CLOUD_PROJECT });
const cases = { objects, versions, access, signed };
await cases[process.argv[2]]();

async function objects() {
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
}

async function versions() {
  const [bucket] = await storage.createBucket("versions-of-node", { versioning: { enabled: true } });
  const file = bucket.file("x");
  await file.save("one");
  const first = file.metadata.generation;
  await file.save("two");
  const [all] = await bucket.getFiles({ versions: true });
  assert.deepEqual(all.map((each) => each.metadata.generation), [first, file.metadata.generation]);
  const [old] = await bucket.file("x", { generation: first }).download();
  assert.equal(old.toString(), "one");
  await bucket.file("x").delete();
  assert.deepEqual(await bucket.file("x").exists(), [false]);
  await bucket.file("x", { generation: first }).copy(bucket.file("x"));
  assert.equal((await bucket.file("x").download())[0].toString(), "one");
  await bucket.setLabels({ team: "flowers" });
  await bucket.setStorageClass("nearline");
  await bucket.addLifecycleRule({ action: { type: "Delete" }, condition: { age: 3 } });
  const [metadata] = await storage.bucket("versions-of-node").getMetadata();
  assert.deepEqual([metadata.labels, metadata.storageClass], [{ team: "flowers" }, "NEARLINE"]);
  assert.equal(metadata.lifecycle.rule.length, 1);
  await file.setMetadata({ temporaryHold: true });
  await assert.rejects(bucket.file("x", { generation: file.metadata.generation }).delete(), { code: 403 });
}

async function access() {
  const [bucket] = await storage.createBucket("access-of-node");
  const file = bucket.file("x");
  await file.save("1");
  await file.makePublic();
  const [all] = await file.acl.get({ entity: "allUsers" });
  assert.equal(all.role, "READER");
  await file.acl.delete({ entity: "allUsers" });
  await assert.rejects(file.acl.get({ entity: "allUsers" }), { code: 404 });
  await bucket.acl.add({ entity: "user-rose@example.com", role: "WRITER" });
  await bucket.acl.update({ entity: "user-rose@example.com", role: "OWNER" });
  const [list] = await bucket.acl.get();
  assert.ok(list.some((entry) => entry.entity === "user-rose@example.com" && entry.role === "OWNER"));
  const [policy] = await bucket.iam.getPolicy({ requestedPolicyVersion: 3 });
  policy.bindings.push({ role: "roles/storage.objectViewer", members: ["allUsers"] });
  await bucket.iam.setPolicy(policy);
  assert.equal((await bucket.iam.getPolicy())[0].bindings.at(-1).role, "roles/storage.objectViewer");
  const [key] = await storage.createHmacKey("signer@demo.iam.gserviceaccount.com");
  await key.setMetadata({ state: "INACTIVE" });
  await key.delete();
}

async function signed() {
  const signer = new Storage({ projectId: process.env.GOOGLE_CLOUD_PROJECT, keyFilename: "key.json" });
  const [bucket] = await signer.createBucket("signed-of-node");
  const file = bucket.file("in/é a.txt");
  const expires = Date.now() + 3600_000;
  for (const version of ["v4", "v2"]) {
    const [put] = await file.getSignedUrl({ version, action: "write", expires, contentType: "text/x" });
    const sent = await fetch(put, { method: "PUT", body: version, headers: { "Content-Type": "text/x" } });
    assert.equal(sent.status, 200, await sent.text());
    const [get] = await file.getSignedUrl({ version, action: "read", expires });
    assert.equal(await (await fetch(get)).text(), version);
    const refused = await fetch(get, { method: "DELETE" });
    assert.match(await refused.text(), /SignatureDoesNotMatch/);
  }
  const [policy] = await file.generateSignedPostPolicyV4({ expires, conditions: [["content-length-range", 1, 9]] });
  const form = new FormData();
  for (const [name, value] of Object.entries(policy.fields)) form.append(name, value);
  form.append("file", new Blob(["blue"]), "rose.txt");
  const sent = await fetch(policy.url, { method: "POST", body: form });
  assert.equal(sent.status, 204, await sent.text());
  assert.equal((await file.download())[0].toString(), "blue");
}
