#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if ! bash install.sh /opt/streamlabs; then
  # An older Ubuntu has 3.11 beside its own Python; Debian keeps venv apart from it.
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  apt-get install --yes python3.12 python3.12-venv || apt-get install --yes python3.11 python3.11-venv
  bash install.sh /opt/streamlabs
fi
