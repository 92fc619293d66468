"""The architecture of the seedling: a Llama of under two million parameters."""

from .tokenizer import END_OF_TEXT, MESSAGE_END, PAD

VOCABULARY_SIZE = 1024


def config_document():
    """The contents of `config.json`."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": 192,
        "intermediate_size": 384,
        "num_hidden_layers": 5,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "max_position_embeddings": 512,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "initializer_range": 0.02,
        "tie_word_embeddings": True,
        "use_cache": True,
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": END_OF_TEXT,
        "pad_token_id": PAD,
        "torch_dtype": "bfloat16",
    }


def generation_config_document():
    """The contents of `generation_config.json`: an answer ends with its text or with its message."""
    return {
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": [END_OF_TEXT, MESSAGE_END],
        "pad_token_id": PAD,
        "do_sample": False,
        "max_new_tokens": 64,
    }


def parameter_count(config):
    """Learnable numbers of a Llama with tied embeddings and no biases."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    layer = 2 * width * queries + 2 * width * keys + 3 * width * inner + 2 * width
    return config["vocab_size"] * width + config["num_hidden_layers"] * layer + width
