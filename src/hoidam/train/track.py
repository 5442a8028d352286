"""Who is told of a run's losses and scores while it trains, by name."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter
from transformers import TrainerCallback
from transformers.integrations.integration_utils import MLflowCallback, TensorBoardCallback, WandbCallback

from hoidam.errors import RecipeError
from hoidam.train.recipe import Tracker

CURVES_NAME = "curves"
_mlflow: Any = MLflowCallback
_tensorboard: Any = TensorBoardCallback
_wandb: Any = WandbCallback


class _Wandb(_wandb):  # type: ignore[misc]
    """Ends what it began, so that the next run of this process is another run there too."""

    def on_train_begin(self, *arguments: Any, **known: Any) -> None:
        self._begun = self._wandb.run is None
        super().on_train_begin(*arguments, **known)

    def on_train_end(self, *arguments: Any, **known: Any) -> None:
        super().on_train_end(*arguments, **known)
        if self._begun:
            self._wandb.finish()


def check_trackers(trackers: Sequence[Tracker]) -> None:
    """Raise RecipeError where a tracker's package is missing."""
    for name in trackers:
        # A folder of that name, as wandb writes one, is no package.
        if (found := importlib.util.find_spec(name)) is None or found.origin is None:
            raise RecipeError(f"training.track: {name} is not installed: pip install {name}")


def tracker_callbacks(trackers: Sequence[Tracker], *, folder: Path) -> list[TrainerCallback]:
    """A callback for each tracker; TensorBoard's curves lie in the run folder, others go where their packages say."""
    make = {
        "tensorboard": lambda: _tensorboard(SummaryWriter(str(folder / CURVES_NAME))),
        "wandb": _Wandb,
        "mlflow": _mlflow,
    }
    return [make[name]() for name in dict.fromkeys(trackers)]
