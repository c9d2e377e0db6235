"""Command line, records and report that the Python client programs share."""

import argparse
import json
import os
import sys
import time


def options():
    """Reads the command line: `produce` or `consume`, then flags."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["produce", "consume"])
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--records", help="file with one JSON record a line; bytes are hex")
    parser.add_argument("--codec", default="none")
    parser.add_argument("--acks", default="all", choices=["0", "1", "all"])
    parser.add_argument("--idempotent", action="store_true")
    parser.add_argument("--transactional-id")
    parser.add_argument("--batch", type=int, default=0, help="wait for the answers after so many records")
    parser.add_argument("--rate", type=int, default=0, help="records per second; 0: as fast as it goes")
    parser.add_argument("--gate", help="file: records behind the first wait until it is there")
    parser.add_argument("--tls-ca")
    parser.add_argument("--tls-identity", help="certificate and key that the client shows, one PEM file")
    parser.add_argument("--sasl-user")
    parser.add_argument("--sasl-password")
    parser.add_argument("--sasl-mechanism", default="PLAIN")
    parser.add_argument("--group")
    parser.add_argument("--count", type=int, default=0)
    return parser.parse_args()


def read(path):
    """Yields (id, key, value, headers) of each record."""
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            headers = [(name, unhex(value)) for name, value in record["headers"]]
            yield record["id"], unhex(record["key"]), unhex(record["value"]), headers


def unhex(text):
    return None if text is None else bytes.fromhex(text)


def linger_ms(options):
    """How long a client may wait for more records; with --batch long enough that all of them share a batch."""
    return 500 if options.batch else 5


class Pace:
    """When records leave: at the asked rate, which counts from the gate on."""

    def __init__(self, options):
        self.rate, self.gate, self.started = options.rate, options.gate, time.monotonic()

    def wait(self, index):
        """Seconds to wait before it is asked again whether record `index` may leave; 0 when it may."""
        if self.gate and index == 1:
            if not os.path.exists(self.gate):
                return 0.01
            self.gate, self.started = None, time.monotonic()
        return max(0.0, self.started + index / self.rate - time.monotonic()) if self.rate else 0.0


def acknowledged(identity, partition, offset):
    line({"id": identity, "partition": partition, "offset": offset})


def refused(identity, error):
    line({"id": identity, "error": str(error)})


def consumed(partition, offset, value):
    line({"partition": partition, "offset": offset, "value": None if value is None else value.hex()})


def done():
    """Without this line the run counts as broken."""
    line({"done": True})
    sys.stdout.flush()


def line(value):
    sys.stdout.write(json.dumps(value) + "\n")
