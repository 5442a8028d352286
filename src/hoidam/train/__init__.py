"""From a recipe to a run folder: settings, gold as features, training on transformers.Trainer, dev scores."""
