// The thumbnailer, as its users meet it: `npm test`, or `mlemu exec -- npm test`.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test, { after, before, beforeEach } from "node:test";
import jpeg from "jpeg-js";
import { useMlemu } from "mlemu-test";

const mlemu = useMlemu({ before, beforeEach, after });
const meadow = await readFile(new URL("../meadow.jpg", import.meta.url));

test("each picture gets one thumbnail, whatever its name", async () => {
  const names = ["meadow.jpg", "my holiday+1.jpg", "élan/ñandú.jpg"];
  await Promise.all(names.map((name) => mlemu.put("uploads", name, meadow)));
  await mlemu.waitIdle();
  assert.deepEqual(await mlemu.objects("thumbnails"), names.map((name) => `thumb-${name}`).sort());
});

test("a thumbnail is the picture, only smaller", async () => {
  await mlemu.waitTrace(await mlemu.put("uploads", "meadow.jpg", meadow));
  const { width, height } = jpeg.decode(await mlemu.get("thumbnails", "thumb-meadow.jpg"));
  assert.deepEqual([width, height], [160, 120]);
});

test("what is no picture fails with its name, and leaves nothing", async () => {
  await mlemu.put("uploads", "broken.jpg", "no picture");
  const [failed] = await mlemu.waitInvocations("Thumbnailer", { status: "error" });
  assert.match((await mlemu.invocation(failed.id)).result.errorMessage, /broken\.jpg is not a JPEG/);
  assert.deepEqual(await mlemu.objects("thumbnails"), []);
});

test("what is no .jpg starts nothing", async () => {
  await mlemu.put("uploads", "notes.txt", "milk, bread");
  await mlemu.waitIdle();
  assert.deepEqual(await mlemu.invocations(), []);
});

test("a slow store is no reason to fail", async () => {
  await mlemu.fault("throttle", { match: { service: "s3", operation: "PutObject", resource: "thumbnails/*" }, times: 1 });
  await mlemu.waitTrace(await mlemu.put("uploads", "meadow.jpg", meadow));
  assert.deepEqual(await mlemu.objects("thumbnails"), ["thumb-meadow.jpg"]);
  assert.deepEqual((await mlemu.faults()).map((rule) => rule.struck), [1]);
});
