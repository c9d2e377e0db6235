"""Precision and recall of each type, for each scanner, over the same labelled records.

    judge.py RECORDS NAME=FINDINGS...

FINDINGS has one line a record: what `gateway scan` or a rival of this folder printed. A finding is right when it overlaps a
truth of its type. Only types that a scanner knows are counted for it. With RIVALS_MISTAKES=NAME its mistakes are listed, too.
"""

import json
import os
import sys
from collections import Counter

# What rivals call the types; the gateway's own names need no translation.
NAMES = {
    "CREDIT_CARD": "credit_card", "IBAN_CODE": "iban", "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "US_SSN": "us_ssn",
    "US_ITIN": "us_itin", "ABA_ROUTING": "us_aba_routing", "ABA_ROUTING_NUMBER": "us_aba_routing", "UK_NHS": "uk_nhs",
    "UK_NINO": "uk_nino", "AU_TFN": "au_tfn", "AU_ABN": "au_abn", "AU_ACN": "au_acn", "AU_MEDICARE": "au_medicare",
    "IN_AADHAAR": "in_aadhaar", "IN_PAN": "in_pan", "IT_FISCAL_CODE": "it_fiscal_code", "IT_VAT_CODE": "it_vat",
    "ES_NIF": "es_dni", "ES_NIE": "es_nie", "SG_NRIC_FIN": "sg_nric", "SG_FIN": "sg_nric", "BR_CPF": "br_cpf",
    "BR_CNPJ": "br_cnpj", "PL_PESEL": "pl_pesel", "KR_RRN": "kr_rrn", "FI_PERSONAL_IDENTITY_CODE": "fi_hetu", "TH_TNIN": "th_id",
    "CN_ID_CARD": "cn_resident_id", "IP_ADDRESS": "ip",
}  # fmt: skip
SAME = {"ipv4": "ip", "ipv6": "ip"}
TYPES = sorted(set(NAMES.values()))


def findings(line):
    """Findings of one record as (type, start, end)."""
    found = json.loads(line)
    found = found["findings"] if isinstance(found, dict) else found
    for each in found:
        name = each.get("detector") or each["type"]
        name = SAME.get(name, NAMES.get(name, name))
        if name in TYPES:
            yield name, each["start"], each["end"]


def overlap(one, other):
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def judge(name, records, lines):
    """Counts by (type, outcome)."""
    counts = Counter()
    for record, line in zip(records, lines, strict=True):
        truth = [(SAME.get(t["type"], t["type"]), t["start"], t["end"]) for t in record["truth"]]
        found = list(findings(line))
        missed = [t for t in truth if not any(overlap(t, f) for f in found)]
        wrong = [f for f in found if not any(overlap(t, f) for t in truth)]
        for kind, mistakes in (("missed", missed), ("wrong", wrong)):
            for mistake in mistakes:
                counts[mistake[0], kind] += 1
                if os.environ.get("RIVALS_MISTAKES") == name:
                    text = record["payload"].encode()[mistake[1] : mistake[2]].decode(errors="replace")
                    print(f"{kind} {mistake[0]} [{text}] in {record['payload']}", file=sys.stderr)
        counts.update((t[0], "found") for t in truth if t not in missed)
    return counts


def percent(part, whole):
    return f"{100 * part / whole:.1f}" if whole else "-"


def row(counts, kind):
    found, missed, wrong = (counts[kind, outcome] for outcome in ("found", "missed", "wrong"))
    if not found + wrong:
        return "- | -"
    return f"{percent(found, found + wrong)} | {percent(found, found + missed)}"


def main():
    with open(sys.argv[1]) as file:
        records = [json.loads(line) for line in file]
    scanners = {}
    for argument in sys.argv[2:]:
        name, path = argument.split("=", 1)
        with open(path) as file:
            scanners[name] = judge(name, records, file.readlines())
    print("| type | values | " + " | ".join(f"{name} precision | recall" for name in scanners) + " |")
    print("|---" * (2 + 2 * len(scanners)) + "|")
    for kind in TYPES:
        one = next(iter(scanners.values()))
        values = one[kind, "found"] + one[kind, "missed"]
        print(f"| {kind} | {values} | " + " | ".join(row(counts, kind) for counts in scanners.values()) + " |")


main()
