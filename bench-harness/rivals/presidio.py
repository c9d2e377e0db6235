"""Reads labelled records from stdin and writes, for each, what Presidio finds: everything, or with the argument `six` what
is of six types. The last line of stderr has the CPU time.

All recognizers that the analyzer ships, of every country, at its default threshold. In place of a language model stands
a tokenizer whose lemmas are the lower-case words: patterns, checks and context words are the rival here, not names.
"""

import json
import sys
import time

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_analyzer.pattern_recognizer import PatternRecognizer

SIX_TYPES = ["CREDIT_CARD", "US_SSN", "EMAIL_ADDRESS", "IBAN_CODE", "PHONE_NUMBER", "IP_ADDRESS"]


class Tokens(SpacyNlpEngine):
    def __init__(self):
        super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])

    def load(self):
        language = spacy.blank("en")

        @spacy.Language.component("lower_case_lemmas")
        def lower_case_lemmas(doc):
            for token in doc:
                token.lemma_ = token.lower_
            return doc

        language.add_pipe("lower_case_lemmas")
        self.nlp = {"en": language}


def registry():
    chosen = RecognizerRegistry()
    for name in predefined_recognizers.__all__:
        kind = getattr(predefined_recognizers, name)
        if name == "PhoneRecognizer" or (isinstance(kind, type) and issubclass(kind, PatternRecognizer)):
            chosen.add_recognizer(kind(supported_language="en"))
    return chosen


def main():
    engine = Tokens()
    engine.load()
    analyzer = AnalyzerEngine(registry=registry(), nlp_engine=engine, supported_languages=["en"])
    types = sys.argv[1] if len(sys.argv) > 1 else "all"
    entities = SIX_TYPES if types == "six" else None
    total, spent = 0, 0.0
    for line in sys.stdin:
        payload = json.loads(line)["payload"]
        start = time.thread_time()
        results = analyzer.analyze(payload, language="en", entities=entities)
        spent += time.thread_time() - start
        offset = lambda at: len(payload[:at].encode())  # noqa: E731
        total += offset(len(payload))
        print(json.dumps([{"type": r.entity_type, "start": offset(r.start), "end": offset(r.end)} for r in results]))
    print(f"presidio\t{types}\t{spent * 1e9 / total:.3f}", file=sys.stderr)


main()
