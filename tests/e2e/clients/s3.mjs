// The S3 API from the AWS SDK for JavaScript.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const require = createRequire(process.env.CLIENTS);
const {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} = require("@aws-sdk/client-s3");

const s3 = new S3Client({});
const Bucket = "from-node";
const Key = "a b+c/é.bin";
const Body = Buffer.alloc(3_000_000, "node");

await s3.send(new CreateBucketCommand({ Bucket }));
const put = await s3.send(new PutObjectCommand({ Bucket, Key, Body, Metadata: { from: "node" } }));
const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
assert.deepEqual([head.ContentLength, head.ETag, head.Metadata], [Body.length, put.ETag, { from: "node" }]);

const got = await s3.send(new GetObjectCommand({ Bucket, Key }));
assert.ok(Body.equals(Buffer.from(await got.Body.transformToByteArray())));

// A stream of known length goes in aws-chunked form, with its checksum behind it.
await s3.send(new PutObjectCommand({ Bucket, Key: "streamed", Body: Readable.from([Body]), ContentLength: Body.length }));
const listed = await s3.send(new ListObjectsV2Command({ Bucket }));
assert.deepEqual(listed.Contents.map(({ Key, Size }) => [Key, Size]), [[Key, Body.length], ["streamed", Body.length]]);

await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
const { VersionId } = await s3.send(new PutObjectCommand({ Bucket, Key, Body: "second" }));
const replaced = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId: "null" }));
assert.equal(replaced.ContentLength, Body.length);

const upload = { Bucket, Key: "parts" };
const { UploadId } = await s3.send(new CreateMultipartUploadCommand(upload));
const part = await s3.send(new UploadPartCommand({ ...upload, UploadId, PartNumber: 1, Body: "part" }));
const Parts = [{ PartNumber: 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 }];
await s3.send(new CompleteMultipartUploadCommand({ ...upload, UploadId, MultipartUpload: { Parts } }));
assert.equal((await s3.send(new HeadObjectCommand(upload))).ETag.endsWith('-1"'), true);

await s3.send(new DeleteObjectCommand({ Bucket, Key }));
const kept = await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }));
assert.equal(await kept.Body.transformToString(), "second");
await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key })), { name: "NoSuchKey" });
