"""librdkafka (confluent-kafka) under the common command line of the client programs."""

import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer

import common


def settings(options):
    all_settings = {"bootstrap.servers": options.bootstrap, "client.id": "librdkafka"}
    if options.tls_ca:
        all_settings["ssl.ca.location"] = options.tls_ca
    if options.tls_identity:
        all_settings["ssl.certificate.location"] = options.tls_identity
        all_settings["ssl.key.location"] = options.tls_identity
    if options.sasl_user:
        all_settings["sasl.mechanisms"] = options.sasl_mechanism
        all_settings["sasl.username"] = options.sasl_user
        all_settings["sasl.password"] = options.sasl_password
    protocol = ("SASL_" if options.sasl_user else "") + ("SSL" if options.tls_ca else "PLAINTEXT")
    all_settings["security.protocol"] = protocol if protocol != "PLAINTEXT" else "plaintext"
    return all_settings


def produce(options):
    producer = Producer(
        settings(options)
        | {
            "compression.codec": options.codec,
            "acks": options.acks,
            "enable.idempotence": options.idempotent or bool(options.transactional_id),
            "linger.ms": common.linger_ms(options),
            # More than one in flight reorders the retries of a producer that is not idempotent.
            "max.in.flight": 5 if options.idempotent or options.transactional_id else 1,
            **({"transactional.id": options.transactional_id} if options.transactional_id else {}),
        }
    )
    if options.transactional_id:
        producer.init_transactions(60)
        producer.begin_transaction()

    def report(identity):
        def answered(error, message):
            if error is None:
                common.acknowledged(identity, message.partition(), message.offset())
            else:
                common.refused(identity, error.name())

        return answered

    pace = common.Pace(options)
    for index, (identity, key, value, headers) in enumerate(common.read(options.records)):
        while wait := pace.wait(index):
            producer.poll(wait)
        producer.poll(0)
        while True:
            try:
                producer.produce(
                    options.topic, key=key, value=value, headers=headers, on_delivery=report(identity)
                )
                break
            except BufferError:
                producer.poll(0.1)
        if options.batch and (index + 1) % options.batch == 0:
            producer.flush()
    producer.flush()
    if options.transactional_id:
        producer.commit_transaction(60)


def consume(options):
    consumer = Consumer(
        settings(options) | {"group.id": options.group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([options.topic])
    deadline = time.monotonic() + 60
    seen = 0
    while seen < options.count:
        if time.monotonic() > deadline:
            sys.exit(f"{seen} of {options.count} records after 60 s")
        message = consumer.poll(1)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        common.consumed(message.partition(), message.offset(), message.value())
        seen += 1
    consumer.commit(asynchronous=False)
    consumer.close()


def main():
    options = common.options()
    consume(options) if options.mode == "consume" else produce(options)
    common.done()


main()
