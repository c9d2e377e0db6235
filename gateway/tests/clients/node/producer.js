// kafkajs under the common command line of the client programs (producer only).
import { createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";

import kafkajs from "kafkajs";
import lz4 from "lz4-napi";
import snappy from "snappyjs";
import { ZstdCodec } from "zstd-codec";

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = kafkajs;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bootstrap: { type: "string" },
    topic: { type: "string" },
    records: { type: "string" },
    codec: { type: "string", default: "none" },
    acks: { type: "string", default: "all" },
    idempotent: { type: "boolean", default: false },
    "transactional-id": { type: "string" },
    batch: { type: "string", default: "0" },
    rate: { type: "string", default: "0" },
    "tls-ca": { type: "string" },
    "tls-identity": { type: "string" },
    "sasl-user": { type: "string" },
    "sasl-password": { type: "string" },
    "sasl-mechanism": { type: "string", default: "PLAIN" },
  },
});
if (positionals[0] !== "produce") {
  console.error("this program only produces");
  process.exit(2);
}

// kafkajs ships gzip only; the other codecs are the application's to register.
CompressionCodecs[CompressionTypes.Snappy] = () => ({
  compress: async ({ buffer }) => snappy.compress(buffer),
});
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async ({ buffer }) => lz4.compressFrame(buffer),
});
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async ({ buffer }) =>
    new Promise((resolve) =>
      ZstdCodec.run((zstd) => resolve(Buffer.from(new zstd.Simple().compress(buffer, 3)))),
    ),
});

// TLS settings, false for plain.
function tls() {
  if (!options["tls-ca"]) {
    return false;
  }
  const identity = options["tls-identity"] && readFileSync(options["tls-identity"]);
  return { ca: [readFileSync(options["tls-ca"])], cert: identity, key: identity };
}

const kafka = new Kafka({
  brokers: [options.bootstrap],
  clientId: "kafkajs",
  logLevel: logLevel.NOTHING,
  ssl: tls(),
  sasl: options["sasl-user"]
    ? {
        mechanism: options["sasl-mechanism"].toLowerCase(),
        username: options["sasl-user"],
        password: options["sasl-password"],
      }
    : undefined,
  // Enough for a broker that is away for a minute.
  retry: { retries: 30, maxRetryTime: 5000 },
});
const producer = kafka.producer({
  createPartitioner: Partitioners.DefaultPartitioner,
  idempotent: options.idempotent || options["transactional-id"] !== undefined,
  maxInFlightRequests: 1,
  transactionalId: options["transactional-id"],
  allowAutoTopicCreation: false,
});

const unhex = (text) => (text === null ? null : Buffer.from(text, "hex"));
const report = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// A header that repeats is an array of values to kafkajs.
function headersOf(pairs) {
  const headers = {};
  for (const [name, value] of pairs) {
    const bytes = unhex(value) ?? Buffer.alloc(0);
    headers[name] = name in headers ? [headers[name], bytes].flat() : bytes;
  }
  return headers;
}

async function* groups(size) {
  let group = [];
  for await (const line of createInterface({ input: createReadStream(options.records) })) {
    group.push(JSON.parse(line));
    if (group.length === size) {
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}

// kafkajs answers per send and partition with the first offset: the records of one partition follow it in order.
function reportAll(group, results, partitions) {
  const next = new Map(results.map((result) => [result.partition, BigInt(result.baseOffset ?? -1)]));
  group.forEach((record, index) => {
    const partition = partitions[index];
    const offset = next.get(partition) ?? -1n;
    if (offset >= 0n) next.set(partition, offset + 1n);
    report({ id: record.id, partition, offset: Number(offset) });
  });
}

async function send(sender, group, partition) {
  const partitions = group.map((record) => partition(record));
  const messages = group.map((record, index) => ({
    key: unhex(record.key),
    value: unhex(record.value),
    headers: headersOf(record.headers),
    partition: partitions[index],
  }));
  const settings = { acks: { 0: 0, 1: 1, all: -1 }[options.acks], compression: CompressionTypes[codec] };
  try {
    const results = await sender.send({ topic: options.topic, messages, ...settings });
    reportAll(group, results, partitions);
  } catch (error) {
    group.forEach((record) => report({ id: record.id, error: error.type ?? error.message }));
  }
}

const codec = { none: "None", gzip: "GZIP", snappy: "Snappy", lz4: "LZ4", zstd: "ZSTD" }[options.codec];
const admin = kafka.admin();
await admin.connect();
const topic = (await admin.fetchTopicMetadata({ topics: [options.topic] })).topics[0];
await admin.disconnect();
const partitionCount = topic.partitions.length;
// Its own choice of partition is not reported per record, so the program makes it: by key, else in turn.
let turn = 0;
const partition = ({ key }) =>
  key === null ? turn++ % partitionCount : Buffer.from(key, "hex").reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7) % partitionCount;

await producer.connect();
const rate = Number(options.rate);
const size = Number(options.batch) || (rate ? Math.max(1, Math.ceil(rate / 100)) : 100);
const sender = options["transactional-id"] ? await producer.transaction() : producer;
const started = Date.now();
let sent = 0;
for await (const group of groups(size)) {
  if (rate) await new Promise((resolve) => setTimeout(resolve, started + (sent * 1000) / rate - Date.now()));
  await send(sender, group, partition);
  sent += group.length;
}
if (options["transactional-id"]) await sender.commit();
await producer.disconnect();
report({ done: true });
