#!/usr/bin/env python3
"""Writes Tests/GraftSessionsTests/Fixtures/decay.json: the parameters that Transformers' Trainer gives weight decay, in every family.

Needs torch and transformers.

    python Scripts/make-decay-goldens.py
"""

import json
import pathlib

import transformers as t

FILE = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftSessionsTests" / "Fixtures" / "decay.json"
LLAMA = dict(
    vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1)
BERT = dict(
    vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=16)
T5 = dict(vocab_size=11, d_model=8, d_kv=4, d_ff=12, num_layers=1, num_heads=2)
CASES = {
    "gpt2": (t.GPT2LMHeadModel, t.GPT2Config, "causal_lm", dict(vocab_size=11, n_embd=8, n_layer=1, n_head=2, n_positions=16)),
    "llama": (t.LlamaForCausalLM, t.LlamaConfig, "causal_lm", dict(LLAMA, attention_bias=True, mlp_bias=True)),
    "mistral": (t.MistralForCausalLM, t.MistralConfig, "causal_lm", LLAMA),
    "qwen2": (t.Qwen2ForCausalLM, t.Qwen2Config, "causal_lm", LLAMA),
    "qwen3": (t.Qwen3ForCausalLM, t.Qwen3Config, "causal_lm", dict(LLAMA, head_dim=4)),
    "bert": (t.BertForMaskedLM, t.BertConfig, "masked_lm", BERT),
    "roberta": (t.RobertaForMaskedLM, t.RobertaConfig, "masked_lm", dict(BERT, max_position_embeddings=20)),
    "distilbert": (
        t.DistilBertForMaskedLM, t.DistilBertConfig, "masked_lm",
        dict(vocab_size=11, dim=8, hidden_dim=12, n_layers=1, n_heads=2, max_position_embeddings=16)),
    "t5": (t.T5ForConditionalGeneration, t.T5Config, "seq2seq_lm", dict(T5, decoder_start_token_id=0)),
    "bart": (
        t.BartForConditionalGeneration, t.BartConfig, "seq2seq_lm",
        dict(
            vocab_size=11, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=12, decoder_ffn_dim=12, max_position_embeddings=16, pad_token_id=1, bos_token_id=0, eos_token_id=2,
            decoder_start_token_id=2, forced_eos_token_id=None)),
}


def main():
    families = {}
    for name, (model_class, config_class, task, options) in CASES.items():
        model = model_class(config_class(**options))
        decayed = set(t.Trainer.get_decay_parameter_names(None, model))
        names = [name for name, _ in model.named_parameters()]
        families[name] = {
            "config": dict({k: v for k, v in options.items() if v is not None}, model_type=name), "task": task,
            "decayed": [n for n in names if n in decayed], "kept": [n for n in names if n not in decayed],
        }
    FILE.write_text("{\n" + ",\n".join(f"{json.dumps(name)}:{json.dumps(family, separators=(',', ':'))}" for name, family in families.items()) + "\n}\n")


main()
