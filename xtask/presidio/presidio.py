"""Runs presidio-analyzer's pattern recognizers, for a comparison and as a server.

    make DIR SEED   labelled texts and prompts, from presidio-evaluator's templates and Faker's values
    run DIR         what Presidio finds in them, and how long it takes
    serve PORT      the analyzer's HTTP API around the same engine

No model is loaded: a blank tokenizer stands in for spaCy's pipelines, with each word as its own lemma, so that
Presidio's context words count.
"""

import hashlib
import json
import random
import sys
import time
from pathlib import Path

# Presidio's names and ours. What Presidio has no pattern for, or we report as no kind, is left out.
KINDS = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CARD",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP_ADDRESS",
    "URL": "URL",
    "DOMAIN_NAME": "URL",
    "CRYPTO": "CRYPTO_ADDRESS",
    "MAC_ADDRESS": "MAC_ADDRESS",
    "US_SSN": "US_SSN",
    "US_ITIN": "US_ITIN",
    "US_PASSPORT": "PASSPORT",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "US_BANK_NUMBER": "BANK_ACCOUNT",
    "US_MBI": "US_MBI",
    "US_NPI": "US_NPI",
    "MEDICAL_LICENSE": "US_DEA",
    "UK_NHS": "UK_NHS",
    "UK_NINO": "UK_NINO",
    "CA_SIN": "CA_SIN",
    "AU_ABN": "AU_ABN",
    "AU_TFN": "AU_TFN",
    "AU_MEDICARE": "AU_MEDICARE",
    "IN_PAN": "IN_PAN",
    "IN_AADHAAR": "IN_AADHAAR",
    "SG_NRIC_FIN": "SG_NRIC",
    "ES_NIF": "ES_NIF",
    "ES_NIE": "ES_NIF",
    "IT_FISCAL_CODE": "IT_FISCAL_CODE",
    "PL_PESEL": "PL_PESEL",
    "FI_PERSONAL_IDENTITY_CODE": "FI_HETU",
    "SE_PERSONNUMMER": "SE_PERSONNUMMER",
    "KR_RRN": "KR_RRN",
    "DE_TAX_ID": "DE_TAX_ID",
    "DE_SOCIAL_SECURITY": "DE_SOCIAL_INSURANCE",
    "DE_HEALTH_INSURANCE": "DE_HEALTH_INSURANCE",
}
# Labels of the templates that only names and places answer to: Presidio needs a model for them.
NAMED = {
    "PERSON": "PERSON",
    "ORGANIZATION": "ORGANISATION",
    "ZIP_CODE": "POSTAL_CODE",
}


def luhn(digits):
    """The check digit of ISO/IEC 7812-1."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        double = digit * 2 if at % 2 == 0 else digit
        total += double - 9 if double > 9 else double
    return -total % 10


def digits(count):
    return [random.randrange(10) for _ in range(count)]


def joined(numbers):
    return "".join(str(number) for number in numbers)


def weighted(count, weights, modulus):
    """Digits and a check digit, the weighted sum of both a multiple of the modulus."""
    while True:
        body = digits(count)
        check = -sum(a * b for a, b in zip(body, weights)) % modulus
        if check < 10 and body[0] != 0:
            return body + [check]


def nhs():
    text = joined(weighted(9, range(10, 1, -1), 11))
    return random.choice([text, f"{text[:3]} {text[3:6]} {text[6:]}"])


def nino():
    first, second = random.choice("ABCEGHJKLMNPRSTWXY"), random.choice("ABCEGHJKLMNPRSTWXYZ")
    if first + second in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"):
        return nino()
    text = joined(digits(6))
    last = random.choice("ABCD")
    spaced = f"{first}{second} {text[:2]} {text[2:4]} {text[4:]} {last}"
    return random.choice([f"{first}{second}{text}{last}", spaced])


def dea():
    """Two letters, six digits, and the last digit of (1st + 3rd + 5th) + 2 (2nd + 4th + 6th)."""
    body = digits(6)
    check = (sum(body[::2]) + 2 * sum(body[1::2])) % 10
    return random.choice("ABFGM") + random.choice("ABCDEFGHKLMNPRSTW") + joined(body) + str(check)


def npi():
    body = [random.choice([1, 2])] + digits(8)
    return joined(body) + str(luhn([8, 0, 8, 4, 0] + body))


def mbi():
    letters = "ACDEFGHJKMNPQRTUVWXY"
    shape = [
        str(random.randrange(1, 10)),
        random.choice(letters),
        random.choice(letters + "0123456789"),
        str(random.randrange(10)),
        random.choice(letters),
        random.choice(letters + "0123456789"),
        str(random.randrange(10)),
        random.choice(letters),
        random.choice(letters),
        str(random.randrange(10)),
        str(random.randrange(10)),
    ]
    text = "".join(shape)
    return random.choice([text, f"{text[:4]}-{text[4:7]}-{text[7:]}"])


def abn():
    """The ATO's weights over the digits, the first less one, modulo 89."""
    while True:
        text = digits(11)
        weights = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
        if sum(a * b for a, b in zip([text[0] - 1] + text[1:], weights)) % 89 == 0 and text[0]:
            text = joined(text)
            return random.choice([text, f"{text[:2]} {text[2:5]} {text[5:8]} {text[8:]}"])


def tfn():
    while True:
        text = digits(9)
        if sum(a * b for a, b in zip(text, (1, 4, 3, 7, 5, 8, 6, 9, 10))) % 11 == 0:
            text = joined(text)
            return random.choice([text, f"{text[:3]} {text[3:6]} {text[6:]}"])


def medicare():
    body = [random.randrange(2, 7)] + digits(7)
    check = sum(a * b for a, b in zip(body, (1, 3, 7, 9, 1, 3, 7, 9))) % 10
    text = joined(body) + str(check) + str(random.randrange(1, 10))
    return random.choice([text, f"{text[:4]} {text[4:9]} {text[9]}"])


def pan():
    letters = "".join(random.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(3))
    return f"{letters}{random.choice('PCHABGJLFT')}{random.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}{joined(digits(4))}{random.choice('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}"


def nric():
    first = random.choice("STFG")
    body = digits(7)
    total = sum(a * b for a, b in zip(body, (2, 7, 6, 5, 4, 3, 2))) + (4 if first in "TG" else 0)
    last = ("JZIHGFEDCBA" if first in "ST" else "XWUTRQPNMLK")[total % 11]
    return f"{first}{joined(body)}{last}"


def bitcoin():
    """Base58Check of a hash that nobody has a key for."""
    payload = b"\0" + bytes(random.randrange(256) for _ in range(20))
    payload += hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(payload, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = alphabet[rest] + text
    return "1" * (len(payload) - len(payload.lstrip(b"\0"))) + text


def de_tax_id():
    while True:
        body = [random.randrange(1, 10)] + digits(9)
        counts = sorted(body.count(digit) for digit in set(body))
        # One digit two or three times, not three in a row, the others at most once.
        if counts[-1] not in (2, 3) or (len(counts) > 1 and counts[-2] != 1):
            continue
        if any(body[i] == body[i + 1] == body[i + 2] for i in range(8)):
            continue
        product = 10
        for digit in body:
            total = (digit + product) % 10 or 10
            product = total * 2 % 11
        return joined(body) + str((11 - product) % 10)


def kvnr():
    """A letter and eight digits; the letter counts as two, every other digit twice by its cross sum (SGB V, section 290)."""
    letter, body = random.randrange(26), digits(8)
    spelled = [(letter + 1) // 10, (letter + 1) % 10] + body
    total = sum(sum(divmod(digit * (1 + at % 2), 10)) for at, digit in enumerate(spelled))
    return chr(ord("A") + letter) + joined(body) + str(total % 10)


def carriers():
    """Presidio's name, the locale of the text, and where the values come from: Faker where it has them."""
    faked = [
        ("EMAIL_ADDRESS", ["en_US", "de_DE", "fr_FR"], "email"),
        ("CREDIT_CARD", ["en_US", "en_GB"], "credit_card_number"),
        ("IBAN_CODE", ["de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "en_GB", "pl_PL"], "iban"),
        ("IP_ADDRESS", ["en_US"], "ipv4"),
        ("IP_ADDRESS", ["en_US"], "ipv6"),
        ("URL", ["en_US", "de_DE"], "url"),
        ("URL", ["en_US", "fr_FR"], "uri"),
        ("MAC_ADDRESS", ["en_US"], "mac_address"),
        ("PHONE_NUMBER", ["en_US", "en_GB", "de_DE", "fr_FR", "en_IN", "pt_BR"], "phone_number"),
        ("US_SSN", ["en_US"], "ssn"),
        ("US_ITIN", ["en_US"], "itin"),
        ("US_PASSPORT", ["en_US"], "passport_number"),
        ("CA_SIN", ["en_CA"], "ssn"),
        ("IN_AADHAAR", ["en_IN"], "aadhaar_id"),
        ("ES_NIF", ["es_ES"], "nif"),
        ("ES_NIE", ["es_ES"], "nie"),
        ("IT_FISCAL_CODE", ["it_IT"], "ssn"),
        ("PL_PESEL", ["pl_PL"], "pesel"),
        ("FI_PERSONAL_IDENTITY_CODE", ["fi_FI"], "ssn"),
        ("SE_PERSONNUMMER", ["sv_SE"], "ssn"),
        ("KR_RRN", ["ko_KR"], "ssn"),
        ("DE_SOCIAL_SECURITY", ["de_DE"], "rvnr"),
    ]
    made = [
        ("UK_NHS", "en_GB", nhs),
        ("UK_NINO", "en_GB", nino),
        ("MEDICAL_LICENSE", "en_US", dea),
        ("US_NPI", "en_US", npi),
        ("US_MBI", "en_US", mbi),
        ("AU_ABN", "en_AU", abn),
        ("AU_TFN", "en_AU", tfn),
        ("AU_MEDICARE", "en_AU", medicare),
        ("IN_PAN", "en_IN", pan),
        ("SG_NRIC_FIN", "en_US", nric),
        ("CRYPTO", "en_US", bitcoin),
        ("DE_TAX_ID", "de_DE", de_tax_id),
        ("DE_HEALTH_INSURANCE", "de_DE", kvnr),
        ("US_BANK_NUMBER", "en_US", lambda: joined(digits(random.randrange(8, 18)))),
    ]
    return faked, made


def recognizers():
    """Every pattern recognizer of the package, whatever country and language it is meant for."""
    import presidio_analyzer.predefined_recognizers as predefined
    from presidio_analyzer import PatternRecognizer
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    found = {}
    for name in sorted(dir(predefined)):
        item = getattr(predefined, name)
        if not isinstance(item, type) or not issubclass(item, (PatternRecognizer, PhoneRecognizer)):
            continue
        if item is PatternRecognizer:
            continue
        try:
            found[name] = item(supported_language="en")
        except TypeError:
            continue
    return list(found.values())


def contexts():
    words = {}
    for recognizer in recognizers():
        for entity in recognizer.supported_entities:
            words.setdefault(entity, []).extend(recognizer.context or [])
    return words


def engine():
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from spacy.language import Language

    @Language.component("words_as_lemmas")
    def words_as_lemmas(doc):
        for token in doc:
            token.lemma_ = token.lower_
        return doc

    class Blank(SpacyNlpEngine):
        """A tokenizer and nothing else."""

        def __init__(self):
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            nlp = spacy.blank("en")
            nlp.add_pipe("words_as_lemmas")
            nlp.max_length = 10_000_000
            self.nlp = {"en": nlp}

        def load(self):
            pass

    # The list of suffixes that comes with the package; it would fetch a newer one.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    registry = RecognizerRegistry(recognizers=recognizers(), supported_languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])


def example(text, spans, lang):
    """A line of a gold file: positions in bytes."""
    entities = [
        {"start": len(text[:start].encode()), "end": len(text[:end].encode()), "entity_type": kind}
        for start, end, kind in spans
    ]
    return {"text": text, "entities": entities, "lang": lang}


def templates(seed, count):
    """Sentences of presidio-evaluator's own generator, with its labels."""
    from presidio_evaluator.data_generator import PresidioSentenceFaker
    from presidio_evaluator.data_generator.faker_extensions import providers

    # It would ask Wikidata for hospitals.
    providers.HospitalProvider.load_wiki_hospitals = lambda self: self.default_list
    faker = PresidioSentenceFaker(locale="en_US", lower_case_ratio=0.05, random_seed=seed)
    faker.seed(seed)
    names = {**KINDS, **NAMED}
    for sample in faker.generate_new_fake_sentences(num_samples=count):
        spans = [
            (span.start_position, span.end_position, names[span.entity_type])
            for span in sample.spans
            if span.entity_type in names and span.entity_value.strip()
        ]
        yield example(sample.full_text, spans, "en")


def carried(seed, each):
    """Values in Faker's running text; before every other one a context word of Presidio's recognizer for it."""
    from faker import Faker

    words = contexts()
    fakes = {}

    def fake(locale):
        if locale not in fakes:
            fakes[locale] = Faker(locale)
            fakes[locale].seed_instance(seed)
        return fakes[locale]

    def sentence(entity, locale, value, with_word):
        head = fake(locale).sentence()
        lead = random.choice(words[entity]) + " " if with_word and words.get(entity) else ""
        before = f"{head} {lead}"
        text = f"{before}{value} {fake(locale).sentence()}"
        return example(text, [(len(before), len(before) + len(value), KINDS[entity])], locale[:2])

    faked, made = carriers()
    for entity, locales, method in faked:
        for at in range(each):
            locale = locales[at % len(locales)]
            maker = getattr(fake(locale), method, None)
            if maker is None:
                print(f"no {method} in Faker's {locale}: {entity} is left out there", file=sys.stderr)
                continue
            yield sentence(entity, locale, str(maker()), at // len(locales) % 2 == 0)
    for entity, locale, maker in made:
        for at in range(each):
            yield sentence(entity, locale, maker(), at % 2 == 0)


def prose(seed):
    """Faker's running text in English, in which next to nothing is to be found."""
    from faker import Faker

    fake = Faker("en_US")
    fake.seed_instance(seed)
    while True:
        yield fake.paragraph(nb_sentences=5)


def prompts(texts):
    """Forty prompts of 4 KB."""
    made, prompt = [], ""
    for text in texts:
        prompt += text + "\n"
        if len(prompt.encode()) >= 4096:
            made.append({"text": prompt.encode()[:4096].decode(errors="ignore")})
            prompt = ""
        if len(made) == 40:
            break
    return made


def make(folder, seed):
    random.seed(seed)
    sentences = list(templates(seed, 1500))
    gold = sentences + list(carried(seed, 60))
    write(folder / "gold.jsonl", gold)
    dense = [line["text"] for line in gold]
    random.shuffle(dense)
    for name, texts in [
        ("prose", prose(seed)),
        ("templates", [line["text"] for line in sentences]),
        ("labelled", dense),
    ]:
        write(folder / f"prompts-{name}.jsonl", prompts(texts))


def write(path, lines):
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(folder):
    analyzer = engine()
    found = []
    for line in read(folder / "gold.jsonl"):
        text = line["text"]
        results = analyzer.analyze(text=text, language="en", score_threshold=0)
        spans = [
            (result.start, result.end, KINDS[result.entity_type], result.score)
            for result in results
            if result.entity_type in KINDS
        ]
        findings = [
            {
                "start": len(text[:start].encode()),
                "end": len(text[:end].encode()),
                "entity_type": kind,
                "score": int(score * 100 + 0.5),
            }
            for start, end, kind, score in sorted(spans)
        ]
        found.append({"findings": findings})
    write(folder / "presidio.jsonl", found)

    sets = [timed(analyzer, folder, name) for name in ("prose", "templates", "labelled")]
    timing = {
        "version": version(),
        "recognizers": len(analyzer.registry.recognizers),
        "kinds": sorted(set(KINDS.values())),
        "sets": sets,
    }
    (folder / "presidio.json").write_text(json.dumps(timing))


def timed(analyzer, folder, name):
    """The processor's time for a set of prompts, the smallest of three."""
    prompts = [line["text"] for line in read(folder / f"prompts-{name}.jsonl")]
    analyzer.analyze(text=prompts[0], language="en")
    whole = alone = None
    for _ in range(3):
        began = time.process_time()
        for prompt in prompts:
            analyzer.analyze(text=prompt, language="en")
        took = time.process_time() - began
        whole = took if whole is None else min(whole, took)
        # Without tokenizer and context words: nothing but the recognizers.
        artifacts = [analyzer.nlp_engine.process_text(prompt, "en") for prompt in prompts]
        began = time.process_time()
        for prompt, artifact in zip(prompts, artifacts):
            for recognizer in analyzer.registry.recognizers:
                recognizer.analyze(prompt, recognizer.supported_entities, artifact)
        took = time.process_time() - began
        alone = took if alone is None else min(alone, took)
    return {
        "name": name,
        "bytes": sum(len(prompt.encode()) for prompt in prompts),
        "analyze_us": int(whole * 1e6),
        "recognizers_us": int(alone * 1e6),
    }


def version():
    from importlib.metadata import version as of

    return of("presidio-analyzer")


def serve(port):
    """The routes that the analyzer's own server has, as far as a client asks for findings."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    analyzer = engine()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(200, "Presidio Analyzer service is up")

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            results = analyzer.analyze(
                text=asked["text"],
                language=asked["language"],
                entities=asked.get("entities"),
                score_threshold=asked.get("score_threshold"),
            )
            self.answer(200, [
                {"entity_type": r.entity_type, "start": r.start, "end": r.end, "score": r.score}
                for r in results
            ])

        def answer(self, status, value):
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"listening on {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    if command == "make":
        make(Path(arguments[0]), int(arguments[1]))
    elif command == "run":
        run(Path(arguments[0]))
    elif command == "serve":
        serve(int(arguments[0]))
    else:
        sys.exit(__doc__)
