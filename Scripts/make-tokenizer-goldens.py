"""Makes Tests/GraftTokenizersTests/Fixtures: small tokenizers, and what the tokenizers library does with them.

    python Scripts/make-tokenizer-goldens.py

Needs `tokenizers` (0.23) and `sentencepiece` with `protobuf`. Every fixture is a folder with a `tokenizer.json` and
`goldens.json`: texts, some with a pair, their ids, types and masks with special tokens, ids without, and decoded text.
"""

import json
import tempfile
from base64 import b64encode
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

OUTPUT = Path(__file__).resolve().parent.parent / "Tests/GraftTokenizersTests/Fixtures"

CORPUS = """
The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs!
She sells sea shells by the sea shore; the shells she sells are surely seashells.
It's what they're saying, isn't it? We've said I'd go, and they'll see that I'm right.
In 2024 there were 12,345 apples, 6.5 pears and 100% of 1/2 a melon for $9.99.
def add(left, right):\n    return left + right  # the sum of both
naïve café, résumé, façade, Ångström, Übung, straße, señor, fünf
Привет, мир! Ёлка и ёж. Γειά σου Κόσμε. שלום עולם. مرحبا بالعالم
你好,世界! 今日は、カタカナ。 안녕하세요 세계 नमस्ते दुनिया สวัสดี
the theme of the thesis is there, then the other weather; whether the leather gathers
water later matters better than letters; a matter of utter butter
""".strip().split("\n") * 4

TEXTS = [
    "", " ", "  ", "\n", "a", " a", "a ", "  two  spaces  ", "The quick brown fox.", "THE QUICK", "don't I'LL they've",
    "12345 6.5%", "tabs\tand\r\nlines\n\n\n  end  ", "naïve café", "nai\u0308ve cafe\u0301", "\u212b A\u030a q\u0323\u0307 q\u0307\u0323",
    "ﬁ ½ ² ㎏ ℌ Ⅷ ① ｆｕｌｌ", "İstanbul ΟΔΥΣΣΕΥΣ ẞ ǆ", "Привет, мир", "你好,世界! 𠮷", "カタカナ ガ \u30ab\u3099", "한글 \u1112\u1161\u11ab\u1100\u1173\u11af", "नमस्ते १२३", "שָׁלוֹם",
    "😀 👨‍👩‍👧 🏳️‍🌈 🇩🇪", "zero\u200bwidth\u200djoiner\ufeffbom\u00adsoft", "nbsp\u00a0thin\u2009ideographic\u3000", "\u0000\u0001\u007f\u0085\ufffd",
    "▁meta▁ Ġbyte ##piece </w>", "<s>text</s> <unk>", "a<mask>b <mask>  c", " <mask> ", "the[X]the [X] xthe", "word wordy sword word",
    "the water and the weather matter to the other leather gatherers, whatever they gather 12345 times; the letters utter",
    "x" * 120, "abababab" * 8, "snake_case camelCase kebab-case a.b.c", "(a+b)*{c}[d] «e» “f” —g—", "¼cup x²",
]
PAIRS = [("The fox", "the dog"), ("a", ""), ("", "b"), ("<mask>", "x <mask>")]

LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
SPECIALS = ["<unk>", "<s>", "</s>", "<pad>"]


def byte_level(**changes):
    return {**BYTES, "use_regex": True, **changes}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(key, *steps):
    return {"type": "Sequence", key: list(steps)}


def metaspace(scheme="always", split_words=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split_words}


def replace(pattern, content, kind="String"):
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def template(single, pair, **ids):
    def pieces(text):
        for word in text.split():
            name, _, kind = word.partition(":")
            where = {"type_id": int(kind or 0)}
            yield {"Sequence": {"id": name[1:], **where}} if name[0] == "$" else {"SpecialToken": {"id": name, **where}}
    tokens = {"<s>": 1, "</s>": 2}
    return {"type": "TemplateProcessing", "single": list(pieces(single)), "pair": list(pieces(pair)),
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in tokens.items()}}


def charsmap():
    """A small table of replacements, compiled by SentencePiece."""
    with tempfile.TemporaryDirectory() as folder:
        rules = {"ﬁ": "fi", "½": "1/2", "①": "1", "\u3000": " ", "\u00a0": " ", "\u200b": "", "e\u0301": "é", "\u30ab\u3099": "ガ", "\u0001": ""}
        code = lambda text: " ".join(f"{ord(c):X}" for c in text)
        Path(folder, "rules.tsv").write_text("".join(f"{code(a)}\t{code(b)}\n" for a, b in rules.items()))
        Path(folder, "text").write_text("\n".join(CORPUS))
        sentencepiece.SentencePieceTrainer.train(
            input=f"{folder}/text", model_prefix=f"{folder}/m", vocab_size=200, normalization_rule_tsv=f"{folder}/rules.tsv",
            hard_vocab_limit=False, minloglevel=2)
        proto = sentencepiece_model_pb2.ModelProto()
        proto.ParseFromString(Path(folder, "m.model").read_bytes())
        return b64encode(proto.normalizer_spec.precompiled_charsmap).decode()


def trained(model, normalizer, pre_tokenizer, size=300, **options):
    """The trained `model` section."""
    kinds = {"BPE": (models.BPE(), trainers.BpeTrainer), "WordPiece": (models.WordPiece(unk_token="<unk>"), trainers.WordPieceTrainer),
             "WordLevel": (models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer),
             "Unigram": (models.Unigram(), trainers.UnigramTrainer)}
    empty, trainer = kinds[model]
    document = json.loads(Tokenizer(empty).to_str())
    document.update(normalizer=normalizer, pre_tokenizer=pre_tokenizer)
    tokenizer = Tokenizer.from_str(json.dumps(document))
    if model == "Unigram":
        options["unk_token"] = "<unk>"
    if options.pop("bytes", False):
        options["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
    specials = SPECIALS + options.pop("extra", [])
    tokenizer.train_from_iterator(CORPUS, trainer(vocab_size=size, special_tokens=specials, show_progress=False, **options))
    return json.loads(tokenizer.to_str())["model"]


def added(content, number, **flags):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
            "special": True, **flags}


def write(name, model, changes=None, extra=(), **sections):
    """Writes one fixture; `extra` are further added tokens."""
    size = len(model["vocab"])
    document = {"version": "1.0", "truncation": None, "padding": None,
                "added_tokens": [added(t, i) for i, t in enumerate(SPECIALS)] + [added(t, size + i, **f) for i, (t, f) in enumerate(extra)],
                "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None, **sections,
                "model": {**model, **(changes or {})}}
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", "utf-8")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = []
    for text, pair in [(t, None) for t in TEXTS] + PAIRS:
        encoding = tokenizer.encode(text, pair)
        row = {"text": text, "ids": encoding.ids, "types": encoding.type_ids, "special": encoding.special_tokens_mask,
               "tokens": [tokenizer.id_to_token(i) for i in encoding.ids],
               "plain": tokenizer.encode(text, add_special_tokens=False).ids}
        row["decoded"] = tokenizer.decode(row["plain"], skip_special_tokens=False) if row["plain"] else ""
        row["decoded_without_special"] = tokenizer.decode(encoding.ids) if encoding.ids else ""
        if pair is not None:
            row["pair"] = pair
        rows.append(row)
    golden = {"vocabulary_size": tokenizer.get_vocab_size(), "rows": rows}
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":")).replace('},{"text"', '},\n{"text"')
    (folder / "goldens.json").write_text(text + "\n", "utf-8")


def main():
    mask = ("<mask>", {"lstrip": True})
    word = ("word", {"single_word": True, "normalized": True, "special": False})
    bracket = ("[X]", {"rstrip": True, "normalized": True, "special": False})

    pre = byte_level()
    gpt2 = trained("BPE", None, pre, 420, bytes=True)
    write("byte-level", gpt2, pre_tokenizer=pre, decoder=pre, extra=[mask, word],
          post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": False})
    write("byte-level-prefix", gpt2, {"merges": [" ".join(m) for m in gpt2["merges"]]}, pre_tokenizer=byte_level(add_prefix_space=True),
          decoder=pre, normalizer={"type": "NFD"},
          post_processor=sequence("processors", pre, template("<s> $A </s>", "<s> $A </s> $B:1 </s>:1")))

    pre = sequence("pretokenizers", split({"Regex": LLAMA}), BYTES)
    write("llama-3", trained("BPE", {"type": "NFC"}, pre, 420, bytes=True), {"ignore_merges": True}, normalizer={"type": "NFC"},
          pre_tokenizer=pre, decoder=pre["pretokenizers"][1], extra=[bracket], post_processor=template("<s> $A", "<s> $A <s>:1 $B:1"))

    normalizer = sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace(" ", "▁"))
    pieces = [f"<0x{b:02X}>" for b in range(256)]
    model = trained("BPE", normalizer, metaspace(), 560, extra=pieces, limit_alphabet=60)
    decoder = sequence("decoders", replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"},
                       {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    write("llama-2", model, {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}, normalizer=normalizer, decoder=decoder,
          extra=[mask, bracket], post_processor=template("<s> $A", "<s> $A <s>:1 $B:1"))
    write("mistral", model, {"fuse_unk": False, "unk_token": "<unk>"}, pre_tokenizer=metaspace("first", False), decoder=decoder,
          extra=[mask], post_processor=template("<s> $A", "<s> $A <s>:1 $B:1"))

    words = {"type": "Whitespace"}
    write("word-suffix", trained("BPE", {"type": "Lowercase"}, words, 300, end_of_word_suffix="</w>", limit_alphabet=50),
          {"unk_token": "<unk>"}, normalizer={"type": "Lowercase"}, pre_tokenizer=words, extra=[word],
          decoder={"type": "BPEDecoder", "suffix": "</w>"})

    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    pre = {"type": "BertPreTokenizer"}
    write("word-piece", trained("WordPiece", bert, pre, 260), normalizer=bert, pre_tokenizer=pre, extra=[mask, word],
          decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
          post_processor={"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]})

    normalizer = sequence("normalizers", {"type": "Precompiled", "precompiled_charsmap": charsmap()},
                          {"type": "Strip", "strip_left": False, "strip_right": True}, replace(" {2,}", "▁", "Regex"))
    write("unigram", trained("Unigram", {"type": "NFKC"}, metaspace(), 260), normalizer=normalizer, pre_tokenizer=metaspace(),
          decoder=metaspace(), extra=[mask], post_processor=template("$A </s>", "$A </s> $B </s>"))
    model = trained("Unigram", {"type": "NFKC"}, metaspace(), 200)
    model["vocab"] += [[p, -15.0] for p in pieces]
    write("unigram-bytes", model, {"byte_fallback": True}, normalizer=sequence("normalizers", {"type": "Nmt"}, {"type": "NFKC"}),
          pre_tokenizer=sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace("first")),
          decoder=sequence("decoders", {"type": "ByteFallback"}, metaspace("never")))

    normalizer = sequence("normalizers", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Strip", "strip_left": True, "strip_right": True})
    pre = sequence("pretokenizers", {"type": "Punctuation", "behavior": "MergedWithPrevious"}, {"type": "Digits", "individual_digits": True},
                   split({"String": " "}, "MergedWithNext"), {"type": "CharDelimiterSplit", "delimiter": "\n"})
    write("word-level", trained("WordLevel", normalizer, pre, 200), normalizer=normalizer, pre_tokenizer=pre,
          decoder={"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True})
    pre = sequence("pretokenizers", {"type": "Digits", "individual_digits": False}, {"type": "Punctuation", "behavior": "Contiguous"},
                   split({"Regex": r"\s+"}, "Removed"), split({"Regex": r"[a-z]+(?=[A-Z])|(?<=_)\w+"}, "Isolated", True))
    write("byte-level-normalizer", trained("BPE", {"type": "ByteLevel"}, pre, 400, bytes=True), normalizer={"type": "ByteLevel"},
          pre_tokenizer=pre, decoder=byte_level(), extra=[bracket])
    pre = sequence("pretokenizers", {"type": "UnicodeScripts"}, metaspace("first"))
    write("unicode-scripts", trained("Unigram", {"type": "NFKC"}, pre, 200), normalizer={"type": "NFKC"}, pre_tokenizer=pre,
          decoder=metaspace(), post_processor=template("<s> $A", "<s> $A $B:1"))


if __name__ == "__main__":
    main()
