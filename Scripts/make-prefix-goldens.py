"""Makes Tests/GraftAdaptersTests/Fixtures/prefix.*: what PEFT's prefixes do to tiny encoder-decoders with random weights.

    python Scripts/make-prefix-goldens.py        (torch, transformers, peft, safetensors)

`prefix.safetensors` holds a base's tensors under `NAME/base/` and the adapter's under `NAME/tensors/`, those of the network that
makes a prefix included; the logits of the targets one after another as `NAME/logits`, and the gradients of their sum, element k
weighted by sin k, as `NAME/gradients/`. `prefix.json` holds the models' configurations, the adapters', and what `generate` writes.
"""

import json
import tempfile
from pathlib import Path

import torch
from peft import PeftModel, PrefixTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import BartConfig, BartForConditionalGeneration, T5Config, T5ForConditionalGeneration

FOLDER = Path(__file__).parent.parent / "Tests/GraftAdaptersTests/Fixtures"
PAIRS = [([5, 9, 3, 14, 7], [4, 8, 11]), ([17, 2, 6], [12, 3, 3, 19, 5])]
NEW_TOKENS = 6
NOISE = {"id2label", "label2id", "transformers_version", "use_cache", "classifier_dropout"}
T5 = dict(
    vocab_size=20, d_model=8, d_ff=10, num_heads=2, relative_attention_num_buckets=6, relative_attention_max_distance=9,
    initializer_factor=3.0, tie_word_embeddings=False, decoder_start_token_id=0, pad_token_id=0, eos_token_id=None)
CASES = {
    # An even number of layers, which share; keys narrower than the states, which PEFT has to be told.
    "t5": (T5ForConditionalGeneration, T5Config(d_kv=3, num_layers=2, **T5), dict(token_dim=6)),
    # As many as both halves have.
    "t5-network": (T5ForConditionalGeneration, T5Config(d_kv=4, num_layers=1, **T5), dict(prefix_projection=True, encoder_hidden_size=5)),
    # An odd number, each layer with its own; fewer in the decoder.
    "bart": (BartForConditionalGeneration, BartConfig(
        vocab_size=20, d_model=8, encoder_layers=3, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=10,
        decoder_ffn_dim=10, max_position_embeddings=24, init_std=0.4, decoder_start_token_id=2, pad_token_id=0, bos_token_id=None,
        eos_token_id=None, forced_eos_token_id=None), {}),
}


def logits(model, start, source, target):
    """What the target's tokens are predicted with."""
    return model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([[start] + target[:-1]])).logits[0]


def written(model, start, source):
    """What a greedy search writes, by PEFT and by looking at the whole target anew for every token."""
    new = []
    for _ in range(NEW_TOKENS):
        new.append(logits(model, start, source, new + [0])[-1].argmax().item())
    ids = torch.tensor([source])
    output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False)[0].tolist()
    assert output == [start] + new, (output, new)
    return new


def main():
    tensors, described = {}, {}
    for index, (name, (model_class, config, settings)) in enumerate(CASES.items()):
        torch.manual_seed(index)
        base = model_class(config).eval()
        tensors |= {f"{name}/base/{key}": value.clone() for key, value in base.state_dict().items()}
        start = config.decoder_start_token_id
        model = get_peft_model(base, PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3, **settings)).eval()
        parameters = {key.replace(".default", ""): value for key, value in model.named_parameters() if value.requires_grad}
        with torch.no_grad():
            for value in parameters.values():
                value.normal_()

        outputs = torch.cat([logits(model, start, *pair) for pair in PAIRS])
        (outputs * torch.arange(outputs.numel()).sin().view_as(outputs)).sum().backward()
        tensors[f"{name}/logits"] = outputs.detach()
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            table = load_file(f"{folder}/adapter_model.safetensors")["prompt_embeddings"]
            adapter = json.loads(Path(folder, "adapter_config.json").read_text())
            again = PeftModel.from_pretrained(model_class(config).eval(), folder)
            again.get_base_model().load_state_dict(base.state_dict())
            torch.testing.assert_close(torch.cat([logits(again, start, *pair) for pair in PAIRS]), outputs)
        tensors[f"{name}/tensors/prompt_embeddings"] = table
        if settings.get("prefix_projection"):
            tensors |= {f"{name}/tensors/{key}": value for key, value in parameters.items()}
            tensors |= {f"{name}/gradients/{key}": value.grad for key, value in parameters.items()}
        else:
            tensors[f"{name}/gradients/prompt_embeddings"] = parameters["prompt_encoder.embedding.weight"].grad
        described[name] = dict(
            model={key: value for key, value in config.to_diff_dict().items() if key not in NOISE}, adapter=adapter,
            written=[written(model, start, source) for source, _ in PAIRS])
    shared = dict(sources=[source for source, _ in PAIRS], targets=[target for _, target in PAIRS], cases=described)
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, FOLDER / "prefix.safetensors")
    (FOLDER / "prefix.json").write_text(json.dumps(shared, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
