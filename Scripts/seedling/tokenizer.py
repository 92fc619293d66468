"""A byte-level BPE trainer and the `tokenizer.json` it writes (Sennrich et al. 2016; Radford et al. 2019)."""

import re
from collections import Counter, defaultdict

SPECIAL_TOKENS = ["<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"]
END_OF_TEXT, PAD, MESSAGE_START, MESSAGE_END = range(4)

# Qwen2's pattern: like Llama 3's, but every digit is a piece of its own.
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
# The same pattern for ASCII text, in the dialect of Python's `re`.
ASCII_PATTERN = re.compile(
    PATTERN.replace(r"\p{L}\p{N}]", "A-Za-z0-9]").replace(r"\p{L}", "[A-Za-z]").replace(r"\p{N}", "[0-9]"))
SPECIAL_PATTERN = re.compile("|".join(re.escape(token) for token in SPECIAL_TOKENS))


def byte_alphabet():
    """The printable character that stands for each byte, as in GPT-2."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in alphabet:
            alphabet[byte] = chr(256 + len(alphabet) - len(printable))
    return alphabet


def pieces(text):
    """The pre-tokens of an ASCII text, special tokens left out."""
    for part in SPECIAL_PATTERN.split(text):
        yield from ASCII_PATTERN.findall(part)


def train(texts, vocabulary_size):
    """Learns merges until the vocabulary is full; ties go to the pair that sorts first.

    Returns the vocabulary (token to id) and the list of merges.
    """
    alphabet = byte_alphabet()
    counts = Counter()
    for text in texts:
        counts.update(pieces(text))
    words = [([alphabet[byte] for byte in piece.encode("utf-8")], count) for piece, count in sorted(counts.items())]
    tokens = SPECIAL_TOKENS + sorted(alphabet.values())
    pair_counts, places = Counter(), defaultdict(set)
    for index, (symbols, count) in enumerate(words):
        for pair in zip(symbols, symbols[1:]):
            pair_counts[pair] += count
            places[pair].add(index)

    merges, known = [], set(tokens)
    while len(tokens) < vocabulary_size:
        best = min(pair_counts, key=lambda pair: (-pair_counts[pair], pair))
        merges.append(best)
        joined = best[0] + best[1]
        if joined not in known:
            known.add(joined)
            tokens.append(joined)
        for index in sorted(places.pop(best)):
            symbols, count = words[index]
            for pair in zip(symbols, symbols[1:]):
                pair_counts[pair] -= count
            symbols = merged(symbols, best)
            words[index] = (symbols, count)
            for pair in zip(symbols, symbols[1:]):
                pair_counts[pair] += count
                places[pair].add(index)
        del pair_counts[best]
    return {token: index for index, token in enumerate(tokens)}, merges


def merged(symbols, pair):
    """The symbols with every occurrence of the pair joined, from the left."""
    result, index = [], 0
    while index < len(symbols):
        if tuple(symbols[index:index + 2]) == pair:
            result.append(pair[0] + pair[1])
            index += 2
        else:
            result.append(symbols[index])
            index += 1
    return result


class Encoder:
    """Encodes ASCII text with trained merges; only for counting tokens, so pieces are cached for good."""

    def __init__(self, merges):
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        self.alphabet = byte_alphabet()
        self.lengths = {}

    def count(self, text):
        special = len(SPECIAL_PATTERN.findall(text))
        return special + sum(self.length(piece) for piece in pieces(text))

    def length(self, piece):
        if piece not in self.lengths:
            symbols = [self.alphabet[byte] for byte in piece.encode("utf-8")]
            while len(symbols) > 1:
                best = min(zip(symbols, symbols[1:]), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
                if best not in self.ranks:
                    break
                symbols = merged(symbols, best)
            self.lengths[piece] = len(symbols)
        return self.lengths[piece]


def tokenizer_document(vocabulary, merges):
    """The contents of `tokenizer.json`."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True} for index, token in enumerate(SPECIAL_TOKENS)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": vocabulary, "merges": [list(pair) for pair in merges]},
    }


CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def tokenizer_config_document():
    """The contents of `tokenizer_config.json`."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": None,
        "eos_token": SPECIAL_TOKENS[END_OF_TEXT],
        "pad_token": SPECIAL_TOKENS[PAD],
        "unk_token": None,
        "additional_special_tokens": SPECIAL_TOKENS[MESSAGE_START:],
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 512,
        "padding_side": "right",
        "chat_template": CHAT_TEMPLATE,
    }
