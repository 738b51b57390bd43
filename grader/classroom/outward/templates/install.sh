#!/usr/bin/env bash
# Installs the course from this bundle into TARGET (a virtual environment), and closes its sources:
#     install.sh TARGET
# Everything is checked against the hashes in requirements.txt. LABS_PYTHON names the interpreter;
# it must lie where everybody may read it, because functions run as another user.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
target="${1:?install.sh needs the folder to install into}"
python="${LABS_PYTHON:-}"
for name in python3.14 python3.13 python3.12 python3.11 python3; do
  [ -z "$python" ] || break
  if command -v "$name" > /dev/null && "$name" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    python="$(command -v "$name")"
  fi
done
if [ -z "$python" ]; then
  echo "labs: there is no Python 3.11 or later with its venv module here" >&2
  exit 3
fi

umask 022
"$python" -m venv "$target"
# pip runs in the bundle's folder: the wheel is named relative to it, and nothing of a hand-in is near.
cd "$here"
PIP_DISABLE_PIP_VERSION_CHECK=1 "$target/bin/python" -m pip install --quiet --no-input \
  --require-hashes --requirement requirements.txt
if ! compgen -G "streamlabs-*.whl" > /dev/null; then
  # In a clone there is no wheel: the sources themselves are used.
  packages="$("$target/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
  (cd ../../../.. && pwd) > "$packages/streamlabs.pth"
fi
"$target/bin/python" -I -m grader.classroom.outward.close
