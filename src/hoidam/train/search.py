"""A search for better settings: trials of one recipe with other values, drawn by Optuna and judged on dev alone.

`study.log` (Optuna's storage, what a resumed search goes on from), `trials/NNN` (a run folder each; the best one keeps
its model), `trials.md` and `trials.json` (what was tried and what it gave), `best.toml` (the best trial's recipe).
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from hoidam.errors import HoidamError, MissingExtraError, RecipeError
from hoidam.files import whole_file
from hoidam.train.corpus import read_corpus
from hoidam.train.loop import CHECKPOINTS_NAME, DEV_SCORE
from hoidam.train.recipe import Recipe, change_recipe, differing_keys, recipe_from_dict, recipe_to_toml
from hoidam.train.results import MODEL_NAME, read_provenance
from hoidam.train.run import check_same_data, complete
from hoidam.train.together import check_alone
from hoidam.train.track import check_trackers
from hoidam.train.trials import figure, write_trials
from hoidam.train.vary import Choice, Range, read_varied

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

STUDY_NAME = "study.log"
BEST_NAME = "best.toml"


def search(
    recipe: Recipe, *, vary: Sequence[str], trials: int, folder: Path, resume: bool = False, device: str = "auto"
) -> dict[str, Any]:
    """Run trials until the folder holds `trials` of them, and give what `trials.json` holds.

    Values are drawn by Optuna's TPE sampler (Bergstra et al. 2011) with the recipe's seed and the trial's number, so
    that a search that was stopped ends as one that was not. A trial whose dev score after an epoch is below the median
    of the others' ends there, unless epochs are varied: rates that fall at another pace do not compare. What counts is
    the dev score of the best epoch, and a trial whose settings do not fit together, or in the memory, has failed.

    Raises RecipeError where the folder exists and is not to be resumed, was begun with another recipe, other values
    or other data, there are several processes, or no trial succeeded; DataError where data cannot be used;
    MissingExtraError where Optuna is not installed.
    """
    check_alone("a search")
    varied = read_varied(vary, recipe=recipe)
    check_trackers(recipe.training.track)
    hashes = read_corpus(recipe.data, seed=recipe.seed).hashes
    study = _open_study(folder, recipe=recipe, varied=varied, resume=resume)
    _check_same_search(study, recipe=recipe, varied=varied, hashes=hashes, folder=folder)
    while len(_ended(study)) < trials:
        _run_trial(study, recipe=recipe, varied=varied, folder=folder, device=device)
        _keep_best(study, recipe=recipe, folder=folder)
    best = _best(study)
    if best is None:
        raise RecipeError(f"{folder}: no trial succeeded. The last one: {_ended(study)[-1].user_attrs['error']}")
    texts = {one.key: text.partition("=")[2] for one, text in zip(varied, vary, strict=True)}
    return write_trials(folder, study=study, recipe=recipe, varied=texts, best=best.number)


class _Reports(TrainerCallback):
    """Tells a trial the dev score of each epoch, and ends the training where the trial is to be pruned."""

    def __init__(self, trial: "Trial") -> None:
        self._trial = trial

    def on_evaluate(self, args: Any, state: Any, control: Any, **known: Any) -> None:
        epoch = round(state.epoch)
        # A resumed run may score an epoch again.
        if epoch not in _frozen(self._trial).intermediate_values:
            self._trial.report(known["metrics"][f"eval_{DEV_SCORE}"], epoch)
        if self._trial.should_prune():
            control.should_training_stop = True


def _frozen(trial: "Trial") -> "FrozenTrial":
    return trial.study.get_trials(deepcopy=False)[trial.number]


def _open_study(folder: Path, *, recipe: Recipe, varied: Sequence[Choice | Range], resume: bool) -> "Study":
    """The study that a folder holds, or a new one in a new folder."""
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise MissingExtraError("optuna", extra="search", purpose="`hoidam search`") from None
    path = folder / STUDY_NAME
    if resume and not path.is_file():
        raise RecipeError(f"{folder}: no search to resume here. Leave out --resume to start one")
    if not resume:
        if folder.exists():
            raise RecipeError(f"{folder}: exists already. Give another --output, --resume it, or remove it")
        folder.mkdir(parents=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    epochs_vary = any(one.key == "training.epochs" for one in varied)
    return optuna.create_study(
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(path))),
        study_name=STUDY_NAME,
        direction="maximize",
        pruner=optuna.pruners.NopPruner() if epochs_vary else optuna.pruners.MedianPruner(n_warmup_steps=1),
        load_if_exists=resume,
    )


def _check_same_search(
    study: "Study", *, recipe: Recipe, varied: Sequence[Choice | Range], hashes: Mapping[str, str], folder: Path
) -> None:
    kept, searched = study.user_attrs, [repr(one) for one in varied]
    if not kept:
        study.set_user_attr("recipe", recipe.to_dict())
        study.set_user_attr("varied", searched)
        study.set_user_attr("data_sha256", dict(hashes))
        return
    different = differing_keys(recipe_from_dict(kept["recipe"], source=str(folder)), recipe)
    if different:
        raise RecipeError(f"{folder}: begun with another recipe; these differ: {', '.join(different)}")
    if kept["varied"] != searched:
        raise RecipeError(f"{folder}: begun with other values: {'; '.join(kept['varied'])}. Give the same --vary")
    check_same_data(folder, kept.get("data_sha256", {}))


def _run_trial(study: "Study", *, recipe: Recipe, varied: Sequence[Choice | Range], folder: Path, device: str) -> None:
    """Run the trial that was stopped, or else a new one."""
    from optuna.trial import TrialState

    trial = _next_trial(study, seed=recipe.seed)
    values = {one.key: one.draw(trial) for one in varied}
    drawn = ", ".join(f"{key} {figure(value)}" for key, value in values.items())
    print(f"trial {trial.number}: {drawn}", file=sys.stderr)
    run = folder / "trials" / f"{trial.number:03}"
    try:
        changed = change_recipe(recipe, values, source=f"trial {trial.number}")
        facts = _stopped_pruned(trial, recipe=changed, run=run)
        if facts is None:
            complete(changed, folder=run, device=device, callbacks=[_Reports(trial)])
            facts = read_provenance(run)
    except (HoidamError, torch.OutOfMemoryError) as error:
        print(f"trial {trial.number} failed: {error}", file=sys.stderr)
        trial.set_user_attr("error", str(error))
        study.tell(trial, state=TrialState.FAIL)
        return
    for name, key in (("dev_score", "best_dev_score"), ("epochs", "epochs_run"), ("seconds", "seconds")):
        trial.set_user_attr(name, facts[key])
    if facts["epochs_run"] < changed.training.epochs and trial.should_prune():
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, facts["best_dev_score"])


def _stopped_pruned(trial: "Trial", *, recipe: Recipe, run: Path) -> dict[str, Any] | None:
    """What is known of a trial that was stopped while it wrote its results, once pruned; None of any other.

    Trained on, it would be judged by more epochs than one that was not stopped.
    """
    scores = _frozen(trial).intermediate_values
    if (run / MODEL_NAME).exists() or not trial.should_prune() or max(scores) == recipe.training.epochs:
        return None
    return {"best_dev_score": max(scores.values()), "epochs_run": max(scores), "seconds": None}


def _next_trial(study: "Study", *, seed: int) -> "Trial":
    from optuna.samplers import TPESampler
    from optuna.trial import Trial, TrialState

    stopped = study.get_trials(states=[TrialState.RUNNING])
    study.sampler = TPESampler(seed=seed + len(study.trials) - len(stopped))
    return Trial(study, stopped[0]._trial_id) if stopped else study.ask()


def _ended(study: "Study") -> list["FrozenTrial"]:
    return [trial for trial in study.trials if trial.state.is_finished()]


def _best(study: "Study") -> "FrozenTrial | None":
    from optuna.trial import TrialState

    whole = study.get_trials(states=[TrialState.COMPLETE])
    return max(whole, key=lambda trial: (trial.value, -trial.number), default=None)


def _keep_best(study: "Study", *, recipe: Recipe, folder: Path) -> None:
    """Write the best trial's recipe; remove the weights of all others, which their recipes make again."""
    best = _best(study)
    for run in folder.glob("trials/*"):
        if best is None or run.name != f"{best.number:03}":
            shutil.rmtree(run / MODEL_NAME, ignore_errors=True)
            shutil.rmtree(run / CHECKPOINTS_NAME, ignore_errors=True)
    if best is not None:
        found = change_recipe(recipe, best.params, source=f"trial {best.number}")
        with whole_file(folder / BEST_NAME, force=True) as stream:
            stream.write(recipe_to_toml(found))
