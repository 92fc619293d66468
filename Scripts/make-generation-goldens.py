#!/usr/bin/env python3
"""Writes Tests/GraftGenerationTests/Fixtures: what Transformers' `generate` does with scores, with beams and with files.

`scores.json` holds rows of logits, settings, and the scores that the logits processors make of them, null for minus
infinity. `beams.json` holds settings and what tiny models, whose checkpoints stand beside it, write with them.
`files.json` holds contents of `generation_config.json`, or keys of a `config.json` without such a file, and what the models
write with them; and the keys that `GenerationConfig` knows. Every case is the same in float32 and float64, so that no choice
hangs on rounding. Needs torch and transformers.

    python Scripts/make-generation-goldens.py
"""

import json
import pathlib
import shutil
import tempfile

import torch
import transformers as t

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftGenerationTests" / "Fixtures"
VOCABULARY = 24
PROMPTS = [[3, 7, 1, 18], [11], [5, 16, 8, 8, 13, 4]]


def write(name, value):
    (FOLDER / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


def models():
    """Tiny decoders and encoder-decoders whose distributions are neither flat nor certain."""
    common = dict(vocab_size=VOCABULARY, bos_token_id=None, pad_token_id=0, eos_token_id=None)
    yield "llama", t.LlamaForCausalLM, t.LlamaConfig(
        **common, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        initializer_range=0.5)
    yield "gpt2", t.GPT2LMHeadModel, t.GPT2Config(
        **common, n_embd=8, n_layer=2, n_head=2, n_positions=32, initializer_range=0.5)
    yield "t5", t.T5ForConditionalGeneration, t.T5Config(
        **common, d_model=8, d_kv=4, d_ff=12, num_layers=1, num_heads=2, decoder_start_token_id=0, initializer_factor=1.5,
        tie_word_embeddings=False, relative_attention_num_buckets=8, relative_attention_max_distance=16)
    yield "bart", t.BartForConditionalGeneration, t.BartConfig(
        **common, d_model=8, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=12, decoder_ffn_dim=12, max_position_embeddings=32, decoder_start_token_id=2, forced_eos_token_id=None,
        init_std=0.5)


def searches():
    for beams in (2, 4):
        for penalty in (1.0, 0.0, -1.0, 2.0):
            for stopping in (False, True, "never"):
                yield dict(num_beams=beams, length_penalty=penalty, early_stopping=stopping)
    yield dict(num_beams=3, repetition_penalty=1.5)
    yield dict(num_beams=1, repetition_penalty=1.5)
    yield dict(num_beams=3, max_new_tokens=1)


def written(model, prompt, ends, search):
    """The new tokens, up to the end."""
    settings = t.GenerationConfig(
        **{"max_new_tokens": 12, **search}, do_sample=False, eos_token_id=ends, pad_token_id=VOCABULARY - 1,
        decoder_start_token_id=model.config.to_dict().get("decoder_start_token_id"))
    ids = torch.tensor([prompt])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)[0].tolist()
    new = output[1:] if model.config.is_encoder_decoder else output[len(prompt):]
    stop = next((place + 1 for place, token in enumerate(new) if token in ends), len(new))
    return new[:stop]


def beams():
    cases = []
    for name, model_class, config in models():
        torch.manual_seed(4)
        model = model_class(config).eval()
        folder = FOLDER / name
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
        exact = model_class.from_pretrained(folder, dtype=torch.float64).eval()
        for ends in ([2], [2, 9, 14]):
            for search in searches():
                outputs = [written(model, prompt, ends, search) for prompt in PROMPTS]
                if outputs == [written(exact, prompt, ends, search) for prompt in PROMPTS]:
                    cases.append(dict(model=name, ends=ends, outputs=outputs, **search))
    lengths = {len(output) for case in cases for output in case["outputs"]}
    print(f"{len(cases)} searches, lengths {sorted(lengths)}")
    write("beams.json", dict(prompts=PROMPTS, cases=cases))


def files():
    """Contents of a `generation_config.json`: every key alone, then together, then under a search."""
    alone = [
        {}, dict(eos_token_id=2), dict(eos_token_id=[2, 9, 14]), dict(repetition_penalty=1.7), dict(repetition_penalty=0.4),
        dict(encoder_repetition_penalty=1.9), dict(no_repeat_ngram_size=1), dict(no_repeat_ngram_size=2), dict(no_repeat_ngram_size=3),
        dict(encoder_no_repeat_ngram_size=1), dict(encoder_no_repeat_ngram_size=2), dict(suppress_tokens=[4, 6, 13, 19, 3]),
        dict(begin_suppress_tokens=[6, 14, 3, 13]), dict(begin_suppress_tokens=[6, 14, 3, 13], forced_bos_token_id=5),
        dict(bad_words_ids=[[4], [2, 2], [3, 3], [6, 4], [13, 19, 19]]), dict(bad_words_ids=[[2]], eos_token_id=2),
        dict(sequence_bias=[[[7], 4.5], [[6, 21], 9.0], [[2, 8], 3.0], [[4], -6.0]]), dict(forced_bos_token_id=17),
        dict(forced_eos_token_id=11), dict(forced_eos_token_id=[11, 12]), dict(min_new_tokens=6, eos_token_id=[2, 4, 3, 19, 13]),
        dict(min_length=7, eos_token_id=[2, 4, 3, 19, 13]), dict(min_length=9, min_new_tokens=3, eos_token_id=[2, 4, 3, 19, 13]),
        dict(exponential_decay_length_penalty=[3, 1.6], eos_token_id=8), dict(max_new_tokens=5), dict(max_length=11),
        dict(max_length=11, max_new_tokens=4), dict(remove_invalid_values=True), dict(renormalize_logits=True), dict(temperature=0.3, top_k=3),
        dict(decoder_start_token_id=9), dict(bos_token_id=7),
    ]
    together = [
        dict(repetition_penalty=1.3, no_repeat_ngram_size=2, suppress_tokens=[4], begin_suppress_tokens=[14], min_new_tokens=4, eos_token_id=[2, 9]),
        dict(sequence_bias=[[[7], 2.5]], encoder_repetition_penalty=0.7, repetition_penalty=1.2, encoder_no_repeat_ngram_size=2,
             bad_words_ids=[[6, 4], [21]], min_length=5, forced_bos_token_id=16, forced_eos_token_id=3, remove_invalid_values=True,
             exponential_decay_length_penalty=[2, 1.2], suppress_tokens=[13], begin_suppress_tokens=[1, 2], eos_token_id=[3, 10],
             renormalize_logits=True),
        dict(no_repeat_ngram_size=3, repetition_penalty=1.1, exponential_decay_length_penalty=[4, 1.5], eos_token_id=2),
    ]
    search = [
        dict(num_beams=3), dict(num_beams=3, length_penalty=2.0, early_stopping=True, eos_token_id=[2, 9]),
        dict(num_beams=2, early_stopping="never", eos_token_id=2),
    ]
    for content in alone + together:
        yield content
    for content in alone[3:] + together:
        if "max_length" not in content and "temperature" not in content:
            yield {**search[0], **content}
    for content in together:
        for kind in search[1:]:
            yield {**content, **kind}


def loaded(name, model_class, dtype, own, content):
    """A model with a `generation_config.json`, or with the keys in its `config.json`."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(FOLDER / name, folder, dirs_exist_ok=True)
        place = pathlib.Path(folder) / "config.json"
        config = json.loads(place.read_text())
        if own:
            (place.parent / "generation_config.json").write_text(json.dumps(content))
            if "eos_token_id" not in content:
                config["eos_token_id"] = 4  # Has no say beside the other file.
        else:
            config.update(content)
        place.write_text(json.dumps(config))
        return model_class.from_pretrained(folder, dtype=dtype).eval()


def continued(model, prompt, limit):
    ids = torch.tensor([prompt])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=VOCABULARY - 1, **limit)[0].tolist()
    new = output[1:] if model.config.is_encoder_decoder else output[len(prompt):]
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    stop = next((place + 1 for place, token in enumerate(new) if token in ends), len(new))
    return new[:stop]


def file_cases():
    cases, dropped = [], 0
    for name, model_class, _ in models():
        for content in files():
            for own in (True, False):
                if not own and "num_beams" in content and len(content) > 2:
                    continue
                if own and name in ("t5", "bart") and not {"decoder_start_token_id", "bos_token_id"} & set(content):
                    content = {**content, "decoder_start_token_id": 0 if name == "t5" else 2}
                limit = {} if {"max_length", "max_new_tokens"} & set(content) else dict(max_new_tokens=12)
                outputs = []
                for dtype in (torch.float32, torch.float64):
                    model = loaded(name, model_class, dtype, own, content)
                    outputs.append([continued(model, prompt, limit) for prompt in PROMPTS])
                if outputs[0] != outputs[1]:
                    dropped += 1
                    continue
                cases.append(dict(model=name, own=own, content=content, outputs=outputs[0]))
    print(f"{len(cases)} files, {dropped} dropped")
    keys = sorted(t.GenerationConfig().to_dict())
    write("files.json", dict(prompts=PROMPTS, keys=keys, cases=cases))


def scores():
    generator = torch.Generator().manual_seed(1)
    mixin = t.LlamaForCausalLM(t.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
    settings = [
        dict(temperature=0.7), dict(top_k=5), dict(top_p=0.6), dict(min_p=0.2), dict(repetition_penalty=1.8),
        dict(temperature=1.7, top_k=9, top_p=0.8, min_p=0.1, repetition_penalty=1.3),
        dict(temperature=0.4, top_p=0.95), dict(top_k=3, top_p=0.9), dict(top_p=0.9, min_p=0.3), dict(top_k=1, temperature=2.0),
        dict(top_k=100, repetition_penalty=0.6), dict(top_h=0.4), dict(top_h=0.9, temperature=1.5), dict(typical_p=0.5),
        dict(typical_p=0.95, top_k=12), dict(epsilon_cutoff=0.05), dict(eta_cutoff=0.02), dict(eta_cutoff=0.3, temperature=2.0),
        dict(top_h=0.8, top_k=9, top_p=0.9, min_p=0.02, typical_p=0.9, epsilon_cutoff=0.01, eta_cutoff=0.01, temperature=1.2),
        dict(num_beams=2, top_k=1), dict(num_beams=2, top_p=0.1), dict(num_beams=2, min_p=0.99), dict(num_beams=2, epsilon_cutoff=0.9),
        dict(num_beams=2, eta_cutoff=0.99), dict(num_beams=2, typical_p=0.01),
    ]
    cases = []
    for index, chosen in enumerate(settings):
        logits = (torch.randn(VOCABULARY, generator=generator) * 2.5).round(decimals=3)
        if index == 1:
            logits[[2, 5, 7]] = logits.topk(5).values[-1]  # Equal to the last of the five: all stay.
        history = torch.randint(0, VOCABULARY, (5,), generator=generator)
        config = t.GenerationConfig(do_sample=True, **{"top_k": None, **chosen})
        config._eos_token_tensor = None
        if "num_beams" in chosen:
            config._eos_token_tensor = torch.tensor([2, 9])
        processors = mixin._get_logits_processor(config, input_ids_seq_length=5, encoder_input_ids=None, prefix_allowed_tokens_fn=None,
                                                 logits_processor=t.LogitsProcessorList(), model_kwargs={})
        made = processors(history[None], logits[None].clone())[0]
        cases.append(dict(
            settings=chosen, history=history.tolist(), logits=[round(x, 3) for x in logits.tolist()],
            scores=[None if x == float("-inf") else x for x in made.tolist()]))
    write("scores.json", cases)


torch.set_num_threads(1)
shutil.rmtree(FOLDER, ignore_errors=True)
FOLDER.mkdir(parents=True)
scores()
beams()
file_cases()
