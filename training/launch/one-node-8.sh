#!/usr/bin/env bash
# Trains on the eight GPUs of one machine, a process each:  training/launch/one-node-8.sh [OPTION…]
# Change: RECIPE, GPUS, PYTHON. The recipe's batch size is per GPU: 2 on each of 8 update the weights by 16 windows at
# once, as the recipe does on one GPU. More make fewer and larger steps, which ask for other learning rates.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
RECIPE=training/phobert-base-v2.toml
GPUS=8

exec "$PYTHON" -m torch.distributed.run --nproc-per-node "$GPUS" -m hoidam train "$RECIPE" --set training.batch_size=2 "$@"
