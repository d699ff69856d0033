// The SQS API from the AWS SDK for JavaScript, which goes to the host of the queue's URL.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.CLIENTS);
const {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} = require("@aws-sdk/client-sqs");

const sqs = new SQSClient({});
const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: "from-node" }));
const waiting = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MessageAttributeNames: ["All"] }));
const MessageAttributes = { kind: { DataType: "String", StringValue: "é" } };
// The SDK checks the digests of both.
const sent = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "grüße", MessageAttributes }));
const { Messages } = await waiting;
assert.deepEqual([Messages[0].Body, Messages[0].MessageId], ["grüße", sent.MessageId]);
assert.equal(Messages[0].MessageAttributes.kind.StringValue, "é");
await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: Messages[0].ReceiptHandle }));

const Entries = [..."abc"].map((Id) => ({ Id, MessageBody: Id }));
const batch = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
assert.equal(batch.Successful.length, 3);
const got = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
assert.deepEqual(got.Messages.map(({ Body }) => Body), ["a", "b", "c"]);
await assert.rejects(sqs.send(new GetQueueUrlCommand({ QueueName: "none" })), QueueDoesNotExist);
