"""Two small tokenizers, as the documents that Hugging Face's tokenizers library reads.

Their vocabularies are counted, not searched for: the words of the texts that occur most often, and every letter, so that
nothing is unknown. Wu et al. 2016 (WordPiece); Kudo 2018 (Unigram).
"""

import math
import re
from collections import Counter

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
MARKS = ".,;:!?'\"-()"
SENTINELS = [f"<extra_id_{index}>" for index in range(100)]


def special(tokens, first=0):
    return [{"id": first + index, "content": token, "single_word": False, "lstrip": token == "[MASK]", "rstrip": False,
             "normalized": False, "special": True} for index, token in enumerate(tokens)]


def most_common(counts, size):
    """The `size` most frequent entries that are no rarities; ties go to what sorts first."""
    common = [(word, count) for word, count in counts.items() if count > 2]
    return [word for word, _ in sorted(common, key=lambda entry: (-entry[1], entry[0]))[:size]]


def wordpiece(texts, words):
    """BERT's tokenizer with a vocabulary of `words` words: lower case, pieces marked with ##."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    counts = Counter(word for text in texts for word in re.findall(r"[a-z]{2,}", text.lower()))
    tokens = names + list(MARKS + DIGITS + LETTERS) + ["##" + letter for letter in LETTERS + DIGITS] + most_common(counts, words)
    ids = {token: index for index, token in enumerate(tokens)}

    def piece(name, segment):
        return {"SpecialToken": {"id": name, "type_id": segment}}

    def sequence(name, segment):
        return {"Sequence": {"id": name, "type_id": segment}}

    single = [piece("[CLS]", 0), sequence("A", 0), piece("[SEP]", 0)]
    document = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special(names),
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": single, "pair": single + [sequence("B", 1), piece("[SEP]", 1)],
            "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("[CLS]", "[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": ids},
    }
    config = {
        "tokenizer_class": "BertTokenizer", "do_lower_case": True, "unk_token": "[UNK]", "sep_token": "[SEP]",
        "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]", "model_max_length": 512,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    return document, config


def unigram(texts, words, pieces):
    """T5's kind of tokenizer: spaces are ▁, digits stand alone, and a hundred sentinels come last.

    `pieces` are parts of words that are tokens too.
    """
    counts = Counter(word for text in texts for word in re.findall(r"[^\W\d]+", text))
    chosen = most_common(counts, words)
    scores = {}
    for word in chosen:
        # A word may follow a hyphen as well as a space.
        scores["▁" + word] = math.log(counts[word])
        scores[word] = math.log(counts[word]) - 1
    for piece in pieces:
        scores.setdefault(piece, 0.0)
        scores.setdefault("▁" + piece, 0.0)
    letters = sorted(set(LETTERS + LETTERS.upper() + DIGITS + MARKS + "äöüß") | {"▁"})
    total = math.log(sum(counts.values()))
    vocabulary = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    vocabulary += [[piece, round(score - total, 4)] for piece, score in scores.items() if len(piece) > 1]
    vocabulary += [[letter, -16.0] for letter in letters]
    names, first = ["<pad>", "</s>", "<unk>"], len(vocabulary)
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    document = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special(names) + special(SENTINELS, first),
        "normalizer": {"type": "NFKC"}, "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": 2, "vocab": vocabulary, "byte_fallback": False},
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
        "additional_special_tokens": SENTINELS, "model_max_length": 512,
    }
    return document, config
