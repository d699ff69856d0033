// Each .jpg that is put into the uploads bucket gets a small copy, thumb-<key>, in the thumbnails bucket.

import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import jpeg from "jpeg-js";

import { shrink } from "./shrink.mjs";

const LONGER_SIDE = 160; // pixels
const QUALITY = 85; // percent
const DECODER_LIMITS = { maxResolutionInMP: 40, maxMemoryUsageInMB: 320 }; // fits a function of 512 MB

const s3 = new S3Client({});

export async function handler(event) {
  const thumbnails = [];
  for (const { s3: upload } of event.Records) {
    thumbnails.push(await thumbnail(upload.bucket.name, decodeKey(upload.object.key)));
  }
  return { thumbnails };
}

async function thumbnail(bucket, key) {
  const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const picture = decode(await object.Body.transformToByteArray(), key);
  const small = shrink(picture, LONGER_SIDE);
  const { data: body } = jpeg.encode(small, QUALITY);

  const target = { Bucket: process.env.THUMBNAILS_BUCKET, Key: `thumb-${key}` };
  await s3.send(new PutObjectCommand({ ...target, Body: body, ContentType: "image/jpeg" }));
  console.log(`${bucket}/${key} (${size(picture)}) -> ${target.Bucket}/${target.Key} (${size(small)})`);
  return { bucket: target.Bucket, key: target.Key, width: small.width, height: small.height, bytes: body.length };
}

function decode(bytes, key) {
  try {
    return jpeg.decode(bytes, { useTArray: true, ...DECODER_LIMITS });
  } catch (why) {
    throw new Error(`${key} is not a JPEG that can be read: ${why.message}`, { cause: why });
  }
}

// S3's events write a key as a form does: "my holiday+1.jpg" comes as "my+holiday%2B1.jpg".
function decodeKey(key) {
  return decodeURIComponent(key.replaceAll("+", " "));
}

function size({ width, height }) {
  return `${width}x${height}`;
}
