"""Training on transformers.Trainer: parameter groups, dev scores each epoch, progress that reads well in a log."""

import math
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME

from hoidam.errors import RecipeError
from hoidam.processes import is_main, process_count, process_index
from hoidam.progress import progress
from hoidam.train.features import Collator
from hoidam.train.forecast import StepTime, count_steps
from hoidam.train.lessons import lesson_loss
from hoidam.train.recipe import Recipe, TeacherSettings, TrainingSettings
from hoidam.train.together import SharedOrder, from_main, own_rows, with_shares
from hoidam.train.track import tracker_callbacks

DEV_SCORE = "dev_score"
CHECKPOINTS_NAME = "checkpoints"
DevScorer = Callable[[], dict[str, float]]


class TaggerTrainer(Trainer):
    """A Trainer that learns from a teacher too, and whose evaluation tags the dev articles whole and scores them."""

    def __init__(
        self, *, dev_scorer: DevScorer, settings: TrainingSettings, teacher: TeacherSettings, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._dev_scorer = dev_scorer
        self._settings = settings
        self._teacher = teacher

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, *others: Any, **options: Any
    ) -> Any:
        """Gold's loss; of a batch with a teacher's lesson, that and the lesson's in their shares."""
        lesson = inputs.pop("lesson", None)
        loss, output = super().compute_loss(model, inputs, True, *others, **options)
        if lesson is not None:
            taught = lesson_loss(
                output, piece_words=inputs["piece_words"], lesson=lesson, temperature=self._teacher.temperature
            )
            loss = (1 - self._teacher.weight) * loss + self._teacher.weight * taught
        return (loss, output) if return_outputs else loss

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Score dev on the main process, log the scores and tell the callbacks, as Trainer.evaluate does."""
        metrics = {f"eval_{name}": value for name, value in from_main(self._dev_scorer).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def get_batch_samples(self, *arguments: Any, **options: Any) -> tuple[list[dict[str, Any]], Any]:
        """The batches of one step, each with its shares in the loss where processes train on parts of it."""
        batches, items = super().get_batch_samples(*arguments, **options)
        if self.args.world_size > 1:
            size, loader = self.args.train_batch_size, self.accelerator.gradient_state
            rows = [size] * len(batches)
            if loader.end_of_dataloader and loader.remainder > 0:
                rows[-1] = own_rows(loader.remainder, size=size, index=self.args.process_index)
            weights: Any = self.model.category_weights  # type: ignore[union-attr]
            batches = [with_shares(batch, rows=own, weights=weights) for batch, own in zip(batches, rows, strict=True)]
        return batches, items

    def _get_train_sampler(self, *_: Any) -> SharedOrder:
        """The order of an epoch's windows."""
        features: Any = self.train_dataset
        return SharedOrder(
            self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size,
            # A column that is read from disk anew at each look takes an order some hundred times as long.
            lengths=list(features["length"]),
        )

    def check_steps(self, checkpoint: str) -> None:
        """Raise RecipeError where a checkpoint is of a run with another number of steps than this one."""
        begun = TrainerState.load_from_json(str(Path(checkpoint) / TRAINER_STATE_NAME)).max_steps
        features: Any = self.train_dataset
        if begun != (steps := count_steps(self._settings, windows=len(features)) * self._settings.epochs):
            raise RecipeError(
                f"{checkpoint}: of a run of {begun} steps, and this one would have {steps}: its data changed, or it "
                f"was begun with another number of processes than {process_count()}. Go on as it was begun"
            )

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW over groups with a rate for each layer and one for the heads; norms and biases without decay.

        Fused, because on a CPU a step in separate operations takes as long as the network's own multiplications.
        """
        if self.optimizer is None:
            trained: nn.Module = model or self.model  # type: ignore[assignment]
            self.optimizer = torch.optim.AdamW(parameter_groups(trained, self._settings), fused=True)
        return self.optimizer


def parameter_groups(model: nn.Module, settings: TrainingSettings) -> list[dict[str, Any]]:
    """Groups of parameters by learning rate and weight decay; those that need no gradient are left out.

    The rate falls by `layer_decay` from each encoder layer to the one below, embeddings lowest (Howard and Ruder 2018).
    """
    depth = 1 + max((layer for name, _ in model.named_parameters() if (layer := _layer(name)) is not None), default=0)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = settings.learning_rate * settings.layer_decay ** (depth - 1 - (_layer(name) or 0))
            if not name.startswith("encoder."):
                rate = settings.head_learning_rate
            decay = 0.0 if parameter.ndim < 2 else settings.weight_decay
            groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]


def _layer(name: str) -> int | None:
    """The number of the encoder layer that a parameter lies in, counted from 1; embeddings are 0, heads None."""
    if not name.startswith("encoder."):
        return None
    numbers = [int(part) for part in name.split(".") if part.isdigit()]
    return numbers[0] + 1 if numbers else 0


class EpochLines(TrainerCallback):
    """Prints one line an epoch, for logs and terminals alike."""

    def on_evaluate(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Print the epoch's dev scores."""
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        scores = {name.removeprefix("eval_"): value for name, value in known["metrics"].items() if name != "epoch"}
        parts = [f"{name} {value:.4f}" for name, value in scores.items()]
        loss = f"loss {losses[-1]:.4f}, " if losses else ""
        print(f"epoch {state.epoch:.0f} of {args.num_train_epochs:.0f}: {loss}{', '.join(parts)}", file=sys.stderr)


class StepProgress(TrainerCallback):
    """Counts training steps, of those that are left to do; what it shows ends with `stack`, however training ends."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def on_train_begin(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Begin to show."""
        self._step = self._stack.enter_context(progress("training", total=state.max_steps - state.global_step))

    def on_step_end(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        """Count one step."""
        self._step()


def make_trainer(
    model: nn.Module,
    *,
    recipe: Recipe,
    features: Dataset,
    collator: Collator,
    dev_scorer: DevScorer,
    folder: Path,
    device: torch.device,
    precision: str,
) -> TaggerTrainer:
    """A trainer that writes checkpoints into `folder`, tells the trackers, and keeps the best epoch's weights."""
    settings = recipe.training
    steps = count_steps(settings, windows=len(features)) * settings.epochs
    arguments = TrainingArguments(
        output_dir=str(folder / CHECKPOINTS_NAME),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        warmup_steps=round(settings.warmup * steps),
        max_grad_norm=settings.max_gradient_norm,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.type == "cpu",
        # Each process draws another dropout; the order of the windows is the main one's.
        seed=recipe.seed + process_index(),
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        # Or a resumed run would count the epochs without a better score from nought again, and stop later.
        restore_callback_states_from_checkpoint=True,
        metric_for_best_model=DEV_SCORE,
        greater_is_better=True,
        logging_strategy="epoch",
        # Or a loss that is no number would be logged as 0.
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        run_name=recipe.name,
        # Trackers are callbacks, so that TensorBoard's knows the run folder.
        report_to="none",
        disable_tqdm=True,
        average_tokens_across_devices=False,
        # Looking for them costs each step; a pooler that an encoder cannot be loaded without has no part in the loss.
        ddp_find_unused_parameters=getattr(model.encoder, "pooler", None) is not None,
    )
    # Or a run on a machine with several GPUs would have batches as many times larger, in torch's older way.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    callbacks: list[TrainerCallback] = []
    if is_main():
        callbacks += [EpochLines(), StepTime(), *tracker_callbacks(settings.track, folder=folder)]
    if settings.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=settings.patience))
    trainer = TaggerTrainer(
        model=model,
        args=arguments,
        train_dataset=features,
        # Evaluation tags the dev articles themselves; Trainer only asks that a set be named.
        eval_dataset=features.select([]),
        data_collator=collator,
        callbacks=callbacks,
        dev_scorer=dev_scorer,
        settings=settings,
        teacher=recipe.teacher,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def run_trainer(trainer: TaggerTrainer, *, checkpoint: str | None) -> None:
    """Train, from a checkpoint on where one is given, and tell how far it is.

    Raises RecipeError where the checkpoint is of a run with another number of steps, or the weights end as no
    numbers.
    """
    if checkpoint is not None:
        trainer.check_steps(checkpoint)
    with ExitStack() as stack:
        trainer.add_callback(StepProgress(stack))
        trainer.train(resume_from_checkpoint=checkpoint)
    model: Any = trainer.model
    if not all(values.isfinite().all() for values in model.parameters()):
        raise RecipeError(
            "training.learning_rate: too high, the weights are no numbers any more. Give lower rates, "
            "head_learning_rate too, or another precision"
        )


def curves(state: TrainerState) -> list[dict[str, float | None]]:
    """What was logged of each epoch since the run began, before a stop and after; None for what is no number."""
    entries = [{"epoch": entry["epoch"], "step": entry["step"]} | entry for entry in state.log_history]
    return [{name: value if math.isfinite(value) else None for name, value in entry.items()} for entry in entries]


def last_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint of a run folder that was written to its end, where the trainer's state comes last."""
    whole = (path.parent for path in (folder / CHECKPOINTS_NAME).glob(f"checkpoint-*/{TRAINER_STATE_NAME}"))
    return max(map(str, whole), key=lambda path: int(path.rpartition("-")[2]), default=None)
