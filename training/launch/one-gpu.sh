#!/usr/bin/env bash
# Trains on one GPU, such as an H200:  training/launch/one-gpu.sh [RECIPE [OPTION…]], for example with --resume.
# Change: PYTHON, where the one with hoidam and a torch for GPUs is another.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
RECIPE=${1:-training/embedded.toml}

if [ ! -d models/encoders/embedded ]; then
    "$PYTHON" -m hoidam encoder prepare embedded --output models/encoders/embedded
fi
exec "$PYTHON" -m hoidam train "$RECIPE" --device cuda "${@:2}"
