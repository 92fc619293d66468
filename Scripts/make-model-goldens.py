#!/usr/bin/env python3
"""Writes Tests/GraftModelsTests/Fixtures/*.json: what Transformers computes with tiny models of every family.

A fixture holds a configuration, the names and shapes of a checkpoint, and inputs with the outputs, the loss and the
norm of every gradient. `defaulted.json` lists what a configuration need not say. The checkpoint's values are not stored: `value` makes them from a tensor's name, and the tests
do the same. Needs torch and transformers.

    python Scripts/make-model-goldens.py
"""

import json
import pathlib

import torch
import transformers
from golden_values import value
from torch.nn.functional import cross_entropy
from transformers import Trainer

# The keys of every case's configuration that are at Transformers' defaults.
DEFAULTED = {}
# What the activations' case multiplies the layer before its activation by, so that bounds are met, too.
ACTIVATION_FACTORS = (1.0, 20.0)
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Tests" / "GraftModelsTests" / "Fixtures"


# Buffers that a checkpoint holds.
BUFFERS = ("final_logits_bias", "e_score_correction_bias")


def pieces(model, name, tensor, renamed):
    """The tensors of a checkpoint that a parameter is made of, each with its place: experts are fused in memory, and stored one by one."""
    module, _, end = name.rpartition(".")
    if not module.endswith("experts") or end not in ("gate_up_proj", "down_proj") or model.config.model_type == "gpt_oss":
        return [(renamed(name), ())]
    width = tensor.shape[1] // 2
    ends = {"gate_proj": slice(0, width), "up_proj": slice(width, None)} if end == "gate_up_proj" else {end: slice(None)}
    return [
        (renamed(f"{module}.{expert}.{part}.weight"), (expert, rows)) for expert in range(tensor.shape[0]) for part, rows in ends.items()]


def checkpoint(model, renamed):
    """Gives every parameter its value; returns names, shapes, centres, and the places in parameters of each name."""
    stored, names = {}, {}
    seen = {}
    for name, tensor in list(model.named_parameters()) + [b for b in model.named_buffers() if b[0].endswith(BUFFERS)]:
        if tensor.data_ptr() in seen:
            continue
        seen[tensor.data_ptr()] = name
        names[name] = pieces(model, name, tensor, renamed)
        for stored_name, place in names[name]:
            part = tensor.detach()[place]
            centre = 1.0 if part.dim() == 1 and name.endswith("weight") else 0.0
            with torch.no_grad():
                part.copy_(torch.from_numpy(value(stored_name, tuple(part.shape), centre)))
            stored[stored_name] = {"shape": list(part.shape), "centre": centre}
    return stored, names


def trained(model, examples):
    """What Transformers' Trainer does in a few steps of two micro-batches: AdamW without decay of biases and norms, a warm-up, clipping."""
    steps, warmup, clip = 5, 2, 1.5
    decayed = [name for name in Trainer.get_decay_parameter_names(None, model)]
    groups = [
        {"params": [p for n, p in model.named_parameters() if (n in decayed) == wanted], "weight_decay": decay}
        for wanted, decay in ((True, 0.1), (False, 0.0))
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.03)
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, warmup, steps)
    terms = sum(len(example["tokens"]) - 1 for example in examples)
    lines = []
    for _ in range(steps):
        model.zero_grad()
        total = 0.0
        for part in (examples[:2], examples[2:]):
            losses = [
                cross_entropy(
                    model(input_ids=torch.tensor([e["tokens"]])).logits[0, :-1], torch.tensor(e["tokens"][1:]), reduction="sum")
                for e in part
            ]
            loss = sum(losses) / terms
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item()
        lines.append({"loss": total, "norm": norm, "rate": optimizer.param_groups[0]["lr"]})
        optimizer.step()
        schedule.step()
    return {"warmup": warmup, "clip": clip, "rate": 0.03, "decay": 0.1, "decayed": decayed, "lines": lines}


def golden(case, model_class, config, task, examples, renamed=lambda name: name, ungraded=(), trains=False, **changes):
    torch.manual_seed(0)
    model = model_class(config).eval()
    if hasattr(model, "set_experts_implementation"):
        model.set_experts_implementation("eager")
    stored, names = checkpoint(model, renamed)
    total, terms, outputs = 0.0, 0, []
    # Masked tokens and whether the second segment follows: the model's own loss.
    pairs = model_class is transformers.BertForPreTraining
    for example in examples:
        inputs = {"input_ids": torch.tensor([example["tokens"]])}
        if "typeIDs" in example:
            inputs["token_type_ids"] = torch.tensor([example["typeIDs"]])
        if "source" in example:
            start = config.decoder_start_token_id
            inputs = {
                "input_ids": torch.tensor([example["source"]]),
                "decoder_input_ids": torch.tensor([[start] + example["tokens"][:-1]]),
            }
        found = model(**inputs)
        logits = (found.prediction_logits if pairs else found.logits)[0]
        if task == "causal_lm":
            logits, targets = logits[:-1], example["tokens"][1:]
        elif task == "seq2seq_lm":
            targets = example["tokens"]
        elif task in ("masked_lm", "token_classification"):
            kept = [row for row, target in enumerate(example["targets"]) if target != -100]
            logits, targets = logits[kept], [example["targets"][row] for row in kept]
        else:
            label = example["label"]
            if config.problem_type == "regression":
                loss = torch.nn.functional.mse_loss(logits, torch.tensor([float(label)]))
            elif config.problem_type == "multi_label_classification":
                wanted = torch.tensor([1.0 if index in label else 0.0 for index in range(len(logits))])
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
            else:
                loss = cross_entropy(logits[None], torch.tensor([label]))
            total, terms = total + loss, terms + 1
            outputs.append([round(x, 7) for x in logits.tolist()])
            continue
        total = total + cross_entropy(logits, torch.tensor(targets), reduction="sum")
        terms += len(targets)
        if task == "token_classification":
            outputs += [[round(x, 7) for x in row] for row in logits.tolist()]
        else:
            outputs.append([round(x, 7) for x in logits.log_softmax(-1)[range(len(targets)), targets].tolist()])
    loss = model(**padded(examples)).loss if pairs else total / terms
    loss.backward()
    gradients = {
        stored_name: float(f"{parameter.grad[place].norm().item():.8g}")
        for name, parameter in model.named_parameters() if name in names and parameter.grad is not None and name not in ungraded
        for stored_name, place in names[name] if parameter.grad[place].any() or not place
    }
    written = config._encode_special_floats(config.to_dict())
    written.update(changes)
    plain = config._encode_special_floats(type(config)().to_dict())
    for key in [key for key, found in written.items() if found is None and plain.get(key) is None] + ["transformers_version", "_name_or_path", "experts_implementation"]:
        written.pop(key, None)
    DEFAULTED[case] = sorted(key for key in written if key != "model_type" and key in plain and plain[key] == written[key])
    fixture = {
        "task": task, "config": written, "tensors": stored, "examples": examples, "outputs": outputs,
        "loss": loss.item(), "gradients": gradients,
    }
    if trains:
        fixture["training"] = trained(model, examples)
    (FOLDER / f"{case}.json").write_text(json.dumps(fixture, separators=(",", ":"), ensure_ascii=False) + "\n")


def padded(examples):
    """Examples of pre-training as one batch."""
    longest = max(len(example["tokens"]) for example in examples)

    def rows(key, filler):
        return torch.tensor([example[key] + [filler] * (longest - len(example[key])) for example in examples])

    return {
        "input_ids": rows("tokens", 0), "token_type_ids": rows("typeIDs", 0), "labels": rows("targets", -100),
        "attention_mask": torch.tensor([[int(row < len(e["tokens"])) for row in range(longest)] for e in examples]),
        "next_sentence_label": torch.tensor([example["label"] for example in examples]),
    }


TEXTS = [{"tokens": [3, 7, 1, 18, 9, 4]}, {"tokens": [11, 2, 11]}, {"tokens": [5, 16, 8, 8, 13, 0, 6, 12]}]
SOURCES = [
    {"tokens": [3, 7, 1], "source": [4, 9, 17, 2, 6, 6, 1]},
    {"tokens": [11, 2, 11, 5, 1], "source": [8]},
    {"tokens": [13], "source": [12, 10, 3, 5]},
]
PAIRS = [
    {"tokens": [3, 7, 1, 18, 9, 4], "typeIDs": [0, 0, 0, 1, 1, 1]}, {"tokens": [11, 2, 11], "typeIDs": [0, 0, 0]},
]


def masked(examples):
    return [dict(e, targets=[t if row % 2 else -100 for row, t in enumerate(e["tokens"])]) for e in examples]


def labelled(examples, labels):
    return [dict(e, label=label) for e, label in zip(examples, labels)]


def causal_families(t, tiny):
    """The decoders that most checkpoints are of, each with what is its own, and a few steps of training."""
    two = dict(tiny, num_hidden_layers=2)

    def family(case, model_class, config):
        golden(case, model_class, config, "causal_lm", TEXTS, trains=True)

    family("llama", t.LlamaForCausalLM, t.LlamaConfig(**two, rms_norm_eps=1e-3))
    stretched = dict(
        rope_type="llama3", rope_theta=100.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=16)
    family(
        "llama-biases", t.LlamaForCausalLM,
        t.LlamaConfig(**tiny, head_dim=6, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_parameters=stretched))
    family("mistral", t.MistralForCausalLM, t.MistralConfig(**two, sliding_window=3))
    family("qwen2", t.Qwen2ForCausalLM, t.Qwen2Config(**tiny))
    family(
        "qwen2-window", t.Qwen2ForCausalLM, t.Qwen2Config(**two, use_sliding_window=True, sliding_window=3, max_window_layers=1))
    family("qwen3", t.Qwen3ForCausalLM, t.Qwen3Config(**tiny, head_dim=6))


def other_decoders(t, tiny):
    """The other decoders, each with what is its own."""
    two = dict(tiny, num_hidden_layers=2)

    def family(case, model_class, config):
        # Only this one caps scores.
        config._attn_implementation = "eager"
        golden(case, model_class, config, "causal_lm", TEXTS)

    gemma = dict(two, head_dim=6, rms_norm_eps=1e-3)
    family("gemma", t.GemmaForCausalLM, t.GemmaConfig(**gemma))
    family(
        "gemma2", t.Gemma2ForCausalLM,
        t.Gemma2Config(**gemma, query_pre_attn_scalar=5, sliding_window=3, attn_logit_softcapping=2.0, final_logit_softcapping=1.5))
    family(
        "gemma3", t.Gemma3ForCausalLM,
        t.Gemma3TextConfig(
            **gemma, query_pre_attn_scalar=5, sliding_window=3, layer_types=["sliding_attention", "full_attention"], rope_parameters={
                "full_attention": dict(rope_type="linear", factor=2.0, rope_theta=500.0),
                "sliding_attention": dict(rope_type="default", rope_theta=50.0)}))
    phi3 = dict(tiny, hidden_size=16, original_max_position_embeddings=5, max_position_embeddings=40)
    longrope = dict(rope_type="longrope", rope_theta=100.0, short_factor=[1.0, 1.3], long_factor=[2.0, 3.0], partial_rotary_factor=0.5)
    family("phi3", t.Phi3ForCausalLM, t.Phi3Config(**phi3, rope_parameters=longrope))
    family("phi3-window", t.Phi3ForCausalLM, t.Phi3Config(**phi3, sliding_window=3))
    rotated = dict(rope_type="default", rope_theta=100.0, partial_rotary_factor=0.5)
    family("glm", t.GlmForCausalLM, t.GlmConfig(**tiny, head_dim=8, rope_parameters=rotated))
    family("glm4", t.Glm4ForCausalLM, t.Glm4Config(**two, head_dim=8, rope_parameters=rotated))
    family("olmo2", t.Olmo2ForCausalLM, t.Olmo2Config(**two))
    family(
        "granite", t.GraniteForCausalLM,
        t.GraniteConfig(
            **two, embedding_multiplier=1.7, residual_multiplier=0.6, attention_multiplier=0.3, logits_scaling=2.5))
    off = dict(attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)
    family(
        "openai-gpt", t.OpenAIGPTLMHeadModel,
        t.OpenAIGPTConfig(vocab_size=19, n_embd=8, n_layer=2, n_head=2, n_positions=12, **off))
    # Three heads have the slopes of two, and one in between.
    family("bloom", t.BloomForCausalLM, t.BloomConfig(vocab_size=19, hidden_size=12, n_layer=1, n_head=3, pad_token_id=17))


def mixtures(t, tiny):
    """The families with experts, each with what is its own."""
    two = dict(tiny, num_hidden_layers=2)

    def family(case, model_class, config, renamed=lambda name: name):
        golden(case, model_class, config, "causal_lm", TEXTS, renamed)

    def mixtral(name):
        name = name.replace(".mlp.", ".block_sparse_moe.")
        return name.replace("gate_proj", "w1").replace("up_proj", "w3").replace("down_proj", "w2")

    family("mixtral", t.MixtralForCausalLM, t.MixtralConfig(**two, num_local_experts=4, sliding_window=3), mixtral)
    qwen = dict(two, moe_intermediate_size=6, num_experts=5, num_experts_per_tok=2)
    family(
        "qwen2_moe", t.Qwen2MoeForCausalLM,
        t.Qwen2MoeConfig(**qwen, shared_expert_intermediate_size=7, use_sliding_window=True, sliding_window=3, max_window_layers=1))
    family(
        "qwen2_moe-dense", t.Qwen2MoeForCausalLM,
        t.Qwen2MoeConfig(
            **dict(qwen, num_hidden_layers=3), shared_expert_intermediate_size=7, qkv_bias=False, norm_topk_prob=True, decoder_sparse_step=2,
            mlp_only_layers=[0]))
    family("qwen3_moe", t.Qwen3MoeForCausalLM, t.Qwen3MoeConfig(**qwen, head_dim=6, norm_topk_prob=True, attention_bias=True))
    family("qwen3_moe-raw", t.Qwen3MoeForCausalLM, t.Qwen3MoeConfig(**qwen, head_dim=4, use_sliding_window=True, sliding_window=2))
    family(
        "gpt_oss", t.GptOssForCausalLM,
        t.GptOssConfig(**two, num_local_experts=4, num_experts_per_tok=2, head_dim=6, sliding_window=3, swiglu_limit=0.3))
    latent = dict(
        two, num_key_value_heads=2, moe_intermediate_size=6, kv_lora_rank=6, qk_rope_head_dim=4, qk_nope_head_dim=2, v_head_dim=7,
        num_experts_per_tok=2, first_k_dense_replace=1)
    yarn = dict(rope_type="yarn", rope_theta=50.0, factor=4.0, original_max_position_embeddings=4, mscale=0.7, mscale_all_dim=0.8)
    family("deepseek_v2", t.DeepseekV2ForCausalLM, t.DeepseekV2Config(**latent, n_routed_experts=4, q_lora_rank=None))
    family(
        "deepseek_v2-groups", t.DeepseekV2ForCausalLM,
        t.DeepseekV2Config(
            **latent, n_routed_experts=6, q_lora_rank=6, n_group=3, topk_group=2, topk_method="group_limited_greedy", attention_bias=True,
            routed_scaling_factor=1.7, rope_parameters=yarn, rms_norm_eps=0.01))
    family(
        "deepseek_v3", t.DeepseekV3ForCausalLM,
        t.DeepseekV3Config(**latent, n_routed_experts=8, q_lora_rank=6, n_group=4, topk_group=2, rope_parameters=yarn))
    family(
        "deepseek_v3-halves", t.DeepseekV3ForCausalLM,
        t.DeepseekV3Config(
            **latent, n_routed_experts=4, q_lora_rank=None, n_group=1, topk_group=1, norm_topk_prob=False, rope_interleave=False,
            n_shared_experts=2))


def recurrences(t):
    """The families without attention, each with what is its own."""
    def family(case, model_class, config, **more):
        golden(case, model_class, config, "causal_lm", TEXTS, **more)

    # RWKV writes its state in place, which gradients cannot go through.
    tiny = dict(vocab_size=19, hidden_size=8, num_hidden_layers=2, pad_token_id=17, layer_norm_epsilon=0.01, use_cache=False)
    family("mamba", t.MambaForCausalLM, t.MambaConfig(**tiny, state_size=3), trains=True)
    family(
        "mamba-biases", t.MambaForCausalLM,
        t.MambaConfig(
            **tiny, state_size=2, conv_kernel=3, expand=1, use_bias=True, use_conv_bias=False, hidden_act="gelu", time_step_rank=3,
            tie_word_embeddings=False))
    heads = dict(num_heads=4, head_dim=4)
    family("mamba2", t.Mamba2ForCausalLM, t.Mamba2Config(**tiny, **heads, state_size=3, n_groups=2, chunk_size=4), trains=True)
    family(
        "mamba2-biases", t.Mamba2ForCausalLM,
        t.Mamba2Config(
            **tiny, num_heads=2, head_dim=4, state_size=2, n_groups=1, conv_kernel=3, expand=1, use_bias=True, use_conv_bias=False,
            hidden_act="gelu", time_step_limit=(0.5, 0.9), tie_word_embeddings=True))
    family("rwkv", t.RwkvForCausalLM, t.RwkvConfig(**tiny), trains=True)
    # The gradients of layers that are divided outside training are those of what they were divided to.
    divided = [
        f"rwkv.blocks.{block}.{layer}.weight" for block in (1, 2) for layer in ("attention.output", "feed_forward.value")]
    family(
        "rwkv-rescaled", t.RwkvForCausalLM,
        t.RwkvConfig(
            **dict(tiny, num_hidden_layers=3), attention_hidden_size=12, intermediate_size=10, rescale_every=1, tie_word_embeddings=True),
        ungraded=divided)


def activations(t, gpt2):
    """GPT-2 under every activation that has no weights of its own: `config`, `tensors` and `examples` as elsewhere, and a loss each."""
    fixture = {"task": "causal_lm", "examples": TEXTS, "activations": {}}
    for name in t.activations.ACT2FN:
        if name in ("prelu", "xielu"):
            continue
        config = t.GPT2Config(**dict(gpt2, n_layer=1), activation_function=name)
        fixture["config"] = {key: found for key, found in config.to_dict().items() if key in ("model_type", *gpt2)}
        lines = fixture["activations"][name] = []
        for factor in ACTIVATION_FACTORS:
            model = t.GPT2LMHeadModel(config).eval()
            fixture["tensors"], _ = checkpoint(model, lambda name: name)
            model, raised = model.double(), model.transformer.h[0].mlp.c_fc
            raised.weight.data *= factor
            raised.bias.data *= factor
            total = sum(
                cross_entropy(model(input_ids=torch.tensor([e["tokens"]])).logits[0, :-1], torch.tensor(e["tokens"][1:]), reduction="sum")
                for e in TEXTS)
            total.backward()
            lines.append({"factor": factor, "loss": total.item(), "norm": raised.weight.grad.norm().item()})
    (FOLDER / "gpt2-activations.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    t = transformers
    off = dict(attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)
    gpt2 = dict(
        vocab_size=19, n_embd=8, n_layer=2, n_head=2, n_positions=12, pad_token_id=17, scale_attn_by_inverse_layer_idx=True, **off)
    golden("gpt2", t.GPT2LMHeadModel, t.GPT2Config(**gpt2), "causal_lm", TEXTS, lambda name: name.removeprefix("transformer."))
    golden(
        "gpt2-regression", t.GPT2ForSequenceClassification, t.GPT2Config(**gpt2, num_labels=1, problem_type="regression"),
        "sequence_classification", labelled(TEXTS, [1, -2, 0]))
    llama = dict(
        vocab_size=19, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, intermediate_size=10,
        pad_token_id=17)
    golden(
        "llama-tokens", t.LlamaForTokenClassification, t.LlamaConfig(**llama, num_labels=3, classifier_dropout=0.0),
        "token_classification", [dict(e, targets=[x % 3 for x in e["tokens"]]) for e in TEXTS])
    # Texts that hold the padding's token themselves: the last other token is read, or the first where there is none. torch gives the
    # padding's row of the table no gradient, which is left out here.
    golden(
        "llama-padding-inside", t.LlamaForSequenceClassification, t.LlamaConfig(**llama, num_labels=3), "sequence_classification",
        labelled([{"tokens": tokens} for tokens in ([3, 7, 17, 17], [17, 17, 17], [5, 17, 8, 17], [17, 4])], [1, 0, 2, 1]),
        ungraded=["model.embed_tokens.weight"])

    causal_families(t, llama)
    mixtures(t, llama)
    other_decoders(t, llama)
    recurrences(t)
    activations(t, gpt2)

    bert = dict(
        vocab_size=19, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=10, max_position_embeddings=14,
        pad_token_id=17, attention_probs_dropout_prob=0, hidden_dropout_prob=0)

    def old(name):
        return name.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    golden("bert-old-names", t.BertForMaskedLM, t.BertConfig(**bert), "masked_lm", masked(PAIRS), old)
    golden(
        "bert-next-sentence", t.BertForNextSentencePrediction, t.BertConfig(**bert, architectures=["BertForNextSentencePrediction"]),
        "sequence_classification", labelled(PAIRS, [1, 0]))
    golden("bert-pretraining", t.BertForPreTraining, t.BertConfig(**bert), "masked_lm", labelled(masked(PAIRS), [1, 0]))
    golden(
        "bert-tokens", t.BertForTokenClassification, t.BertConfig(**bert, num_labels=4), "token_classification",
        [dict(e, targets=[-100] + [x % 4 for x in e["tokens"][1:]]) for e in PAIRS])
    # Positions start behind the padding's id, which no text here holds.
    roberta = dict(bert, type_vocab_size=1, pad_token_id=10, max_position_embeddings=20)
    golden(
        "roberta-multi-label", t.RobertaForSequenceClassification,
        t.RobertaConfig(**roberta, num_labels=3, problem_type="multi_label_classification"), "sequence_classification",
        labelled(TEXTS, [[0, 2], [], [1]]))
    golden(
        "roberta-untied", t.RobertaForMaskedLM, t.RobertaConfig(**roberta, tie_word_embeddings=False), "masked_lm",
        masked(TEXTS))
    golden(
        "distilbert", t.DistilBertForMaskedLM,
        t.DistilBertConfig(
            vocab_size=19, dim=8, n_layers=1, n_heads=2, hidden_dim=10, max_position_embeddings=12, pad_token_id=17, dropout=0,
            attention_dropout=0),
        "masked_lm", masked(TEXTS))

    t5 = dict(
        vocab_size=19, d_model=8, d_kv=3, d_ff=10, num_layers=1, num_decoder_layers=2, num_heads=2, relative_attention_num_buckets=4,
        relative_attention_max_distance=5, dropout_rate=0, decoder_start_token_id=0)
    golden("t5", t.T5ForConditionalGeneration, t.T5Config(**t5), "seq2seq_lm", SOURCES)
    golden(
        "t5-gated", t.T5ForConditionalGeneration, t.T5Config(**t5, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
        "seq2seq_lm", SOURCES)
    golden(
        "bart", t.BartForConditionalGeneration,
        t.BartConfig(
            vocab_size=19, d_model=8, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=4,
            encoder_ffn_dim=10, decoder_ffn_dim=12, max_position_embeddings=12, dropout=0, scale_embedding=True, pad_token_id=18,
            decoder_start_token_id=2, forced_eos_token_id=None),
        "seq2seq_lm", SOURCES)
    lines = ",\n".join(f"{json.dumps(case)}:{json.dumps(keys, separators=(',', ':'))}" for case, keys in DEFAULTED.items())
    (FOLDER / "defaulted.json").write_text("{\n" + lines + "\n}\n")


main()
