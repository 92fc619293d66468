import GraftBatching
import GraftDatasets
import GraftLayers
import GraftOptimizers

extension RecipeKey {
  /// Every key, in the order of a resolved recipe.
  public static let all: [RecipeKey] = model + [task] + preference + method + data + training + report + run

  private static let model = [
    RecipeKey("model.path", .text, "The base: a directory with a checkpoint of Transformers."),
    RecipeKey("model.config", .section, "Instead of `path`: the keys of a `config.json`, to start from random weights."),
    RecipeKey("model.tokenizer", .text, "The directory of the tokenizer, where random weights have none."),
    RecipeKey(
      "model.dtype", .choice(of: Recipe.WeightFormat.self),
      "How frozen weights are kept in memory; `auto` follows `training.precision`. Norms, biases and rows of embeddings stay exact."
    ),
    RecipeKey(
      "model.quantization", .choice(of: Recipe.QuantizationName.self),
      "How the matrices of frozen linear layers are quantized while they are loaded: in bitsandbytes' formats, in ggml's blocks, or in "
        + "floating-point numbers of 4 and 8 bits. Embeddings, norms, heads and routers stay as they are, and so does what a checkpoint holds "
        + "quantized already."),
    RecipeKey(
      "model.attention", .choice(of: AttentionStyle.self),
      "Which tokens see which, where the architecture leaves it open: a decoder's prompt may be read in both directions (`prefix`)."),
    RecipeKey(
      "model.new_tokens", .list(.text),
      "Texts that become one token each: the tokenizer and the tables grow, and the new rows are trained and stored."),
  ]

  private static let task = RecipeKey("task", .choice(of: LearningTask.self), "What is learned.")

  private static let preference = [
    RecipeKey(
      "preference.loss", .text,
      "The loss of `task: preference`: `dpo`, `hinge`, `ipo`, `robust` (all with the base as the reference), `orpo`, `simpo`, `cpo` (without one), "
        + "`kto` (single answers with a label), or one that the program has registered."),
    RecipeKey("preference.beta", .number, "The scale of rewards: the larger, the closer to the reference; 0.1 (`simpo`: 2) where nothing is said."),
    RecipeKey(
      "preference.label_smoothing", .number, "The probability that a pair is labelled the wrong way round (`dpo`, `robust`, `simpo`, `cpo`)."),
    RecipeKey(
      "preference.length_normalized", .boolean, "Log-probabilities are means over an answer's tokens instead of sums (`dpo`, `hinge`, `robust`)."),
    RecipeKey("preference.gamma", .number, "The margin between rewards (`simpo`); 0.5 where nothing is said."),
    RecipeKey(
      "preference.sft_weight", .number,
      "The weight of the likelihood of the better answers beside the loss; 1 (`orpo`, `cpo`) or 0 where nothing is said."),
    RecipeKey("preference.desirable_weight", .number, "The weight of good answers (`kto`); 1 where nothing is said."),
    RecipeKey("preference.undesirable_weight", .number, "The weight of bad answers (`kto`); 1 where nothing is said."),
  ]

  private static let method = [
    RecipeKey(
      "method.peft_type", .text,
      "The method; beside it stand its keys, those of PEFT's `adapter_config.json`, and `init_from`, an adapter to continue from.")
  ]

  private static let data = [
    RecipeKey("data.train", .files, "What is trained on. A weight says how often an epoch draws the examples of a file."),
    RecipeKey("data.eval", .files, "What is held out, and evaluated."),
    RecipeKey("data.eval_fraction", .number, "Instead of `eval`: the share of `train` that is held out."),
    RecipeKey(
      "data.forgetting", .files, "In a comparison: texts of the kind that the base knows; how much its loss on them rises is the forgetting."),
    RecipeKey("data.format", .choice(of: DataFormat.self), "The layout of the records; `auto` tells it from their keys."),
    RecipeKey(
      "data.columns", .mapping(.text),
      "The files' columns by the names of the format: `{prompt: question}`. A place within a column (`answers.text.0`) and a text with columns in it "
        + "(`\"{context} Question: {question}\"`) stand for one, too."),
    RecipeKey("data.roles", .mapping(.text), "What the chat template calls the files' roles, as in `{human: user}`."),
    RecipeKey("data.delimiter", .text, "What stands between the fields of a table; a comma in `.csv`, a tab in `.tsv` where nothing is said."),
    RecipeKey(
      "data.quoting", .choice(of: TableQuoting.self), "What quotes mean in a table; `csv` in `.csv`, `none` in `.tsv` where nothing is said."),
    RecipeKey("data.header", .boolean, "False where a table has no row of names: its columns are called `1`, `2` and so on."),
    RecipeKey(
      "data.problem_type", .choice(of: ClassificationProblem.self),
      "What the labels of `sequence_classification` are; told from them where nothing is said."),
    RecipeKey("data.num_labels", .whole, "The number of a classifier's outputs; as many as the labels ask for where nothing is said."),
    RecipeKey(
      "data.labels", .list(.text), "The names of the classes in the order of the outputs; told from the checkpoint or the data where nothing is said."
    ),
    RecipeKey("data.class_weights", .mapping(.number), "How much the loss of a class counts; 1 for every class that is not named."),
    RecipeKey("data.max_length", .whole, "The most tokens of an example, and of a packed row."),
    RecipeKey("data.packing", .boolean, "Lay several examples in one row of `max_length` tokens; they do not see each other."),
    RecipeKey("data.completion_only_loss", .boolean, "Only completions, outputs and the assistant's messages carry loss."),
    RecipeKey("data.shuffle", .boolean, "Draw the examples in another order in every epoch."),
    RecipeKey(
      "data.streaming", .boolean,
      "Encode records when training comes to them, and pack a thousand at a time; by default what is larger than 16 MB in a run of `max_steps`."),
    RecipeKey("data.objective", .choice(of: Recipe.ObjectiveName.self), "What is learned from plain texts; `auto` is what task and format imply."),
    RecipeKey("data.corruption_rate", .number, "The share of a text's tokens that are masked (`masked_lm`) or taken out (`seq2seq_lm`)."),
    RecipeKey("data.mean_span_length", .number, "The mean number of neighbouring tokens that are taken out together (`seq2seq_lm`)."),
    RecipeKey("data.next_sentence", .boolean, "`masked_lm` pairs sentences and learns which follow each other, too."),
  ]

  private static let training = [
    RecipeKey("training.num_epochs", .number, "How often the data is seen; once unless `max_steps` is given."),
    RecipeKey("training.max_steps", .whole, "Instead of `num_epochs`: the number of optimizer steps."),
    RecipeKey("training.batch_size", .whole, "Examples (packed rows) that are computed at once."),
    RecipeKey("training.gradient_accumulation_steps", .whole, "Batches whose gradients make one step, weighted by their loss-carrying tokens."),
    RecipeKey("training.learning_rate", .number, "The peak learning rate; the method's own where nothing is said."),
    RecipeKey("training.loraplus_lr_ratio", .number, "LoRA+: how many times faster than `A` the `B` factors learn."),
    RecipeKey("training.loraplus_lr_embedding", .number, "LoRA+: the peak learning rate of embeddings' factors."),
    RecipeKey(
      "training.preconditioner", .choice(of: Recipe.PreconditionerName.self),
      "LoRA: `riemannian` divides each factor's gradient by the square of the other; `lora_fa` does so for `B`, and leaves `A` as it was drawn."),
    RecipeKey(
      "training.preconditioner_damping", .number, "The number added to the diagonal of what the Riemannian preconditioner inverts, above 0."),
    RecipeKey("training.loss", .text, "A loss that the program has registered, in place of the model's own for its task."),
    RecipeKey("training.optimizer", .choice(of: Recipe.OptimizerName.self), "The update rule."),
    RecipeKey(
      "training.betas", .list(.number),
      "Adam's decay rates of the first and the second moment; `momentum` takes the first, `rmsprop` the second, `lion` both (0.9 and 0.99 unless given)."
    ),
    RecipeKey("training.epsilon", .number, "The term that is added to the root of the second moment."),
    RecipeKey(
      "training.optimizer_state", .choice(of: Recipe.StateFormat.self),
      "The format of the optimizer's moments between steps: bf16 takes half the memory, and is rounded by chance so that small changes add up."),
    RecipeKey("training.weight_decay", .number, "Decoupled weight decay; biases and norms are left out."),
    RecipeKey("training.lr_scheduler", .choice(of: LearningRateSchedule.Shape.self), "How the learning rate falls behind its warm-up."),
    RecipeKey("training.warmup_steps", .whole, "Steps in which the learning rate rises from 0."),
    RecipeKey("training.warmup_ratio", .number, "Instead of `warmup_steps`: their share of all steps, rounded up."),
    RecipeKey("training.max_grad_norm", .number, "The largest norm of all gradients together; 0 and `null` do not clip.", isOptional: true),
    RecipeKey("training.label_smoothing", .number, "The share of a target's probability that is spread over all classes, or the whole vocabulary."),
    RecipeKey(
      "training.router_aux_loss_coef", .number,
      "Mixtures of experts: the factor of the loss that keeps experts equally busy; what the model's configuration asks for where nothing is said."),
    RecipeKey(
      "training.router_z_loss_coef", .number,
      "Mixtures of experts: the factor of the loss that keeps routers' logits small; what the model's configuration asks for where nothing is said."),
    RecipeKey("training.precision", .choice(of: Recipe.PrecisionName.self), "The type of the products' operands, which sum in float32."),
    RecipeKey(
      "training.loss_scale.initial", .number,
      "fp16: the factor of the loss in the first step, which keeps gradients in range; no other precision has one."),
    RecipeKey("training.loss_scale.growth_factor", .number, "The number that the factor is multiplied by after `growth_interval` updates in a row."),
    RecipeKey(
      "training.loss_scale.backoff_factor", .number, "The number below 1 that it is multiplied by where gradients overflow; the step is skipped."),
    RecipeKey("training.loss_scale.growth_interval", .whole, "Updates in a row after which the factor grows."),
    RecipeKey("training.loss_scale.minimum", .number, "The least factor; gradients that overflow under it end the run."),
    RecipeKey(
      "training.gradient_checkpointing", .boolean,
      "Compute blocks again on the way back instead of keeping what they computed: less memory, more time."),
    RecipeKey("training.seed", .whole, "What all random numbers depend on: initial values, order, dropout, sampling."),
    RecipeKey("training.logging_steps", .whole, "Steps between two lines of the log."),
    RecipeKey("training.eval_steps", .whole, "Steps between two evaluations; only at the ends where nothing is said."),
    RecipeKey("training.save_steps", .whole, "Steps between two checkpoints; none where nothing is said."),
    RecipeKey("training.save_total_limit", .whole, "How many checkpoints are kept; all where `null`.", isOptional: true),
    RecipeKey("training.early_stopping_patience", .whole, "Evaluations in a row without improvement that end the training."),
    RecipeKey(
      "training.load_best_model_at_end", .boolean,
      "The result is the best weights that an evaluation found rather than the last; so it is where a run evaluates between its steps."),
    RecipeKey("training.metric_for_best_model", .text, "The figure that says which weights are the best; the evaluation loss where nothing is said."),
    RecipeKey(
      "training.greater_is_better", .boolean, "True where that figure rises as a model improves; what its name implies where nothing is said."),
  ]

  private static let report = [
    RecipeKey("report.html", .boolean, "Write `report.html`."),
    RecipeKey("report.tensorboard", .boolean, "Write events for TensorBoard."),
  ]

  private static let run = [
    RecipeKey("output_dir", .text, "The run's directory; `runs/` and the recipe's name where nothing is said."),
    RecipeKey(
      "methods", .list(.section),
      "In a comparison: `{name, method, model, training, learning_rates}` for each method; the keys of `model` and `training` stand above the recipe's."
    ),
    RecipeKey("seeds", .list(.whole), "In a comparison: the seeds to run each method under; 0, 1 and 2 where nothing is said."),
    RecipeKey(
      "learning_rates", .list(.number),
      "In a comparison: what is tried for each method that does not list its own, on examples set aside from training."),
    RecipeKey(
      "few_shot", .list(.whole),
      "In a comparison: how many examples of the training set the untouched base is shown in its prompts, a line of results for each number."),
  ]
}
