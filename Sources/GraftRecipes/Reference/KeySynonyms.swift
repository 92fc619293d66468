/// The names that other programs have for keys of a recipe, for hints: Transformers' and TRL's arguments, axolotl's and LLaMA-Factory's keys.
package enum KeySynonyms {
  /// The dotted path of ours for each of theirs.
  package static let names: [String: String] = [
    "model_name_or_path": "model.path", "pretrained_model_name_or_path": "model.path", "base_model": "model.path",
    "base_model_name_or_path": "model.path", "tokenizer_name": "model.tokenizer",
    "torch_dtype": "model.dtype", "load_in_4bit": "model.quantization", "load_in_8bit": "model.quantization",
    "quantization_bit": "model.quantization",

    "train_file": "data.train", "dataset": "data.train", "datasets": "data.train", "dataset_name": "data.train", "dataset_path": "data.train",
    "validation_file": "data.eval", "eval_file": "data.eval", "eval_dataset": "data.eval", "test_datasets": "data.eval",
    "val_set_size": "data.eval_fraction", "val_size": "data.eval_fraction", "test_size": "data.eval_fraction",
    "validation_split_percentage": "data.eval_fraction", "max_seq_length": "data.max_length", "max_seq_len": "data.max_length",
    "model_max_length": "data.max_length", "sequence_len": "data.max_length", "cutoff_len": "data.max_length",
    "sample_packing": "data.packing", "group_texts": "data.packing", "train_on_inputs": "data.completion_only_loss",
    "train_on_prompt": "data.completion_only_loss", "assistant_only_loss": "data.completion_only_loss", "mlm_probability": "data.corruption_rate",
    "field_mapping": "data.columns",

    "per_device_train_batch_size": "training.batch_size", "per_gpu_train_batch_size": "training.batch_size",
    "train_batch_size": "training.batch_size", "micro_batch_size": "training.batch_size", "per_device_eval_batch_size": "training.batch_size",
    "num_train_epochs": "training.num_epochs", "epochs": "training.num_epochs", "max_train_steps": "training.max_steps",
    "lr": "training.learning_rate", "lr_scheduler_type": "training.lr_scheduler", "num_warmup_steps": "training.warmup_steps",
    "optim": "training.optimizer", "adam_beta1": "training.betas", "adam_beta2": "training.betas", "adam_epsilon": "training.epsilon",
    "gradient_clipping": "training.max_grad_norm", "label_smoothing_factor": "training.label_smoothing", "bf16": "training.precision",
    "fp16": "training.precision", "mixed_precision": "training.precision", "data_seed": "training.seed",
    "log_interval": "training.logging_steps", "eval_strategy": "training.eval_steps", "evaluation_strategy": "training.eval_steps",
    "save_strategy": "training.save_steps",

    "loss_type": "preference.loss", "pref_loss": "preference.loss", "pref_beta": "preference.beta", "simpo_gamma": "preference.gamma",
    "dpo_label_smoothing": "preference.label_smoothing", "cpo_alpha": "preference.sft_weight", "rpo_alpha": "preference.sft_weight",
    "pref_ftx": "preference.sft_weight",

    "finetuning_type": "method.peft_type", "adapter": "method.peft_type", "lora_r": "method.r", "lora_rank": "method.r",
    "lora_target": "method.target_modules", "lora_target_modules": "method.target_modules", "lora_modules_to_save": "method.modules_to_save",
    "adapter_name_or_path": "method.init_from", "report_to": "report.tensorboard", "run_name": "output_dir",
  ]
}
