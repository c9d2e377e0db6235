"""Labelled records: templates of presidio-evaluator and of this folder, filled with generated values.

    records.py COUNT SEED > records.jsonl

One JSON object a line: `payload`, and `truth`, a list of {type, start, end} with offsets in UTF-8 bytes.
Types that no rival knows (names, places) are filled in, but are no truth.
"""

import importlib
import json
import random
import re
import sys
from pathlib import Path

import stdnum.luhn
from faker import Faker
from presidio_evaluator.data_generator import raw_data_dir
from presidio_evaluator.data_generator.faker_extensions.providers import (
    AddressProviderNew,
    AgeProvider,
    IpAddressProvider,
    NationalityProvider,
    OrganizationProvider,
    PhoneNumberProviderNew,
    UsDriverLicenseProvider,
)

FIELD = re.compile(r"{{\s*(\w+)\s*}}")
OWN_TEMPLATES = Path(__file__).with_name("templates.txt")

# Field of a template -> type of the finding that it must give.
TRUTH = {"credit_card_number": "credit_card", "phone_number": "phone", "ssn": "us_ssn"} | {
    name: name
    for name in (
        "credit_card iban email phone ipv4 ipv6 us_ssn us_itin us_aba_routing uk_nhs uk_nino au_tfn au_abn au_acn "
        "au_medicare in_aadhaar in_pan it_fiscal_code it_vat es_dni es_nie sg_nric br_cpf br_cnpj pl_pesel kr_rrn "
        "fi_hetu th_id cn_resident_id"
    ).split()
}

# Numbers drawn at random until the public validator of python-stdnum accepts one: module, form.
DRAWN = {
    "au_tfn": ("au.tfn", "### ### ###"),
    "au_abn": ("au.abn", "## ### ### ###"),
    "au_acn": ("au.acn", "### ### ###"),
    "uk_nhs": ("gb.nhs", "### ### ####"),
    "in_aadhaar": ("in_.aadhaar", "#### #### ####"),
    "it_vat": ("it.iva", "###########"),
    "br_cnpj": ("br.cnpj", "##.###.###/####-##"),
    "es_dni": ("es.dni", "########?"),
    "es_nie": ("es.nie", "X#######?"),
    "pl_pesel": ("pl.pesel", "###########"),
    "th_id": ("th.pin", "#-####-#####-##-#"),
}

# Values that the templates' own generators make, and locales that have the real form.
FAKED = {
    "it_fiscal_code": ("it_IT", "ssn"),
    "fi_hetu": ("fi_FI", "ssn"),
    "kr_rrn": ("ko_KR", "ssn"),
    "cn_resident_id": ("zh_CN", "ssn"),
    "br_cpf": ("pt_BR", "cpf"),
    "us_aba_routing": ("en_US", "aba"),
    "us_itin": ("en_US", "itin"),
    "us_ssn": ("en_US", "ssn"),
}

# Prefix and count of digits of each network.
CARDS = [
    ("4", 13), ("4", 16), ("4", 19), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16),
    ("65", 16), ("644", 16), ("3528", 16), ("3589", 16), ("300", 14), ("36", 14), ("38", 14), ("62", 16), ("62", 19),
]  # fmt: skip

# How subscribers of twenty countries write their numbers; every one with what makes it a phone number.
PHONES = (
    "+1 415 5## 2###|(212) 5##-4###|646-5##-3###|+44 20 7946 0###|+44 (0)161 496 0###|+49 30 901820##|+49 (0)89 1234##56|"
    "+33 1 42 68 53 ##|+33 6 12 34 ## 78|+34 912 34# ###|+39 06 6982 ####|+31 20 555 1###|+32 2 512 ## 43|+41 44 668 18 ##|"
    "+43 1 514 ## 45|+46 8 506 ## 300|+47 22 12 ## 78|+45 33 12 ## 78|+358 9 1234 5##|+48 22 123 4# 67|+351 21 123 4###|"
    "+61 2 9374 4###|+64 9 303 4###|+81 3-3580-3###|+82 2-2100-2###|+86 10 6552 9###|+91 22 2778 2###|+91-98201-4####|"
    "+55 11 3071-4###|+55 (11) 98765-4###|+52 55 5080 2###|+27 11 535 8###|+972 3-607-5###|+971 4 366 5###|+65 6225 5###"
).split("|")


class Values:
    """Every value that a template can ask for, from one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        random.seed(seed)  # UsDriverLicenseProvider draws from the global generator.
        Faker.seed(seed)
        self.faker = Faker("en_US")
        for provider in (
            NationalityProvider, OrganizationProvider, UsDriverLicenseProvider, IpAddressProvider, AddressProviderNew,
            PhoneNumberProviderNew, AgeProvider,
        ):  # fmt: skip
            self.faker.add_provider(provider)
        self.locales = {locale: Faker(locale) for locale, _ in FAKED.values()}

    def value(self, field):
        if field in DRAWN:
            return self.drawn(*DRAWN[field])
        if field in FAKED:
            locale, name = FAKED[field]
            return str(getattr(self.locales[locale], name)())
        own = getattr(self, field, None)
        return str(own() if own else getattr(self.faker, ALIASES.get(field, field))())

    def filled(self, form):
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        digits = re.sub("#", lambda _: str(self.random.randrange(10)), form)
        return re.sub(r"\?", lambda _: self.random.choice(letters), digits)

    def drawn(self, module, form):
        valid = importlib.import_module(f"stdnum.{module}").is_valid
        form = re.sub(r"[^#?\w]", "", form) if self.random.random() < 0.4 else form
        while not valid(value := self.filled(form)):
            pass
        return value

    def credit_card(self):
        prefix, count = self.random.choice(CARDS)
        body = prefix + self.filled("#" * (count - len(prefix) - 1))
        digits = body + stdnum.luhn.calc_check_digit(body)
        groups = (4, 6, 5) if count == 15 else (4, 6, 4) if count == 14 else (4, 4, 4, 4, 3)
        if count == 13 or self.random.random() < 0.4:
            return digits
        parts = [digits[sum(groups[:at]) : sum(groups[: at + 1])] for at in range(len(groups))]
        return self.random.choice(" -").join(filter(None, parts))

    def phone(self):
        return self.filled(self.random.choice(PHONES))

    def iban(self):
        value = Faker(self.random.choice(["de_DE", "en_GB", "fr_FR", "it_IT", "es_ES", "nl_NL", "pl_PL"])).iban()
        return " ".join(re.findall(".{1,4}", value)) if self.random.random() < 0.5 else value

    def ipv4(self):
        return self.faker.ipv4()

    def ip_address(self):
        return self.faker.ip_address()

    def uk_nino(self):
        first, last = self.random.choice(["AB", "CE", "JG", "NP", "WP"]), self.random.choice("ABCD")
        return self.filled(first + self.random.choice(["######", " ## ## ## "])) + last

    def in_pan(self):
        return self.filled("???") + self.random.choice("ABCFGHJLPT") + self.filled("?####?")

    def sg_nric(self):
        first, digits = self.random.choice("STFG"), self.filled("#######")
        total = sum(int(d) * w for d, w in zip(digits, (2, 7, 6, 5, 4, 3, 2))) + (4 if first in "TG" else 0)
        return first + digits + ("JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK")[total % 11]

    def au_medicare(self):
        body = self.random.choice("23456") + self.filled("#######")
        check = sum(int(d) * w for d, w in zip(body, (1, 3, 7, 9, 1, 3, 7, 9))) % 10
        return f"{body[:4]} {body[4:]}{check} {self.random.randrange(1, 10)}"

    # What looks like something and is nothing.

    def millis(self):
        return 1_600_000_000_000 + self.random.randrange(10**11)

    def digits(self):
        return self.filled("#" * self.random.randrange(6, 11))

    def tracking(self):
        return self.filled("1Z???########") + self.filled("###")

    def version(self):
        return self.filled("#.1#.#")

    def hex(self):
        return self.faker.sha256()

    def uuid(self):
        return self.faker.uuid4()

    def base64(self):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(self.random.choices(alphabet, k=48))

    def order(self):
        return "ORD-" + self.filled("##########")

    def decimal(self):
        return self.random.random() * 180


# Fields of presidio-evaluator's templates that Faker has under another name, or whose provider answers nothing (`country`).
ALIASES = {"person": "name", "birthday": "date_of_birth", "zipcode": "postcode", "country": "country_code"}


def fill(template, values):
    """The record, and the spans of what was filled in and is truth. `\\xNN` in a template is that byte."""
    template = re.sub(r"\\x([0-9a-f]{2})", lambda byte: chr(int(byte[1], 16)), template)
    payload, truth, last = b"", [], 0
    for field in FIELD.finditer(template):
        payload += template[last : field.start()].encode()
        value = values.value(field[1].lower())
        kind = TRUTH.get(field[1].lower())
        if field[1].lower() == "ip_address":
            kind = "ipv6" if ":" in value else "ipv4"
        if kind:
            truth.append({"type": kind, "start": len(payload), "end": len(payload) + len(value.encode())})
        payload += value.replace("\n", " ").encode()
        last = field.end()
    return (payload + template[last:].encode()).decode(), truth


def templates(path):
    lines = path.read_text(errors="replace").splitlines()
    return [line for line in lines if line and not line.startswith("# ")]


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    values = Values(seed)
    sets = [templates(raw_data_dir / "templates.txt"), templates(OWN_TEMPLATES)]
    for index in range(count):
        payload, truth = fill(values.random.choice(sets[index % 2]), values)
        print(json.dumps({"payload": payload, "truth": truth}, ensure_ascii=False))


main()
