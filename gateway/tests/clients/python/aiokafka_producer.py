"""aiokafka under the common command line of the client programs (producer only)."""

import asyncio
import ssl
import sys

from aiokafka import AIOKafkaProducer

import common


def settings(options):
    acks = {"0": 0, "1": 1, "all": "all"}[options.acks]
    all_settings = {
        "bootstrap_servers": options.bootstrap,
        "client_id": "aiokafka",
        "compression_type": None if options.codec == "none" else options.codec,
        "acks": acks,
        "enable_idempotence": options.idempotent,
        "linger_ms": common.linger_ms(options),
        "transactional_id": options.transactional_id,
    }
    if options.tls_ca:
        context = ssl.create_default_context(cafile=options.tls_ca)
        if options.tls_identity:
            context.load_cert_chain(options.tls_identity)
        all_settings["ssl_context"] = context
    if options.sasl_user:
        all_settings["sasl_mechanism"] = options.sasl_mechanism
        all_settings["sasl_plain_username"] = options.sasl_user
        all_settings["sasl_plain_password"] = options.sasl_password
    protocol = ("SASL_" if options.sasl_user else "") + ("SSL" if options.tls_ca else "PLAINTEXT")
    return all_settings | {"security_protocol": protocol}


async def produce(options):
    producer = AIOKafkaProducer(**settings(options))
    await producer.start()
    try:
        if options.transactional_id:
            async with producer.transaction():
                await send_all(producer, options)
        else:
            await send_all(producer, options)
    finally:
        await producer.stop()


async def send_all(producer, options):
    waiting = []
    pace = common.Pace(options)
    for index, (identity, key, value, headers) in enumerate(common.read(options.records)):
        while wait := pace.wait(index):
            await asyncio.sleep(wait)
        answer = await producer.send(options.topic, key=key, value=value, headers=headers)
        waiting.append((identity, answer))
        if options.batch and (index + 1) % options.batch == 0:
            await report(waiting)
            waiting = []
    await report(waiting)


async def report(waiting):
    for identity, answer in waiting:
        try:
            sent = await answer
        except Exception as error:  # whatever aiokafka raises is what the record got
            common.refused(identity, error)
        else:
            # With acks=0 aiokafka has no answer to give.
            common.acknowledged(identity, sent.partition if sent else -1, sent.offset if sent else -1)


def main():
    options = common.options()
    if options.mode == "consume":
        sys.exit("this program only produces")
    asyncio.run(produce(options))
    common.done()


main()
